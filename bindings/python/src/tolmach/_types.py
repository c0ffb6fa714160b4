"""What the library tells: chunks, models, providers."""

from __future__ import annotations

import array
import ctypes
import enum
import functools
import json
import sys
from dataclasses import dataclass, fields
from itertools import repeat
from typing import Any, Optional

from . import _native

SLOTS: dict[str, bool] = {"slots": True} if sys.version_info >= (3, 10) else {}


class ChunkKind(enum.IntEnum):
    """What a chunk carries. The set is open: skip the kinds you do not know."""

    START = 1
    """The answer begins. text: its id; name: the model that answers."""
    TEXT = 2
    """A piece of the answer's text."""
    REASONING = 3
    """A piece of the model's reasoning. name: the field of the protocol that it came in."""
    REFUSAL = 4
    """A piece of a refusal."""
    TOOL_CALL = 5
    """A piece of a tool call. id and name on the call's first piece; text: a piece of its
    arguments, which are JSON once the answer has finished; index: which call."""
    IMAGE = 6
    """An image in data, or text: its URL; name: the prompt as the provider revised it."""
    AUDIO = 7
    """A piece of audio in data; text: its transcript."""
    SOURCE = 8
    """A source. text: its URL; name: its title."""
    PROGRESS = 9
    """What the provider says it is doing."""
    USAGE = 10
    """Token counts, in usage."""
    FINISH = 11
    """The end of a choice. text: stop, length, tool_calls, content_filter, or another word
    of the provider's; name: as the provider put it."""
    RAW = 12
    """With the config's raw_chunks alone: text is the undecoded event."""
    STATE = 13
    """Opaque state of the provider's, as JSON in text. The reply has it already."""
    LOGPROBS = 14
    """How likely the tokens of the answer were, as JSON in text."""
    MODEL = 15
    """A model that the provider lists. id: the name to ask for it by; name: who made or serves
    it; text: the provider's whole entry; usage.total: tokens that fit its context; flags: what
    it can do, as a Capability."""
    EMBEDDING = 16
    """An embedding. index: of which input; data: its numbers, as floats of 32 bits in
    little-endian order. `Client.embed()` gives them as arrays."""
    RETRY = 17
    """With the setting retry_chunks alone: a try has failed, and another follows after a wait.
    text: the error; index: the number of the try that follows; name: the wait's milliseconds."""
    BODY = 18
    """A piece of the body of `Client.stream_raw()`, in data; mime: its Content-Type."""

    @classmethod
    def _missing_(cls, value: object) -> Optional[ChunkKind]:
        if not isinstance(value, int):
            return None
        unknown = int.__new__(cls, value)
        unknown._name_, unknown._value_ = f"UNKNOWN_{value}", value
        return unknown


class Capability(enum.IntFlag):
    """What a provider or a model can do. The set is open: ignore the bits you do not know."""

    STREAM = 1
    """Answers arrive as they are written."""
    HISTORY = 2
    """Takes a conversation; otherwise it is folded into one prompt."""
    SYSTEM = 4
    """Takes system messages."""
    TOOLS = 8
    """Calls tools."""
    VISION = 16
    """Reads images."""
    IMAGES = 32
    """Makes images."""
    LIST_MODELS = 64
    """Lists its models."""
    NEEDS_AUTH = 128
    """Wants credentials."""
    WORKING = 256
    """The service is believed to be up."""


@dataclass(frozen=True, **SLOTS)
class Usage:
    """Token counts; None where the provider did not say."""

    input: Optional[int] = None
    """Of the prompt, cached ones included."""
    output: Optional[int] = None
    """Of the answer, reasoning included."""
    total: Optional[int] = None
    """In all."""
    cached_input: Optional[int] = None
    """Of the prompt, from a cache."""
    reasoning: Optional[int] = None
    """Of the answer, spent on reasoning."""
    cache_write: Optional[int] = None
    """Of the prompt, written to a cache."""


