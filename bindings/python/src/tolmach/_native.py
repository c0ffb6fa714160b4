"""tolmach.h for ctypes: the shared library, its structs and functions."""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

OK, END, PENDING = 0, 1, 2

# The ABI that this binding is written for; later ones have all of it.
_ABI = 1


class Str(ctypes.Structure):
    # Not c_char_p: ctypes would cut it at its first NUL.
    _fields_ = [("ptr", c_void_p), ("len", c_size_t)]

    def __str__(self) -> str:
        return ctypes.string_at(self.ptr, self.len).decode() if self.len else ""


class Provider(ctypes.Structure):
    _fields_ = [
        ("name", Str),
        ("label", Str),
        ("url", Str),
        ("base_url", Str),
        ("default_model", Str),
        ("api_key_env", Str),
        ("capabilities", c_int32),
    ]


class Usage(ctypes.Structure):
    _fields_ = [
        ("input", c_int64),
        ("output", c_int64),
        ("total", c_int64),
        ("cached_input", c_int64),
        ("reasoning", c_int64),
        ("cache_write", c_int64),
    ]


class Chunk(ctypes.Structure):
    _fields_ = [
        ("kind", c_int32),
        ("choice", c_int32),
        ("index", c_int32),
        ("flags", c_int32),
        ("text", Str),
        ("id", Str),
        ("name", Str),
        ("mime", Str),
        ("bytes", c_void_p),
        ("bytes_len", c_size_t),
        ("usage", Usage),
    ]


class Batch(ctypes.Structure):
    _fields_ = [
        ("chunks", c_void_p),
        ("count", c_size_t),
        ("chunk_size", c_size_t),
        ("memory", Str),
    ]


class ConfigKey(ctypes.Structure):
    _fields_ = [
        ("name", Str),
        ("default_value", Str),
        ("choices", Str),
        ("help", Str),
        ("kind", c_int32),
        ("is_option", c_int32),
    ]


class RateLimit(ctypes.Structure):
    _fields_ = [("limit", c_int64), ("remaining", c_int64), ("reset_ms", c_int64)]


class SessionInfo(ctypes.Structure):
    _fields_ = [
        ("id", c_uint64),
        ("attempts", c_int64),
        ("changed", Str),
        ("request_id", Str),
        ("model", Str),
        ("provider", Str),
        ("http_status", c_int32),
        ("connection_reused", c_int32),
        ("resolved", c_int64),
        ("connected", c_int64),
        ("tls_done", c_int64),
        ("sent", c_int64),
        ("headers", c_int64),
        ("first_chunk", c_int64),
        ("ended", c_int64),
        ("longest_gap", c_int64),
        ("requests", RateLimit),
        ("tokens", RateLimit),
    ]


LogFn = ctypes.CFUNCTYPE(None, c_void_p, c_int32, c_uint64, c_char_p, c_size_t)
ReadyFn = ctypes.CFUNCTYPE(None, c_void_p)
ReleaseFn = ctypes.CFUNCTYPE(None, c_void_p)

_error = POINTER(c_void_p)
_out = POINTER(c_void_p)

