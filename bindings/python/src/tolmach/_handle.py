"""A C object that is freed once: not while somebody uses it, and by its own process."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from types import TracebackType
from typing import Any, Callable, NoReturn, Optional

from ._errors import ArgumentError, TolmachError


class Unique:
    """What there is once: copies would share, and free, the one C object."""

    _instead = "share it"

    def __reduce__(self) -> NoReturn:
        name = f"tolmach.{type(self).__name__}"
        raise TypeError(f"a {name} can be neither copied nor pickled: {self._instead}")


class Handle(Unique):
    """Owns a C object. `with handle as pointer` uses it, in any thread, several at once.

    Closing bars new uses, and the last one under way frees the object.
    """

    def __init__(
        self,
        what: str,
        pointer: ctypes.c_void_p,
        free: Callable[[ctypes.c_void_p], object],
        closed_error: type[TolmachError] = ArgumentError,
    ) -> None:
        self._what, self._free, self._closed_error = what, free, closed_error
        self._pointer: Optional[ctypes.c_void_p] = pointer
        self._users = 0
        self._closed = False
        self._process = os.getpid()
        # A signal's handler may come here while its own thread is here already.
        self._lock = threading.RLock()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def inherited(self) -> bool:
        """Whether this process is a fork of the one that made the object."""
        return self._process != os.getpid()

    def __enter__(self) -> ctypes.c_void_p:
        if self.inherited:
            # Its threads did not come along; and its locks may be held for ever.
            raise ArgumentError(f"the {self._what} was made before a fork: make one in the child")
        with self._lock:
            self._users += 1
            # Asked after that, so that a handler's close in between does not free.
            pointer = None if self._closed else self._pointer
        if pointer is None:
            self._leave()
            raise self._closed_error(f"the {self._what} is closed")
        return pointer

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._leave()

    def close(self) -> None:
        if self.inherited:
            return
        with self._lock:
            self._closed = True
            self._users += 1
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            pointer = self._pointer if self._closed and self._users == 0 else None
            if pointer is not None:
                self._pointer = None
        if pointer is not None:
            self._free(pointer)


def net(owner: object, free: Callable[..., object], *arguments: Any) -> None:
    """Has `free` called when the collector takes `owner`.

    Not at the interpreter's exit: a daemon thread may still be at it, and the process takes
    all with it.
    """
    finalizer = weakref.finalize(owner, free, *arguments)
    setattr(finalizer, "atexit", False)  # Not all type stubs know that it can be set.