@dataclass(frozen=True, **SLOTS)
class Details:
    """What few chunks have."""

    id: str = ""
    """The id of a tool call, or of a model."""
    name: str = ""
    """A name; of what, the kind says."""
    data: Optional[bytes] = None
    """An image or audio."""
    mime: str = ""
    """The media type of data."""
    usage: Optional[Usage] = None
    """Token counts, of the kinds USAGE and MODEL."""
    choice: int = 0
    """Which of n answers it belongs to."""
    index: int = 0
    """Which tool call, image, ... of that answer."""
    flags: int = 0
    """Of the kind MODEL: what it can do."""


_NONE = Details()


class Chunk:
    """One piece of an answer. It is a copy: keep it as long as you like."""

    # There are many of them: what few of them have is an object of its own.
    __slots__ = ("kind", "text", "details")

    kind: ChunkKind
    """What it carries."""
    text: str
    """Text, always in whole characters."""
    details: Details
    """All the rest, which the chunk has as attributes of its own as well."""

    def __init__(self, kind: ChunkKind, text: str = "", details: Details = _NONE) -> None:
        self.kind = kind
        self.text = text
        self.details = details

    @property
    def id(self) -> str:
        """The id of a tool call, or of a model."""
        return self.details.id

    @property
    def name(self) -> str:
        """A name; of what, the kind says."""
        return self.details.name

    @property
    def data(self) -> Optional[bytes]:
        """An image or audio."""
        return self.details.data

    @property
    def mime(self) -> str:
        """The media type of data."""
        return self.details.mime

    @property
    def usage(self) -> Optional[Usage]:
        """Token counts, of the kinds USAGE and MODEL."""
        return self.details.usage

    @property
    def choice(self) -> int:
        """Which of n answers it belongs to."""
        return self.details.choice

    @property
    def index(self) -> int:
        """Which tool call, image, ... of that answer."""
        return self.details.index

    @property
    def flags(self) -> int:
        """Of the kind MODEL: what it can do."""
        return self.details.flags

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Chunk):
            return NotImplemented
        return self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash(self.__reduce__())

    def __reduce__(self) -> tuple[type[Chunk], tuple[ChunkKind, str, Details]]:
        return Chunk, (self.kind, self.text, self.details)

    def __repr__(self) -> str:
        values = ((each.name, getattr(self.details, each.name)) for each in fields(Details))
        given = [f"{name}={value!r}" for name, value in values if value]
        return f"Chunk({', '.join([f'{self.kind!r}', f'{self.text!r}', *given])})"


@dataclass(frozen=True, **SLOTS)
class Model:
    """A model that a provider lists."""

    id: str
    """The name to ask for it by."""
    owner: str = ""
    """Who made or serves it; empty when not said."""
    context_length: Optional[int] = None
    """Tokens that fit its context; None when not said."""
    capabilities: Capability = Capability(0)
    """What the entry says it can do."""
    json: str = ""
    """The provider's whole entry."""


@dataclass(frozen=True, **SLOTS)
class Embeddings:
    """The embeddings of some texts."""

    vectors: tuple[array.array[float], ...]
    """One for each text, in the order of the texts."""
    usage: Optional[Usage] = None
    """Token counts."""
    model: str = ""
    """The model that made them."""


@dataclass(frozen=True, **SLOTS)
class RateLimit:
    """A limit of the provider's on requests or tokens; None where it did not say."""

    limit: Optional[int] = None
    """How many are allowed in a period."""
    remaining: Optional[int] = None
    """How many of them are left."""
    reset: Optional[float] = None
    """In how many seconds the period ends, from when the response arrived."""


