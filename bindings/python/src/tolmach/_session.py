"""One answer on its way."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import itertools
import json
import math
import os
import select
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import chain, repeat
from operator import length_hint
from typing import Any, Optional

from . import _native
from ._answer import Answer, Gathering, ToolCall, tool_calls_of
from ._call import call, string
from ._errors import (
    BusyError, NoMemoryError, SessionCancelledError, TimedOutError, TolmachError,
)
from ._handle import Handle, Unique, net
from ._native import END, OK, PENDING, lib
from ._settings import Duration, milliseconds
from ._types import Chunk, ChunkKind, SessionInfo, copy_batch, copy_info

# After so many chunks that were there already, a task lets others have a turn.
_FAIR_SHARE = 64

_TEXT = repeat(ChunkKind.TEXT)


class Session(Unique):
    """One answer on its way, made by `Client.stream()`: an iterator over its chunks.

    Iterate with `for` or `async for`; one thread or task at a time. Close it, best by `with`
    or `async with`: what is left of the answer then ends at once. An answer that is not
    whole raises: an iteration that ends has seen everything.
    """

    _instead = "its chunks and its `reply` can"

    def __init__(self, pointer: ctypes.c_void_p) -> None:
        self._end = _End()
        self._handle = Handle("session", pointer, self._end.free, SessionCancelledError)
        self._gathering = Gathering()
        self._answer: Optional[Answer] = None
        self._polling = threading.Lock()
        # What was polled and is still to be given: chunks, or the texts that they are made of.
        self._batch: list[Any] = []
        self._left: Iterator[Any] = iter(self._batch)
        self._rest: Iterator[Chunk] = self._left
        self._taken = 0
        self._cancelled = False
        self._deadline = math.inf
        net(self, _drop, self._handle, self._end)

    def __iter__(self) -> Iterator[Chunk]:
        # Iterates in C, up to the next batch.
        return chain.from_iterable(iter(self._next_batch, None))

    def __next__(self) -> Chunk:
        for chunk in self._rest:
            return chunk
        return next(iter(self))

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        """Where the task is cancelled in here, so is the session."""
        self._taken += 1
        if self._taken % _FAIR_SHARE == 0:
            await self._give_way()
        for chunk in self._rest:
            return chunk
        while await self._await_batch():
            for chunk in self._rest:
                return chunk
        raise StopAsyncIteration

    def answer(self) -> Answer:
        """Reads what is left, and gives the whole answer, what was read before included."""
        if self._answer is None:
            for _ in self:
                pass
        return self._whole()

    async def answer_async(self) -> Answer:
        """`answer()` for asyncio."""
        if self._answer is None:
            async for _ in self:
                pass
        return self._whole()

    def _whole(self) -> Answer:
        if self._answer is None:
            self._answer = self._gathering.answer(self.reply, self.info)
        return self._answer

    @property
    def text(self) -> str:
        """The text that has been read so far, put together: of the first answer."""
        return self._gathering.text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls of tools that have been read whole so far: of the first answer."""
        return tool_calls_of(self.reply)

    def header(self, name: str) -> Optional[str]:
        """A header of the latest response, also of one that was an error; None where there is
        none. Never a credential. Not after `close()`."""
        with self._turn() as session:
            value = lib.tolmach_session_header(session, string(name))
            return str(value) if value.ptr else None

    @property
    def info(self) -> SessionInfo:
        """What is known beside the answer; complete once the session has ended."""
        info = self._end.info
        if info is None:
            with self._turn() as session:
                info = _info_of(session)
        return info

    @property
    def reply(self) -> dict[str, Any]:
        """The assistant's message so far, put together, in OpenAI's chat format.

        Empty while there is nothing to send back: no text, refusal, audio or whole tool call.
        `Request.reply()` appends it to a request.
        """
        reply = self._end.reply
        if reply is None:
            with self._turn() as session:
                reply = str(lib.tolmach_session_reply(session))
        message: dict[str, Any] = json.loads(reply) if reply else {}
        return message

    def fileno(self) -> int:
        """A descriptor for select, poll and event loops; -1 where there is none (Windows).

        It is readable while `next()` would not wait. Neither read nor close it. Where the
        process may have no more of them, that is an OSError (EMFILE); iterating goes on.
        """
        with self._handle as session:
            descriptor: int = lib.tolmach_session_fd(session)
        if descriptor < 0 and os.name != "nt":
            raise OSError(
                errno.EMFILE,
                "the process has no file descriptors left: close sessions, or raise its limit"
                " (ulimit -n)",
            )
        return descriptor

    def _give_up_after(self, timeout: Optional[Duration]) -> None:
        """Has a `for` loop that is not at its end by then raise a TimedOutError, and the session
        cancelled. None takes that back. A `timeout` of asyncio's does the same for tasks."""
        limit = -1 if timeout is None else milliseconds("timeout", timeout)
        self._deadline = math.inf if limit < 0 else time.monotonic() + limit / 1000

    def cancel(self) -> None:
        """Ends the session at once. Any thread may, at any time.

        Whoever waits for the next chunk, or asks for one later, gets a
        SessionCancelledError, unless the answer has already ended.
        """
        with contextlib.suppress(SessionCancelledError), self._handle as session:
            lib.tolmach_session_cancel(session)
            if not self._end.reached:
                self._cancelled = True
                self._batch.clear()
            self._end.reached = True

    @property
    def closed(self) -> bool:
        """Whether the session was closed."""
        return self._handle.closed

    def close(self) -> None:
        """Cancels the session and frees what it holds. Any thread may, more than once."""
        if not self._handle.inherited:
            self.cancel()
            self._handle.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "ended" if self._end.reached else "open"
        return f"<tolmach.Session {state} at {id(self):#x}>"

    @contextlib.contextmanager
    def _turn(self) -> Iterator[ctypes.c_void_p]:
        """A chunk is the library's until it is copied: no other poll may come between."""
        if not self._polling.acquire(blocking=False):
            raise BusyError("another thread or task is waiting for the session's next chunk")
        try:
            with self._handle as session:
                yield session
        finally:
            self._polling.release()

    def _next_batch(self) -> Optional[Iterator[Chunk]]:
        """What is still to be given, of one batch; None at the end."""
        if length_hint(self._left):
            return self._rest
        with self._turn() as session:
            status = self._poll(session)
            while status == PENDING:
                left = self._deadline - time.monotonic()
                if left <= 0:
                    self.cancel()
                    raise TimedOutError("the timeout of this call passed before the session's end")
                # Python's own wait, which Ctrl-C interrupts; or short ones of the library's.
                descriptor = lib.tolmach_session_fd(session)
                if descriptor >= 0:
                    _wait_until_readable(descriptor, left)
                status = self._poll(session, timeout_ms=0 if descriptor >= 0 else 100)
        return None if status == END else self._rest

    async def _await_batch(self) -> bool:
        """Whether there is another batch."""
        with self._turn() as session:
            try:
                status = self._poll(session)
                while status == PENDING:
                    await _until_ready(session)
                    status = self._poll(session)
                return status != END
            except asyncio.CancelledError:
                self.cancel()
                raise

    async def _give_way(self) -> None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancel()
            raise

    def _poll(self, session: ctypes.c_void_p, timeout_ms: int = 0) -> int:
        batch = ctypes.POINTER(_native.Batch)()
        try:
            status = call(lib.tolmach_session_poll_many, session, timeout_ms, ctypes.byref(batch))
        except TolmachError:
            self._end.reached = True
            raise
        if status == END:
            self._end.reached = True
        if status == OK:
            chunks, texts = copy_batch(batch.contents)
            self._gathering.add(chunks, texts)
            self._batch = chunks if texts is None else texts
            self._left = iter(self._batch)
            # Made one by one as they are wanted, which the processor's cache likes.
            self._rest = self._left if texts is None else map(Chunk, _TEXT, self._left)
            if self._cancelled:
                # In the meantime, by another thread or a signal's handler.
                self._batch.clear()
                status = PENDING
        return status


