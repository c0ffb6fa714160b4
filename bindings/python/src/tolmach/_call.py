"""Calls into the library: what goes in, and what is raised."""

from __future__ import annotations

import ctypes
from typing import Any, Optional

from ._errors import ArgumentError, TolmachError
from ._native import lib

_CLASSES: dict[int, type[TolmachError]] = {
    known.status: known for known in TolmachError.__subclasses__()
}


def call(function: Any, *arguments: Any) -> int:
    """Calls a function that can fail, whose last argument receives the error."""
    error = ctypes.c_void_p()
    status: int = function(*arguments, ctypes.byref(error))
    if status < 0:
        try:
            raise _exception(status, error)
        finally:
            lib.tolmach_error_free(error)
    return status


def make(function: Any, *arguments: Any) -> ctypes.c_void_p:
    """Calls a function that makes an object, which it gives through its last but one."""
    made = ctypes.c_void_p()
    call(function, *arguments, ctypes.byref(made))
    return made


def string(value: Optional[str]) -> Optional[bytes]:
    """A name, key or URL for C, where it ends at its first NUL."""
    if value is None:
        return None
    encoded = str.encode(value)
    if b"\0" in encoded:
        raise ArgumentError("names, keys and URLs cannot have a NUL character in them")
    return encoded


def _exception(status: int, error: ctypes.c_void_p) -> TolmachError:
    retry_after: int = lib.tolmach_error_retry_after_ms(error)
    return _CLASSES.get(status, TolmachError)(
        str(lib.tolmach_error_message(error)),
        status=status,
        http_status=lib.tolmach_error_http_status(error) or None,
        retry_after=None if retry_after < 0 else retry_after / 1000,
        provider_code=str(lib.tolmach_error_provider_code(error)) or None,
        request_id=str(lib.tolmach_error_request_id(error)) or None,
        body=str(lib.tolmach_error_body(error)) or None,
    )
