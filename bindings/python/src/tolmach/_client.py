"""A provider ready to be asked."""

from __future__ import annotations

import ctypes
import json
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union, overload

from ._answer import Answer
from ._call import make, string
from ._errors import AnswerFormatError, ArgumentError, TooManyRoundsError
from ._handle import Handle, Unique, net
from ._native import lib
from ._request import Request
from ._session import Session
from ._settings import Duration, Settings, new_config
from ._tools import AnyTool, Toolbox
from ._types import Chunk, ChunkKind, Embeddings, Model, model_of, vector_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")

Body = Union[bytes, str, Mapping[str, Any], list[Any], None]

class Client(Unique):
    """A provider bound to its config, with its open connections.

    Make one and share it: any number of threads and tasks may use it at once.
    """

    _instead = "share it between threads, and make one in each process"

    def __init__(self, provider: str, /, **settings: Unpack[Settings]) -> None:
        """Touches no network.

        `provider`: "openai", or another of `providers()`. `settings`: `api_key`, `model`,
        `base_url`, `proxy`, `headers` and all the others: see `Settings`. An unknown one or a
        wrong value is an ArgumentError that says what is right.
        """
        self._own(provider, new_config(provider, settings))

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> Client:
        """A client of a part of a program's own settings file: "provider" and any keys of
        tolmach.h, under their own names and in their own units, such as "idle_timeout_ms"."""
        encoded = json.dumps(dict(config), ensure_ascii=False).encode()
        made = cls.__new__(cls)
        parsed = make(lib.tolmach_config_from_json, encoded, len(encoded))
        made._own(str(config["provider"]), parsed)
        return made

    def _own(self, provider: str, config: ctypes.c_void_p) -> None:
        try:
            made = make(lib.tolmach_client_new, config)
        finally:
            lib.tolmach_config_free(config)
        self._provider = provider
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._handle = Handle("client", made, lib.tolmach_client_free)
        net(self, self._handle.close)

    def ask(self, request: Union[Request, str]) -> Answer:
        """Asks, and waits for the whole answer. The request stays as it is:
        `request.reply(answer)` makes the answer its next message."""
        with self.stream(request) as session:
            return session.answer()

    async def ask_async(self, request: Union[Request, str]) -> Answer:
        """`ask()` for asyncio. Cancelling the task ends the request."""
        async with self.stream(request) as session:
            return await session.answer_async()

    @overload
    def ask_for(self, kind: type[T], request: Union[Request, str]) -> T: ...

    @overload
    def ask_for(self, kind: Any, request: Union[Request, str]) -> Any: ...

    def ask_for(self, kind: Any, request: Union[Request, str]) -> Any:
        """Asks for an answer of a type: a dataclass, TypedDict, pydantic model, or another
        type that JSON has, such as `list[str]`.

        An answer that does not fit is an AnswerFormatError, which has it. The request stays as
        it is. `Request.response_format()` and `Answer.parse()` do the two halves of this.
        """
        return self.ask(_asked(request).clone().response_format(kind)).parse(kind)

    @overload
    async def ask_for_async(self, kind: type[T], request: Union[Request, str]) -> T: ...

    @overload
    async def ask_for_async(self, kind: Any, request: Union[Request, str]) -> Any: ...

    async def ask_for_async(self, kind: Any, request: Union[Request, str]) -> Any:
        """`ask_for()` for asyncio."""
        answer = await self.ask_async(_asked(request).clone().response_format(kind))
        return answer.parse(kind)

    def run(
        self, request: Union[Request, str], tools: Iterable[AnyTool], max_rounds: int = 10
    ) -> Answer:
        """Asks, runs the tools that the model calls, tells it the results and asks again, until
        it answers without calling any: that answer.

        The request is left with the whole conversation. What goes wrong with a call, such as a
        tool that raises or arguments that do not fit, is told to the model. `max_rounds`: how
        often to ask; then a TooManyRoundsError has the last answer, and the request can be run
        again.
        """
        request, toolbox = _asked(request), Toolbox(tools, can_await=False)
        for is_last in _rounds(request, toolbox, max_rounds):
            with self.stream(request) as session:
                answer = session.answer()
                _check(answer, is_last, max_rounds)
                # Only then are they kept, so that the request can always be sent.
                results = toolbox.run(answer.tool_calls)
                _keep(request, session, answer, results)
            if not answer.tool_calls:
                break
        return answer

    async def run_async(
        self, request: Union[Request, str], tools: Iterable[AnyTool], max_rounds: int = 10
    ) -> Answer:
        """`run()` for asyncio: awaits tools that are async, and runs the others in threads; the
        calls of one answer all at once."""
        request, toolbox = _asked(request), Toolbox(tools, can_await=True)
        for is_last in _rounds(request, toolbox, max_rounds):
            async with self.stream(request) as session:
                answer = await session.answer_async()
                _check(answer, is_last, max_rounds)
                results = await toolbox.run_async(answer.tool_calls)
                _keep(request, session, answer, results)
            if not answer.tool_calls:
                break
        return answer

    def stream(self, request: Union[Request, str]) -> Session:
        """Asks, and returns at once: iterate over the session, with `for` or `async for`.

        A str is asked as a single user message. What fails on the way is raised there.
        """
        request = _asked(request)
        with self._handle as client, request._lock:
            return self._opened(make(lib.tolmach_session_open, client, request._pointer))

    def models(self, timeout: Optional[Duration] = None) -> list[Model]:
        """Asks for the models there are.

        `timeout`: for all of it, retries included; None leaves it to the client's settings.
        """
        with self.stream_models() as session:
            session._give_up_after(timeout)
            return [model_of(chunk) for chunk in session if chunk.kind == ChunkKind.MODEL]

    async def models_async(self) -> list[Model]:
        """`models()` for asyncio. Cancelling the task ends the request."""
        async with self.stream_models() as session:
            return [model_of(chunk) async for chunk in session if chunk.kind == ChunkKind.MODEL]

    def embed(
        self, texts: Union[Request, str, Iterable[str]], model: Optional[str] = None
    ) -> Embeddings:
        """The embeddings of texts: numbers that stand for their meanings.

        `texts`: one, several, or a Request with `input()`s, which may have fields such as
        "dimensions". `model`: None asks the client's.
        """
        with self.stream(_embedded(texts, model)) as session:
            return _embeddings(list(session))

    async def embed_async(
        self, texts: Union[Request, str, Iterable[str]], model: Optional[str] = None
    ) -> Embeddings:
        """`embed()` for asyncio."""
        async with self.stream(_embedded(texts, model)) as session:
            return _embeddings([chunk async for chunk in session])

    def stream_models(self) -> Session:
        """Asks for the models there are, and returns at once: a session with a chunk of the kind
        MODEL for each."""
        with self._handle as client:
            return self._opened(make(lib.tolmach_session_open_models, client))

    def raw(
        self, method: str, path: str, body: Body = None, content_type: Optional[str] = None
    ) -> bytes:
        """Makes an HTTP request of your own to the provider, with the client's credentials: for
        files, batches, moderation and whatever else there is no method for.

        `path`: below base_url, such as "/files?limit=10". `body`: bytes, text, or a dict or list
        that becomes JSON. `content_type`: None is "application/json". A status other than 2xx is
        an error, which has the body.
        """
        with self.stream_raw(method, path, body, content_type) as session:
            return b"".join(chunk.data or b"" for chunk in session)

    async def raw_async(
        self, method: str, path: str, body: Body = None, content_type: Optional[str] = None
    ) -> bytes:
        """`raw()` for asyncio."""
        async with self.stream_raw(method, path, body, content_type) as session:
            return b"".join([chunk.data or b"" async for chunk in session])

    def stream_raw(
        self, method: str, path: str, body: Body = None, content_type: Optional[str] = None
    ) -> Session:
        """`raw()` whose body comes as it arrives, in chunks of the kind BODY: returns at once."""
        if isinstance(body, str):
            body = body.encode()
        elif isinstance(body, (Mapping, list)):
            body = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        names = string(method), string(path), string(content_type)
        with self._handle as client:
            function, size = lib.tolmach_session_open_raw, len(body or b"")
            return self._opened(make(function, client, *names, body, size))

    def cancel_all(self) -> None:
        """Cancels every session of this client. The client stays usable. Any thread may."""
        with self._handle as client:
            lib.tolmach_client_cancel_all(client)
        # They have chunks that were polled before as well.
        for session in list(self._sessions):
            session.cancel()

    def _opened(self, pointer: ctypes.c_void_p) -> Session:
        session = Session(pointer)
        self._sessions.add(session)
        return session

    @property
    def closed(self) -> bool:
        """Whether the client was closed."""
        return self._handle.closed

    def close(self) -> None:
        """Lets its connections go; its sessions live on. Any thread may, more than once."""
        self._handle.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<tolmach.Client {self._provider!r}{state} at {id(self):#x}>"


def _asked(request: Union[Request, str]) -> Request:
    return Request().user(request) if isinstance(request, str) else request


def _embedded(texts: Union[Request, str, Iterable[str]], model: Optional[str]) -> Request:
    if isinstance(texts, Request):
        return texts if model is None else texts.clone().set("model", model)
    request = Request(model)
    for text in [texts] if isinstance(texts, str) else texts:
        request.input(text)
    if request.count == 0:
        raise ArgumentError("there are no texts to embed")
    return request


def _embeddings(chunks: list[Chunk]) -> Embeddings:
    usage = [chunk.usage for chunk in chunks if chunk.kind == ChunkKind.USAGE]
    start = [chunk.name for chunk in chunks if chunk.kind == ChunkKind.START]
    return Embeddings(
        vectors=tuple(vector_of(each) for each in chunks if each.kind == ChunkKind.EMBEDDING),
        usage=usage[-1] if usage else None,
        model=start[0] if start else "",
    )


def _rounds(request: Request, toolbox: Toolbox, max_rounds: int) -> Iterator[bool]:
    """The rounds to go, each with whether it is the last."""
    if max_rounds < 1:
        raise ArgumentError(f"max_rounds cannot be {max_rounds}: 1 is the least")
    for tool in toolbox.tools.values():
        request.tool(tool)
    for number in range(1, max_rounds + 1):
        yield number == max_rounds


def _check(answer: Answer, is_last: bool, max_rounds: int) -> None:
    if answer.finish_reason == "tool_calls" and not answer.tool_calls:
        raise AnswerFormatError(
            "the model calls tools with arguments that are not JSON", answer=answer
        )
    if is_last and answer.tool_calls:
        raise TooManyRoundsError(
            f"the model still calls tools after max_rounds ({max_rounds}) answers", answer=answer
        )


def _keep(request: Request, session: Session, answer: Answer, results: Iterable[str]) -> None:
    request.reply(session)
    for tool_call, result in zip(answer.tool_calls, results):
        request.tool_result(tool_call.id, result)