_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "tolmach_status_name": (c_char_p, [c_int32]),
    "tolmach_status_is_transient": (c_int32, [c_int32]),
    "tolmach_version": (c_char_p, []),
    "tolmach_abi_version": (c_uint32, []),
    "tolmach_log_set": (None, [LogFn, c_void_p, ReleaseFn, c_int32]),
    "tolmach_error_message": (Str, [c_void_p]),
    "tolmach_error_http_status": (c_int32, [c_void_p]),
    "tolmach_error_retry_after_ms": (c_int64, [c_void_p]),
    "tolmach_error_provider_code": (Str, [c_void_p]),
    "tolmach_error_request_id": (Str, [c_void_p]),
    "tolmach_error_body": (Str, [c_void_p]),
    "tolmach_error_free": (None, [c_void_p]),
    "tolmach_provider_count": (c_size_t, []),
    "tolmach_provider_get": (POINTER(Provider), [c_size_t]),
    "tolmach_config_new": (c_int32, [c_char_p, _out, _error]),
    "tolmach_config_from_json": (c_int32, [c_char_p, c_size_t, _out, _error]),
    "tolmach_config_key_count": (c_size_t, [c_void_p]),
    "tolmach_config_key_get": (POINTER(ConfigKey), [c_void_p, c_size_t]),
    "tolmach_config_set": (c_int32, [c_void_p, c_char_p, c_char_p, _error]),
    "tolmach_config_free": (None, [c_void_p]),
    "tolmach_client_new": (c_int32, [c_void_p, _out, _error]),
    "tolmach_client_cancel_all": (None, [c_void_p]),
    "tolmach_client_free": (None, [c_void_p]),
    "tolmach_request_new": (c_int32, [c_char_p, _out, _error]),
    "tolmach_request_from_json": (c_int32, [c_char_p, c_size_t, _out, _error]),
    "tolmach_request_clone": (c_int32, [c_void_p, _out, _error]),
    "tolmach_request_count": (c_size_t, [c_void_p]),
    "tolmach_request_truncate": (c_int32, [c_void_p, c_size_t, _error]),
    "tolmach_request_message": (c_int32, [c_void_p, c_char_p, c_char_p, c_size_t, _error]),
    "tolmach_request_input": (c_int32, [c_void_p, c_char_p, c_size_t, _error]),
    "tolmach_request_attach": (c_int32, [c_void_p, c_char_p, c_size_t, c_char_p, _error]),
    "tolmach_request_attach_url": (c_int32, [c_void_p, c_char_p, _error]),
    "tolmach_request_tool": (
        c_int32, [c_void_p, c_char_p, c_char_p, c_char_p, c_size_t, _error],
    ),
    "tolmach_request_option": (c_int32, [c_void_p, c_char_p, c_char_p, _error]),
    "tolmach_request_tool_result": (c_int32, [c_void_p, c_char_p, c_char_p, c_size_t, _error]),
    "tolmach_request_set": (c_int32, [c_void_p, c_char_p, c_char_p, c_size_t, _error]),
    "tolmach_request_json": (Str, [c_void_p]),
    "tolmach_request_reply": (c_int32, [c_void_p, c_void_p, _error]),
    "tolmach_request_free": (None, [c_void_p]),
    "tolmach_session_open": (c_int32, [c_void_p, c_void_p, _out, _error]),
    "tolmach_session_open_models": (c_int32, [c_void_p, _out, _error]),
    "tolmach_session_open_raw": (
        c_int32, [c_void_p, c_char_p, c_char_p, c_char_p, c_char_p, c_size_t, _out, _error],
    ),
    "tolmach_session_poll_many": (
        c_int32, [c_void_p, c_int64, POINTER(POINTER(Batch)), _error],
    ),
    "tolmach_session_cancel": (None, [c_void_p]),
    "tolmach_session_fd": (c_int32, [c_void_p]),
    "tolmach_session_on_ready": (c_int32, [c_void_p, ReadyFn, c_void_p, ReleaseFn, _error]),
    "tolmach_session_reply": (Str, [c_void_p]),
    "tolmach_session_info_get": (POINTER(SessionInfo), [c_void_p]),
    "tolmach_session_header": (Str, [c_void_p, c_char_p]),
    "tolmach_sessions_wait": (
        c_int32, [POINTER(c_void_p), c_size_t, c_int64, POINTER(c_size_t), _error],
    ),
    "tolmach_session_free": (None, [c_void_p]),
}


def _load() -> Any:
    file, system = {
        "darwin": ("libtolmach.dylib", "libtolmach.0.dylib"),
        "win32": ("tolmach.dll", "tolmach.dll"),
    }.get(sys.platform, ("libtolmach.so", "libtolmach.so.0"))
    own = Path(__file__).with_name(file)
    name = str(own) if own.exists() else system
    try:
        # CDLL, not PyDLL: calls leave the interpreter to others, so that a log line or a
        # wake-up from one of the library's threads never waits for a call that waits for it.
        library = ctypes.CDLL(name)
        version = library.tolmach_abi_version()
    except (OSError, AttributeError) as error:
        raise ImportError(f"tolmach's shared library cannot be loaded: {error}") from error
    if version < _ABI:
        raise ImportError(f"{name} has the ABI version {version}; this package needs {_ABI}")
    for function, (result, arguments) in _FUNCTIONS.items():
        prototype = getattr(library, function)
        prototype.restype, prototype.argtypes = result, arguments
    return library


lib: Any = _load()