@dataclass(frozen=True, **SLOTS)
class SessionInfo:
    """What is known of a session beside its answer.

    The times are seconds since the session was opened; None where it has not come to that, or
    skipped it, as a request over a connection that was there before skips connecting.
    """

    id: int
    """Its number in the library's log."""
    attempts: int
    """How often the request was tried: more than 1 after retries."""
    changed: tuple[dict[str, Any], ...]
    """The parameters of the request that were changed to suit the provider: "field" and
    "change" of each."""
    request_id: str
    """The provider's id of the latest request, for its support; empty where it gave none."""
    model: str
    """The model that answers; empty while that is not known."""
    provider: str
    """The provider, as in `providers()`."""
    http_status: Optional[int]
    """The status of the latest response, such as 200; None before it."""
    connection_reused: bool
    """Whether the request went over a connection that an earlier one had left open."""
    resolved: Optional[float]
    """When the address of the server, or of the proxy, was known."""
    connected: Optional[float]
    """When there was a connection."""
    tls_done: Optional[float]
    """When it was encrypted."""
    sent: Optional[float]
    """When the request had been sent."""
    headers: Optional[float]
    """When the headers of the response had arrived."""
    first_chunk: Optional[float]
    """When the first chunk was there."""
    ended: Optional[float]
    """When the answer was complete, or had failed."""
    longest_gap: Optional[float]
    """The longest time between two arrivals of data of the answer."""
    requests: RateLimit
    """The provider's limit on requests."""
    tokens: RateLimit
    """The provider's limit on tokens."""


@dataclass(frozen=True, **SLOTS)
class Provider:
    """A provider that the library can talk to."""

    name: str
    """The name to make a client by: "openai", "gigachat", ..."""
    label: str
    """Its name for people."""
    url: str
    """Its site."""
    base_url: str
    """Where its API is, unless the config's base_url says otherwise."""
    default_model: str
    """The model asked when nobody names one; empty: name one."""
    api_key_env: str
    """The environment variable where its key is usually kept; empty: none."""
    capabilities: Capability
    """What it can do."""


def providers() -> list[Provider]:
    """The providers that this build can talk to."""
    lib = _native.lib
    entries = (lib.tolmach_provider_get(i).contents for i in range(lib.tolmach_provider_count()))
    return [
        Provider(
            name=str(entry.name),
            label=str(entry.label),
            url=str(entry.url),
            base_url=str(entry.base_url),
            default_model=str(entry.default_model),
            api_key_env=str(entry.api_key_env),
            capabilities=Capability(entry.capabilities),
        )
        for entry in entries
    ]


_WITH_USAGE = (ChunkKind.USAGE, ChunkKind.MODEL)


class _Kinds(dict[int, ChunkKind]):
    def __missing__(self, kind: int) -> ChunkKind:
        return ChunkKind(kind)


_kind_of = _Kinds((kind.value, kind) for kind in ChunkKind).__getitem__

# A chunk in C, in words of the size of a pointer.
_POINTER = ctypes.sizeof(ctypes.c_void_p)
_TEXT, _ID, _NAME, _BYTES = (
    getattr(_native.Chunk, field).offset // _POINTER for field in ("text", "id", "name", "bytes")
)


def copy_batch(batch: _native.Batch) -> tuple[list[Chunk], Optional[list[str]]]:
    """The chunks; or only their texts, where they are nothing but text of the first answer.

    All is copied at once and taken apart column by column: in Python, a step for each chunk and
    field is what costs.
    """
    memory = ctypes.string_at(batch.memory.ptr, batch.memory.len)
    structs = memoryview(ctypes.string_at(batch.chunks, batch.count * batch.chunk_size))
    numbers, step = structs.cast("i"), batch.chunk_size // 4
    words, stride = structs.cast("P"), batch.chunk_size // _POINTER
    kinds, choices, indices = (numbers[n::step].tolist() for n in range(3))
    texts, names = _texts_and_names(batch, memory, words, stride)
    if not (names or any(choices) or any(indices)):
        if kinds.count(ChunkKind.TEXT) == batch.count:
            return [], texts
        chunks = list(map(Chunk, map(_kind_of, kinds), texts))
    else:
        # There are few different ones.
        details = map(_details, names or repeat(""), choices, indices)
        chunks = list(map(Chunk, map(_kind_of, kinds), texts, details))
    ids, media = words[_ID + 1::stride].tolist(), words[_BYTES::stride].tolist()
    if any(ids) or any(media) or ChunkKind.USAGE in kinds:
        for n, (kind, *rare) in enumerate(zip(kinds, ids, media)):
            if any(rare) or kind == ChunkKind.USAGE:
                address = batch.chunks + n * batch.chunk_size
                chunks[n] = _copy_chunk(_native.Chunk.from_address(address))
    return chunks, None


