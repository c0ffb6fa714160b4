"""Talk to any language model.

    import tolmach

    with tolmach.Client("openai") as client:
        print(client.ask("Why is the sky blue?").text)
        with client.stream("Why is the sky blue?") as stream:
            for chunk in stream:
                if chunk.kind == tolmach.ChunkKind.TEXT:
                    print(chunk.text, end="", flush=True)
"""

from ._answer import Answer, Audio, Image, Source, ToolCall
from ._client import Client
from ._errors import (
    AnswerFormatError,
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
    TooManyRoundsError,
    TruncatedError,
    UnsupportedError,
)
from ._log import log_to
from ._native import lib as _lib
from ._request import Request
from ._session import Session, wait
from ._settings import ConfigKey, Duration, KeyKind, Options, Settings, config_keys
from ._tools import AnyTool, Tool
from ._types import (
    Capability,
    Chunk,
    ChunkKind,
    Details,
    Embeddings,
    Model,
    Provider,
    RateLimit,
    SessionInfo,
    Usage,
    providers,
)

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "AnswerFormatError",
    "AnyTool",
    "ArgumentError",
    "Audio",
    "AuthError",
    "BadRequestError",
    "BlockedError",
    "BusyError",
    "Capability",
    "Chunk",
    "ChunkKind",
    "Client",
    "ConfigKey",
    "ConnectError",
    "ContextLengthError",
    "Details",
    "DnsError",
    "Duration",
    "Embeddings",
    "Image",
    "InternalError",
    "KeyKind",
    "Model",
    "NoMemoryError",
    "NotFoundError",
    "Options",
    "ProtocolError",
    "Provider",
    "ProviderError",
    "QuotaError",
    "RateLimit",
    "RateLimitedError",
    "Request",
    "ServerError",
    "Session",
    "SessionCancelledError",
    "SessionInfo",
    "Settings",
    "Source",
    "TimedOutError",
    "TlsError",
    "TolmachError",
    "TooLargeError",
    "TooManyRoundsError",
    "Tool",
    "ToolCall",
    "TruncatedError",
    "UnsupportedError",
    "Usage",
    "config_keys",
    "log_to",
    "providers",
    "version",
    "wait",
]


def version() -> str:
    """The version of the shared library that runs, such as "0.1.0"."""
    running: bytes = _lib.tolmach_version()
    return running.decode()
