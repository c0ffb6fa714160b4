"""The keys of a client's config, typed."""

from __future__ import annotations

import ctypes
import enum
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Optional, TypedDict, Union

from ._call import call, make, string
from ._errors import ArgumentError
from ._native import lib
from ._types import SLOTS

Duration = Union[float, timedelta]
"""Seconds, or a timedelta. `math.inf` is no limit."""

Path = Union[str, "os.PathLike[str]"]


class Options(TypedDict, total=False):
    """The settings that a request may have for itself: see `Request.options()`.

    tolmach.h says what each of them means. None is the default.
    """

    connect_timeout: Optional[Duration]
    first_byte_timeout: Optional[Duration]
    idle_timeout: Optional[Duration]
    total_timeout: Optional[Duration]
    max_retries: Optional[int]
    headers: Optional[Mapping[str, str]]
    max_reply_bytes: Optional[int]
    queue_bytes: Optional[int]
    raw_chunks: Optional[bool]
    retry_chunks: Optional[bool]
    estimate_usage: Optional[bool]


class Settings(Options, total=False):
    """The settings of a client, of all providers: the keyword arguments of `Client`.

    They are the keys of tolmach.h, which says what each of them means, under their own names;
    only those that end in `_ms` are durations, without it. None is the default.
    """

    api_key: Optional[str]
    base_url: Optional[str]
    model: Optional[str]
    proxy: Optional[str]
    user_agent: Optional[str]
    model_aliases: Optional[Mapping[str, Union[str, Sequence[str]]]]
    heal: Optional[bool]

    ca_file: Optional[Path]
    ca_pem: Optional[str]
    tls_roots: Optional[Literal["bundled", "platform", "only_ca"]]
    tls_verify: Optional[bool]
    tls_pins: Optional[Union[str, Sequence[str]]]
    client_cert: Optional[Path]
    client_key: Optional[Path]

    max_event_bytes: Optional[int]
    max_error_bytes: Optional[int]
    max_header_bytes: Optional[int]
    max_json_depth: Optional[int]
    max_tool_calls: Optional[int]

    fetch_urls: Optional[bool]
    fetch_private_urls: Optional[bool]
    record_file: Optional[Path]
    replay_file: Optional[Path]
    replay_timing: Optional[bool]

    endpoint: Optional[str]
    api: Optional[Literal["auto", "chat", "responses"]]
    organization: Optional[str]
    project: Optional[str]
    think_tags: Optional[bool]
    fallback_models: Optional[Union[str, Sequence[str]]]
    auth_scheme: Optional[str]
    background: Optional[bool]
    anthropic_version: Optional[str]
    anthropic_beta: Optional[Union[str, Sequence[str]]]
    scope: Optional[Literal["GIGACHAT_API_PERS", "GIGACHAT_API_B2B", "GIGACHAT_API_CORP"]]
    auth_url: Optional[str]
    access_token: Optional[str]
    user: Optional[str]
    password: Optional[str]
    api_version: Optional[Literal["v1", "v2"]]
    cookie: Optional[str]


DURATIONS = frozenset(
    ("connect_timeout", "first_byte_timeout", "idle_timeout", "total_timeout")
)


class KeyKind(enum.IntEnum):
    """What the values of a key are. The set is open: take others for TEXT."""

    TEXT = 1
    SECRET = 2
    URL = 3
    FILE = 4
    NUMBER = 5
    MILLISECONDS = 6
    BOOLEAN = 7
    JSON = 8
    CHOICE = 9


@dataclass(frozen=True, **SLOTS)
class ConfigKey:
    """A key that a provider's config has, for settings pages and completion."""

    name: str
    """Its name in tolmach.h and in `Client.from_dict()`."""
    kind: int
    """What its values are: a KeyKind, or a number that this version does not know."""
    default: str
    """What it is until it is set; empty for nothing, or where help says what holds then."""
    choices: tuple[str, ...]
    """The values there are, of the kind CHOICE."""
    help: str
    """What it means."""
    is_option: bool
    """Whether a request may have its own: see `Request.options()`."""


def config_keys(provider: str) -> list[ConfigKey]:
    """The keys that the config of a provider has."""
    config = make(lib.tolmach_config_new, string(provider))
    try:
        count = range(lib.tolmach_config_key_count(config))
        return [_copy(lib.tolmach_config_key_get(config, index).contents) for index in count]
    finally:
        lib.tolmach_config_free(config)


def _copy(key: Any) -> ConfigKey:
    choices = str(key.choices)
    return ConfigKey(
        name=str(key.name),
        kind=KeyKind(key.kind) if key.kind in KeyKind.__members__.values() else key.kind,
        default=str(key.default_value),
        choices=tuple(choices.split(",")) if choices else (),
        help=str(key.help),
        is_option=bool(key.is_option),
    )


def new_config(provider: str, settings: Mapping[str, object]) -> ctypes.c_void_p:
    config = make(lib.tolmach_config_new, string(provider))
    try:
        for key, value in encoded(settings):
            call(lib.tolmach_config_set, config, string(key), string(value))
    except BaseException:
        lib.tolmach_config_free(config)
        raise
    return config


def encoded(settings: Mapping[str, object]) -> Iterator[tuple[str, Optional[str]]]:
    """Settings as the keys and values of the C library."""
    for name, value in settings.items():
        if name in DURATIONS and value is not None:
            yield f"{name}_ms", _milliseconds(name, value)
        else:
            yield f"{name}_ms" if name in DURATIONS else name, _encode(name, value)


def milliseconds(name: str, duration: Duration) -> int:
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{name} cannot be a {type(seconds).__name__}: give seconds or a timedelta")
    if seconds == math.inf:
        return -1
    if not seconds >= 0:
        raise ArgumentError(f"{name} cannot be {seconds} seconds: math.inf is no limit")
    return math.ceil(seconds * 1000)


def _milliseconds(name: str, value: Any) -> str:
    return str(milliseconds(name, value))


def _encode(name: str, value: object) -> Optional[str]:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return ",".join(value)
    raise TypeError(f"{name} cannot be a {type(value).__name__}")
