"""What to ask."""

from __future__ import annotations

import ctypes
import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _schema
from ._answer import Answer
from ._errors import ArgumentError
from ._call import call, make, string
from ._handle import net
from ._native import lib
from ._settings import Options, encoded
from ._tools import AnyTool, as_tool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._session import Session


class Request:
    """A conversation so far and how to answer it, in OpenAI's chat format.

    It is translated for every provider. Keep it and append to it: a session copies it when
    it is opened. Its methods return the request itself. It can be copied and pickled.
    """

    def __init__(self, model: Optional[str] = None) -> None:
        """Without messages. None asks the client's model, else the provider's default."""
        self._own(make(lib.tolmach_request_new, string(model)))

    @classmethod
    def from_dict(cls, request: Mapping[str, Any]) -> Request:
        """A whole request in OpenAI's chat format."""
        made = cls.__new__(cls)
        made._own(_parse(_encode(request)))
        return made

    def clone(self) -> Request:
        """A copy, with its options, that goes its own way."""
        with self._lock:
            pointer = make(lib.tolmach_request_clone, self._pointer)
        made = type(self).__new__(type(self))
        made._own(pointer)
        vars(made).update(self._of_subclasses())
        made._options.update(self._options)
        return made

    def _own(self, pointer: ctypes.c_void_p) -> None:
        self._pointer = pointer
        # As they were set, for copies: they are not part of the JSON.
        self._options: dict[str, Optional[str]] = {}
        self._lock = threading.RLock()
        net(self, lib.tolmach_request_free, pointer)

    def _json(self) -> str:
        with self._lock:
            return str(lib.tolmach_request_json(self._pointer))

    def to_dict(self) -> dict[str, Any]:
        """The request as it stands, in OpenAI's chat format."""
        decoded: dict[str, Any] = json.loads(self._json())
        return decoded

    # A copy, a deep one or a pickled one goes its own way: it is made anew of the JSON.

    def __getstate__(self) -> tuple[str, dict[str, Optional[str]], dict[str, Any]]:
        return self._json(), dict(self._options), self._of_subclasses()

    def __setstate__(
        self, state: tuple[str, dict[str, Optional[str]], dict[str, Any]]
    ) -> None:
        request, options, of_subclasses = state
        self._own(_parse(request.encode()))
        for key, value in options.items():
            self._option(key, value)
        vars(self).update(of_subclasses)

    def _of_subclasses(self) -> dict[str, Any]:
        own = ("_pointer", "_lock", "_options")
        return {name: value for name, value in vars(self).items() if name not in own}

    @property
    def count(self) -> int:
        """How many messages it has; or inputs, where it is for embeddings."""
        with self._lock:
            return int(lib.tolmach_request_count(self._pointer))

    def truncate(self, count: int) -> Request:
        """Removes the last messages, so that at most `count` remain: undoes a turn."""
        if count < 0:
            raise ArgumentError(f"a request cannot have {count} messages")
        return self._do(lib.tolmach_request_truncate, count)

    def message(self, role: str, text: str) -> Request:
        """Appends a message of "system", "developer", "user" or "assistant"."""
        encoded = str.encode(text)
        return self._do(lib.tolmach_request_message, string(role), encoded, len(encoded))

    def system(self, text: str) -> Request:
        """Appends a system message."""
        return self.message("system", text)

    def user(self, text: str) -> Request:
        """Appends a user message."""
        return self.message("user", text)

    def input(self, text: str) -> Request:
        """Adds a text whose embedding is asked for: see `Client.embed()`. A request with inputs
        has no messages."""
        encoded = str.encode(text)
        return self._do(lib.tolmach_request_input, encoded, len(encoded))

    def attach(
        self, data: Union[bytes, bytearray, memoryview], mime: Optional[str] = None
    ) -> Request:
        """Attaches an image, audio or PDF to the last user message.

        `mime` is its media type, such as "image/png"; None where the bytes tell it (JPEG,
        PNG, GIF, WebP, WAV, MP3, Ogg, FLAC, PDF).
        """
        file = data if isinstance(data, bytes) else memoryview(data).tobytes()
        return self._do(lib.tolmach_request_attach, file, len(file), string(mime))

    def attach_url(self, url: str) -> Request:
        """Attaches what an http, https or data URL points to. The provider fetches it, or the
        library where it does not ("gigachat") and the config's fetch_urls is "true"."""
        return self._do(lib.tolmach_request_attach_url, string(url))

    def tool(self, tool: AnyTool) -> Request:
        """Adds a tool that the model may call; one of the same name is replaced.

        `tool`: a function with annotations and a docstring, a dataclass or pydantic model, or
        a `Tool` made of one.
        """
        made = as_tool(tool)
        schema = _encode(made.schema)
        name, description = string(made.name), string(made.description or None)
        return self._do(lib.tolmach_request_tool, name, description, schema, len(schema))

    def tool_result(self, call_id: str, text: str) -> Request:
        """Appends the result of the tool call with that id, as text or JSON."""
        encoded = str.encode(text)
        return self._do(
            lib.tolmach_request_tool_result, string(call_id), encoded, len(encoded)
        )

    def reply(self, answered: Union[Session, Answer]) -> Request:
        """Appends an answer, or what a session has of it so far, tool calls included: the next
        turn.

        Nothing where there is nothing to send back. The session may be closed.
        """
        if isinstance(answered, Answer) or answered.closed:
            message = answered.message if isinstance(answered, Answer) else answered.reply
            if not message:
                return self
            messages = self.to_dict().get("messages", [])
            return self.set("messages", [*messages, message])
        with answered._handle as pointer:
            return self._do(lib.tolmach_request_reply, pointer)

    def response_format(self, kind: Any) -> Request:
        """Has the model answer in JSON that fits a type: `Answer.parse()` reads it.

        `kind`: a dataclass, TypedDict or pydantic model; or another type that JSON has, such
        as `list[str]`.
        """
        schema = _schema.schema_of(kind)
        schema = _schema.as_object(schema) or schema
        strict = _schema.strict(schema)
        format = {"name": _name(kind), "schema": strict or schema, "strict": strict is not None}
        return self.set("response_format", {"type": "json_schema", "json_schema": format})

    def options(self, **options: Unpack[Options]) -> Request:
        """Gives settings of the client another value for this request alone. They are never
        sent to the provider. None takes one back to the client's."""
        for key, value in encoded(options):
            self._option(key, value)
        return self

    def _option(self, key: str, value: Optional[str]) -> None:
        self._do(lib.tolmach_request_option, string(key), string(value))
        self._options[key] = value

    def set(self, name: str, value: object) -> Request:
        """Sets any field, such as "temperature" to 0.2 or "tools" to a list; None removes it."""
        encoded = _encode(value)
        return self._do(lib.tolmach_request_set, string(name), encoded, len(encoded))

    def _do(self, function: Any, *arguments: Any) -> Request:
        with self._lock:
            call(function, self._pointer, *arguments)
        return self

    def __repr__(self) -> str:
        return f"<tolmach.Request at {id(self):#x}>"


def _parse(request: bytes) -> ctypes.c_void_p:
    return make(lib.tolmach_request_from_json, request, len(request))


def _encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _name(kind: Any) -> str:
    """A name that providers take, by that of the type."""
    name = str(getattr(kind, "__name__", "answer"))
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)[:64]
