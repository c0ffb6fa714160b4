"""A whole answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Optional, TypeVar, overload

from . import _schema
from ._errors import AnswerFormatError
from ._types import SLOTS, Chunk, ChunkKind, SessionInfo, Usage

T = TypeVar("T")


@dataclass(frozen=True, **SLOTS)
class ToolCall:
    """A call of a tool that the model asks for."""

    id: str
    """Its id, which goes back with the result."""
    name: str
    """The name of the tool."""
    arguments: str
    """Its arguments, as JSON."""

    @property
    def parsed(self) -> Any:
        """The arguments, decoded. A ValueError where they are no JSON."""
        return json.loads(self.arguments or "{}")

    @overload
    def parse(self, kind: type[T]) -> T: ...

    @overload
    def parse(self, kind: Any) -> Any: ...

    def parse(self, kind: Any) -> Any:
        """The arguments as a dataclass, TypedDict or pydantic model. A ValueError where they do
        not fit."""
        return _schema.parse(kind, self.parsed)


@dataclass(frozen=True, **SLOTS)
class Image:
    """An image of an answer: bytes or a URL."""

    data: Optional[bytes] = None
    """The file; None where there is a URL."""
    mime: str = ""
    """The media type of data, such as "image/png"."""
    url: str = ""
    """Where it is; empty where there are bytes."""
    revised_prompt: str = ""
    """The prompt as the provider revised it; empty when not said."""


@dataclass(frozen=True, **SLOTS)
class Audio:
    """What an answer says aloud."""

    data: bytes
    """The audio."""
    mime: str = ""
    """The media type of data."""
    transcript: str = ""
    """What is said."""


@dataclass(frozen=True, **SLOTS)
class Source:
    """A source that an answer names."""

    url: str
    """Where it is."""
    title: str = ""
    """Its title; empty when not said."""


@dataclass(frozen=True, **SLOTS)
class Answer:
    """A whole answer: of the first one where the request asks for several."""

    text: str = ""
    """The text."""
    reasoning: str = ""
    """The model's reasoning, where it shows it."""
    refusal: str = ""
    """Why the model refuses; empty when it does not."""
    tool_calls: tuple[ToolCall, ...] = ()
    """The calls of tools that the model asks for."""
    images: tuple[Image, ...] = ()
    """The images."""
    audio: Optional[Audio] = None
    """The audio."""
    sources: tuple[Source, ...] = ()
    """The sources that it names."""
    logprobs: tuple[Any, ...] = ()
    """How likely its tokens were, piece by piece as the provider put it."""
    usage: Optional[Usage] = None
    """Token counts."""
    finish_reason: str = ""
    """Why it ended: stop, length, tool_calls, content_filter, or a word of the provider's."""
    model: str = ""
    """The model that answered."""
    id: str = ""
    """The provider's id of the answer."""
    info: Optional[SessionInfo] = None
    """What else is known: attempts, times, rate limits."""
    message: dict[str, Any] = field(default_factory=dict)
    """The assistant's message in OpenAI's chat format, for the next request:
    `Request.reply()` appends it. Empty where there is nothing to send back."""

    @property
    def request_id(self) -> str:
        """The provider's id of the request: what its support asks for."""
        return self.info.request_id if self.info else ""

    @overload
    def parse(self, kind: type[T]) -> T: ...

    @overload
    def parse(self, kind: Any) -> Any: ...

    def parse(self, kind: Any) -> Any:
        """The text, which is JSON, as a type: see `Request.response_format()`.

        An AnswerFormatError, which has the answer, where it does not fit.
        """
        wrapped = _schema.as_object(_schema.schema_of(kind)) is not None
        try:
            value = json.loads(_unfenced(self.text))
            if wrapped:
                value = _schema.parse(dict[str, Any], value)["value"]
            return _schema.parse(kind, value)
        except (ValueError, KeyError) as error:
            name = getattr(kind, "__name__", repr(kind))
            raise AnswerFormatError(
                f"the answer is not the {name} that was asked for: {self._why(error)}", answer=self
            ) from error

    def _why(self, error: Exception) -> str:
        if self.refusal:
            return f"the model refuses: {self.refusal}"
        if self.finish_reason == "length":
            return f"it was cut at its length limit; {error}"
        if self.tool_calls and not self.text:
            return "it calls tools"
        return f"it has no {error}" if isinstance(error, KeyError) else str(error)


class Gathering:
    """What has arrived of an answer, beside what the library keeps for the reply."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._pieces: dict[ChunkKind, list[Chunk]] = {}

    def add(self, chunks: list[Chunk], texts: Optional[list[str]]) -> None:
        """What `copy_batch()` gives."""
        if texts is None:
            texts = []
            for chunk in chunks:
                if chunk.choice == 0:
                    if chunk.kind is ChunkKind.TEXT:
                        texts.append(chunk.text)
                    elif chunk.kind in _GATHERED:
                        self._pieces.setdefault(chunk.kind, []).append(chunk)
        self.texts.append("".join(texts))

    @property
    def text(self) -> str:
        if len(self.texts) > 1:
            self.texts[:] = ["".join(self.texts)]
        return "".join(self.texts)

    def answer(self, message: dict[str, Any], info: SessionInfo) -> Answer:
        of = self._pieces
        images, audio, sources, logprobs, usage, finish, start = (
            of.get(kind, []) for kind in _WHOLE
        )
        return Answer(
            text=self.text,
            reasoning=self._text_of(ChunkKind.REASONING),
            refusal=self._text_of(ChunkKind.REFUSAL),
            tool_calls=tool_calls_of(message),
            images=tuple(Image(each.data, each.mime, each.text, each.name) for each in images),
            audio=_audio(audio) if audio else None,
            sources=tuple(Source(each.text, each.name) for each in sources),
            logprobs=tuple(json.loads(each.text) for each in logprobs),
            usage=usage[-1].usage if usage else None,
            finish_reason=finish[-1].text if finish else "",
            model=start[0].name if start else "",
            id=start[0].text if start else "",
            info=info,
            message=message,
        )

    def _text_of(self, kind: ChunkKind) -> str:
        return "".join(piece.text for piece in self._pieces.get(kind, []))


_WHOLE = (
    ChunkKind.IMAGE, ChunkKind.AUDIO, ChunkKind.SOURCE, ChunkKind.LOGPROBS, ChunkKind.USAGE,
    ChunkKind.FINISH, ChunkKind.START,
)
_GATHERED = frozenset((*_WHOLE, ChunkKind.REASONING, ChunkKind.REFUSAL))


def tool_calls_of(message: dict[str, Any]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls", [])
    )


def _audio(pieces: list[Chunk]) -> Audio:
    return Audio(
        data=b"".join(piece.data or b"" for piece in pieces),
        mime=next((piece.mime for piece in pieces if piece.mime), ""),
        transcript="".join(piece.text for piece in pieces),
    )


def _unfenced(text: str) -> str:
    """Some models put their JSON into a block of Markdown, whatever they are told."""
    lines = text.strip().splitlines()
    if len(lines) > 1 and lines[0].startswith("```") and lines[-1] == "```":
        return "\n".join(lines[1:-1])
    return text
