"""An exception class for each status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ._native import lib

if TYPE_CHECKING:
    from ._answer import Answer


class TolmachError(Exception):
    """Something that tolmach was asked for failed; a subclass says what.

    An error that is this class itself has a status that this version does not know.
    """

    status: int = 0
    """The status of the C library, such as -10."""
    http_status: Optional[int]
    """The HTTP status of the provider's answer, such as 429; None when there was none."""
    retry_after: Optional[float]
    """Seconds that the provider asks to wait before the next try; None when it did not say."""
    provider_code: Optional[str]
    """The provider's own code or type for the error, such as "model_not_found"."""
    request_id: Optional[str]
    """The provider's id of the failed request: what its support asks for."""
    body: Optional[str]
    """The body of the provider's answer, or the event, that the error came in."""

    def __init__(
        self,
        message: str = "",
        *,
        status: Optional[int] = None,
        http_status: Optional[int] = None,
        retry_after: Optional[float] = None,
        provider_code: Optional[str] = None,
        request_id: Optional[str] = None,
        body: Optional[str] = None,
    ) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status
        self.http_status = http_status
        self.retry_after = retry_after
        self.provider_code = provider_code
        self.request_id = request_id
        self.body = body

    @property
    def is_transient(self) -> bool:
        """Whether the same call may succeed later."""
        return bool(lib.tolmach_status_is_transient(self.status))

    @property
    def status_name(self) -> str:
        """The name of the status, such as "TOLMACH_E_TIMEOUT"."""
        name: bytes = lib.tolmach_status_name(self.status)
        return name.decode()


class ArgumentError(TolmachError, ValueError):
    """An unknown key or provider, bad JSON, use after close. Mend the program."""

    status = -1


class BusyError(TolmachError):
    """Another thread or task is waiting for this session's next chunk. Mend the program."""

    status = -2


class SessionCancelledError(TolmachError):
    """The session was cancelled or closed. You asked for it."""

    status = -3


class TimedOutError(TolmachError, TimeoutError):
    """A deadline passed: connect, first byte, idle or total; the message says which."""

    status = -4


class DnsError(TolmachError, ConnectionError):
    """The host's name could not be resolved."""

    status = -5


class ConnectError(TolmachError, ConnectionError):
    """Refused, reset, unreachable, or the proxy would not."""

    status = -6


class TlsError(TolmachError, ConnectionError):
    """The TLS handshake or a certificate failed."""

    status = -7


class AuthError(TolmachError):
    """Missing or rejected credentials (HTTP 401, 403)."""

    status = -8


class QuotaError(TolmachError):
    """Payment required or quota spent (HTTP 402, insufficient_quota)."""

    status = -9


class RateLimitedError(TolmachError):
    """Too many requests (HTTP 429); retry_after may say when to return."""

    status = -10


class BadRequestError(TolmachError):
    """The provider says that the request is wrong (HTTP 400, 413, 422)."""

    status = -11


class NotFoundError(TolmachError):
    """No such model or endpoint (HTTP 404)."""

    status = -12


class ContextLengthError(TolmachError):
    """The prompt does not fit the model's context."""

    status = -13


class BlockedError(TolmachError):
    """Content policy, or a bot-protection page."""

    status = -14


class ServerError(TolmachError):
    """The provider failed or is overloaded (HTTP 5xx)."""

    status = -15


class ProviderError(TolmachError):
    """An error of the provider's that fits no class above."""

    status = -16


class ProtocolError(TolmachError):
    """Not the protocol expected: a web page, bad JSON, a redirect."""

    status = -17


class TruncatedError(TolmachError):
    """The answer stopped before its end."""

    status = -18


class TooLargeError(TolmachError):
    """A configured limit was exceeded; the message names it."""

    status = -19


class UnsupportedError(TolmachError):
    """The provider, or this build, cannot do that."""

    status = -20


class InternalError(TolmachError):
    """A bug in the library: please report it."""

    status = -21


class NoMemoryError(TolmachError, MemoryError):
    """The system has no more memory, threads or file descriptors."""

    status = -22


class AnswerFormatError(ProtocolError):
    """The model's answer is not of the type that was asked for."""

    answer: Optional[Answer]
    """The answer; its text is what does not fit."""

    def __init__(self, message: str = "", *, answer: Optional[Answer] = None) -> None:
        super().__init__(message)
        self.answer = answer


class TooManyRoundsError(TooLargeError):
    """After `max_rounds` answers the model still calls tools."""

    answer: Optional[Answer]
    """The last answer, whose calls were not run."""

    def __init__(self, message: str = "", *, answer: Optional[Answer] = None) -> None:
        super().__init__(message)
        self.answer = answer
