"""What to ask."""

from __future__ import annotations

import ctypes
import json
import threading
from typing import TYPE_CHECKING, Any, Mapping, Optional, Union

from ._call import call, make, string
from ._handle import net
from ._native import lib

if TYPE_CHECKING:
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

    def _own(self, pointer: ctypes.c_void_p) -> None:
        self._pointer = pointer
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

    def __getstate__(self) -> tuple[str, dict[str, Any]]:
        of_subclasses = {**vars(self)}
        del of_subclasses["_pointer"], of_subclasses["_lock"]
        return self._json(), of_subclasses

    def __setstate__(self, state: tuple[str, dict[str, Any]]) -> None:
        request, of_subclasses = state
        self._own(_parse(request.encode()))
        vars(self).update(of_subclasses)

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

    def tool_result(self, call_id: str, text: str) -> Request:
        """Appends the result of the tool call with that id, as text or JSON."""
        encoded = str.encode(text)
        return self._do(
            lib.tolmach_request_tool_result, string(call_id), encoded, len(encoded)
        )

    def reply(self, session: Session) -> Request:
        """Appends what `session` has answered so far, tool calls included: the next turn.

        Nothing where there is nothing to send back. The session may be closed.
        """
        if session.closed:
            if not session.reply:
                return self
            messages = self.to_dict().get("messages", [])
            return self.set("messages", [*messages, session.reply])
        with session._handle as pointer:
            return self._do(lib.tolmach_request_reply, pointer)

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