class _End:
    """What is left of a session at its end."""

    def __init__(self) -> None:
        self.reached = False
        self.reply: Optional[str] = None
        self.info: Optional[SessionInfo] = None

    def free(self, session: ctypes.c_void_p) -> None:
        try:
            self.reply = str(lib.tolmach_session_reply(session))
            self.info = _info_of(session)
        finally:
            lib.tolmach_session_free(session)


def _info_of(session: ctypes.c_void_p) -> SessionInfo:
    info = lib.tolmach_session_info_get(session)
    if not info:
        raise NoMemoryError("there is no memory for what is known of the session")
    return copy_info(info.contents)


def _drop(handle: Handle, end: _End) -> None:
    """The net below a session that nobody closed."""
    if handle.closed or handle.inherited:
        return
    handle.close()
    if not end.reached:
        warnings.warn(
            "a tolmach.Session was dropped before its answer had ended: close it, or use `with`",
            ResourceWarning,
            stacklevel=2,
        )


def _wait_until_readable(descriptor: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll(None if seconds == math.inf else math.ceil(min(seconds, 1e6) * 1000))


async def _until_ready(session: ctypes.c_void_p) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    descriptor = lib.tolmach_session_fd(session)
    if descriptor < 0:
        await _until_called(session, ready)
        return
    # For this wait alone: it is readable as long as there is something to poll for.
    loop.add_reader(descriptor, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


# Where there is no descriptor, one of the library's threads tells. It gets this one function
# and the number of the wait, so that a call that comes late finds nothing and does nothing.
_waits: dict[int, asyncio.Future[None]] = {}
_numbers = itertools.count(1)


async def _until_called(session: ctypes.c_void_p, ready: asyncio.Future[None]) -> None:
    number = next(_numbers)
    _waits[number] = ready
    try:
        call(lib.tolmach_session_on_ready, session, _on_ready, number, _native.ReleaseFn())
        await ready
    finally:
        del _waits[number]
        nobody = _native.ReadyFn(), None, _native.ReleaseFn()
        call(lib.tolmach_session_on_ready, session, *nobody)


def _wake(number: int) -> None:
    ready = _waits.get(number)
    if ready is not None:
        # The loop is closed where its program has ended in the midst of the wait.
        with contextlib.suppress(RuntimeError):
            ready.get_loop().call_soon_threadsafe(_settle, ready)


_on_ready = _native.ReadyFn(_wake)


def wait(sessions: Sequence[Session], timeout: Optional[Duration] = None) -> Optional[Session]:
    """Waits until one of several sessions has something to give: a chunk, its end or an error.

    One that has ended always has: leave it out when you have seen its end. Of several that
    have something it is the one that was given the longest ago. `timeout`: how long to wait;
    then, None.
    """
    limit = -1 if timeout is None else milliseconds("timeout", timeout)
    end = math.inf if limit < 0 else time.monotonic() + limit / 1000
    for session in sessions:
        if length_hint(session._left):
            return session
    with contextlib.ExitStack() as held:
        pointers = [held.enter_context(session._handle).value for session in sessions]
        array, index = (ctypes.c_void_p * len(pointers))(*pointers), ctypes.c_size_t()
        while True:
            # Short waits of the library's, between which Ctrl-C interrupts.
            left = end - time.monotonic()
            short = max(0, math.ceil(min(left, 0.1) * 1000))
            status = call(
                lib.tolmach_sessions_wait, array, len(pointers), short, ctypes.byref(index)
            )
            if status == OK:
                return sessions[index.value]
            if left <= 0:
                return None
