"""The library's log, as records of the logging module."""

from __future__ import annotations

import atexit
import logging
import time
from typing import Optional

from . import _native

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: 5}

_logger: Optional[logging.Logger] = None


def log_to(logger: Optional[logging.Logger]) -> None:
    """Sends the library's log lines to `logger`, for the whole process; None stops them.

    Lines below the level that the logger has now are not made. Records come from any thread.
    They never show a credential, a header or a prompt. Their attribute `session` is the number of
    the session that a line belongs to, or 0.
    """
    global _logger
    _logger = logger
    if logger is None:
        _native.lib.tolmach_log_set(_native.LogFn(), None, _native.ReleaseFn(), 0)
        return
    made = [level for level, record in _LEVELS.items() if logger.isEnabledFor(record)]
    _native.lib.tolmach_log_set(_on_line, None, _native.ReleaseFn(), max(made, default=0))
    atexit.unregister(_stop_at_exit)
    atexit.register(_stop_at_exit)


def _record(_: object, level: int, session: int, message: bytes, length: int) -> None:
    if _logger is not None:
        line = message[:length].decode(errors="replace")
        _logger.log(_LEVELS.get(level, logging.DEBUG), "%s", line, extra={"session": session})


# The library gets this one function, once and for all: a line under way when the logger is
# replaced still finds it.
_on_line = _native.LogFn(_record)


def _stop_at_exit() -> None:
    log_to(None)
    # No thread may come in when the interpreter is gone. One that had begun a line is given
    # the time to end it; nothing tells when it has.
    time.sleep(0.05)