def _texts_and_names(
    batch: _native.Batch, memory: bytes, words: memoryview[int], stride: int
) -> tuple[list[str], Optional[list[str]]]:
    """The strings of all chunks; None where no chunk has a name."""
    sizes, name_sizes = words[_TEXT + 1::stride].tolist(), words[_NAME + 1::stride].tolist()
    has_names = any(name_sizes)
    # Most often they lie one after another, and have a NUL between them but none inside.
    pieces = memory.decode().split("\0")
    measured = pieces if memory.isascii() else memory.split(b"\0")
    each = 2 if has_names else 1
    if (
        len(pieces) == each * batch.count
        and list(map(len, measured[::each])) == sizes
        and (not has_names or list(map(len, measured[1::2])) == name_sizes)
        and words[_TEXT] == batch.memory.ptr
        and words[(_NAME if has_names else _TEXT) - stride] + len(measured[-1])
        == batch.memory.ptr + len(memory)
    ):
        return pieces[::each], pieces[1::2] if has_names else None

    def strings(field: int, sizes: list[int]) -> list[str]:
        starts = (at - batch.memory.ptr for at in words[field::stride].tolist())
        return [memory[at:at + size].decode() for at, size in zip(starts, sizes)]

    return strings(_TEXT, sizes), strings(_NAME, name_sizes) if has_names else None


def _copy_chunk(chunk: _native.Chunk) -> Chunk:
    """One that has more than text and a name."""
    kind = ChunkKind(chunk.kind)
    return Chunk(kind, str(chunk.text), Details(
        id=str(chunk.id),
        name=str(chunk.name),
        data=ctypes.string_at(chunk.bytes, chunk.bytes_len) if chunk.bytes else None,
        mime=str(chunk.mime),
        usage=_copy_usage(chunk.usage) if kind in _WITH_USAGE else None,
        choice=chunk.choice,
        index=chunk.index,
        flags=chunk.flags,
    ))


@functools.lru_cache(maxsize=1024)
def _details(name: str, choice: int, index: int) -> Details:
    return Details(name=name, choice=choice, index=index)


def _copy_usage(usage: _native.Usage) -> Usage:
    return Usage(*(None if count < 0 else count for count in (
        usage.input, usage.output, usage.total, usage.cached_input, usage.reasoning,
        usage.cache_write,
    )))


def model_of(chunk: Chunk) -> Model:
    return Model(
        id=chunk.id,
        owner=chunk.name,
        context_length=chunk.usage.total if chunk.usage else None,
        capabilities=Capability(chunk.flags),
        json=chunk.text,
    )


def vector_of(chunk: Chunk) -> array.array[float]:
    vector = array.array("f", chunk.data or b"")
    if sys.byteorder == "big":
        vector.byteswap()
    return vector


def copy_info(info: _native.SessionInfo) -> SessionInfo:
    return SessionInfo(
        id=info.id,
        attempts=info.attempts,
        changed=tuple(json.loads(str(info.changed) or "[]")),
        request_id=str(info.request_id),
        model=str(info.model),
        provider=str(info.provider),
        http_status=info.http_status or None,
        connection_reused=bool(info.connection_reused),
        resolved=_seconds(info.resolved),
        connected=_seconds(info.connected),
        tls_done=_seconds(info.tls_done),
        sent=_seconds(info.sent),
        headers=_seconds(info.headers),
        first_chunk=_seconds(info.first_chunk),
        ended=_seconds(info.ended),
        longest_gap=_seconds(info.longest_gap),
        requests=_copy_limit(info.requests),
        tokens=_copy_limit(info.tokens),
    )


def _copy_limit(limit: _native.RateLimit) -> RateLimit:
    return RateLimit(
        limit=None if limit.limit < 0 else limit.limit,
        remaining=None if limit.remaining < 0 else limit.remaining,
        reset=None if limit.reset_ms < 0 else limit.reset_ms / 1000,
    )


def _seconds(microseconds: int) -> Optional[float]:
    return None if microseconds < 0 else microseconds / 1e6
