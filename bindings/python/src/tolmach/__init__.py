"""Talk to any language model.

    import tolmach

    with tolmach.Client("openai") as client:
        with client.stream("Why is the sky blue?") as stream:
            for chunk in stream:
                if chunk.kind == tolmach.ChunkKind.TEXT:
                    print(chunk.text, end="", flush=True)
"""

from ._client import Client, ConfigValue
from ._errors import (
    ArgumentError,
    AuthError,
    BadRequestError,
    BlockedError,
    BusyError,
    ConnectError,
    ContextLengthError,
    DnsError,
    InternalError,
    NoMemoryError,
    NotFoundError,
    ProtocolError,
    ProviderError,
    QuotaError,
    RateLimitedError,
    ServerError,
    SessionCancelledError,
    TimedOutError,
    TlsError,
    TolmachError,
    TooLargeError,
    TruncatedError,
    UnsupportedError,
)
from ._log import log_to
from ._native import lib as _lib
from ._request import Request
from ._session import Session
from ._types import Capability, Chunk, ChunkKind, Model, Provider, Usage, providers

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "AuthError",
    "BadRequestError",
    "BlockedError",
    "BusyError",
    "Capability",
    "Chunk",
    "ChunkKind",
    "Client",
    "ConfigValue",
    "ConnectError",
    "ContextLengthError",
    "DnsError",
    "InternalError",
    "Model",
    "NoMemoryError",
    "NotFoundError",
    "ProtocolError",
    "Provider",
    "ProviderError",
    "QuotaError",
    "RateLimitedError",
    "Request",
    "ServerError",
    "Session",
    "SessionCancelledError",
    "TimedOutError",
    "TlsError",
    "TolmachError",
    "TooLargeError",
    "TruncatedError",
    "UnsupportedError",
    "Usage",
    "log_to",
    "providers",
    "version",
]


def version() -> str:
    """The version of the shared library that runs, such as "0.1.0"."""
    running: bytes = _lib.tolmach_version()
    return running.decode()
