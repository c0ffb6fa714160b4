"""A provider ready to be asked."""

from __future__ import annotations

import asyncio
import json
import math
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Any, Optional, Union

from ._call import call, make, string
from ._errors import ArgumentError
from ._handle import Handle, Unique, net
from ._native import lib
from ._request import Request
from ._session import Session
from ._types import Model, copy_model

ConfigValue = Union[str, int, "os.PathLike[str]", Mapping[str, Any], Sequence[str], None]
"""A value of the config. True and False go as such, a mapping as JSON, a sequence with
commas between its members; None leaves the key at its default."""

# How long a wait may last that Ctrl-C does not interrupt: on Windows it waits for the end.
_UNINTERRUPTED = 0.1 if os.name == "nt" else None


class Client(Unique):
    """A provider bound to its config, with its open connections.

    Make one and share it: any number of threads and tasks may use it at once.
    """

    _instead = "share it between threads, and make one in each process"

    def __init__(self, provider: str, /, **config: ConfigValue) -> None:
        """Touches no network.

        `provider`: "openai", or another of `providers()`. `config`: `api_key`, `model`,
        `base_url`, `proxy`, `headers` and all the other keys of tolmach.h, under their own
        names and in their own units: what ends in `_ms` is in milliseconds, -1 for no limit.
        An unknown key or a wrong value is an ArgumentError that says what is right.
        """
        settings = make(lib.tolmach_config_new, string(provider))
        try:
            for key, value in config.items():
                call(lib.tolmach_config_set, settings, string(key), string(_encode(key, value)))
            made = make(lib.tolmach_client_new, settings)
        finally:
            lib.tolmach_config_free(settings)
        self._provider = provider
        self._handle = Handle("client", made, lib.tolmach_client_free)
        net(self, self._handle.close)

    def stream(self, request: Union[Request, str]) -> Session:
        """Asks, and returns at once: iterate over the session, with `for` or `async for`.

        A str is asked as a single user message. What fails on the way is raised there.
        """
        if isinstance(request, str):
            request = Request().user(request)
        with self._handle as client, request._lock:
            return Session(make(lib.tolmach_session_open, client, request._pointer))

    def models(self, timeout: Optional[float] = None) -> list[Model]:
        """Asks for the models there are.

        `timeout`: seconds for all of it, retries included; None leaves it to the config.
        """
        models = self._ask_for_models(timeout)
        while not wait([models], _UNINTERRUPTED).done:
            pass
        return models.result()

    async def amodels(self, timeout: Optional[float] = None) -> list[Model]:
        """`models()` for asyncio."""
        return await asyncio.wrap_future(self._ask_for_models(timeout))

    def _ask_for_models(self, timeout: Optional[float]) -> Future[list[Model]]:
        """Asks on a thread: the C function blocks, and nothing cancels it.

        Whoever waits may leave at any time, Ctrl-C included. The thread is a daemon, and none
        of an executor's, so that neither the loop nor the interpreter waits for it at the end.
        """
        if timeout is not None and timeout < 0:
            raise ArgumentError(f"a timeout of {timeout} seconds: it cannot be negative")
        timeout_ms = -1 if timeout is None else math.ceil(timeout * 1000)
        models: Future[list[Model]] = Future()
        models.set_running_or_notify_cancel()

        def work() -> None:
            try:
                found = self._list_models(timeout_ms)
            except BaseException as error:
                models.set_exception(error)
            else:
                models.set_result(found)

        threading.Thread(target=work, name="tolmach-models", daemon=True).start()
        return models

    def _list_models(self, timeout_ms: int) -> list[Model]:
        with self._handle as client:
            found = make(lib.tolmach_client_models, client, timeout_ms)
        try:
            count = range(lib.tolmach_models_count(found))
            return [copy_model(lib.tolmach_models_get(found, index).contents) for index in count]
        finally:
            lib.tolmach_models_free(found)

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


def _encode(key: str, value: ConfigValue) -> Optional[str]:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False)
    if isinstance(value, Sequence):
        return ",".join(value)
    raise TypeError(f"{key} cannot be a {type(value).__name__}")
