import copy
import datetime
import math
import os
import pickle
import typing
from pathlib import Path
from typing import Any

import tolmach
from support import TestCase, ask, read, scripted, unique
from tolmach import (
    ArgumentError, ChunkKind, Client, KeyKind, Options, Settings, config_keys, providers,
)

TYPES: "dict[int, tuple[Any, ...]]" = {
    KeyKind.TEXT: (str,),
    KeyKind.SECRET: (str,),
    KeyKind.URL: (str,),
    KeyKind.FILE: (str, os.PathLike),
    KeyKind.NUMBER: (int,),
    KeyKind.MILLISECONDS: (float, datetime.timedelta),
    KeyKind.BOOLEAN: (bool,),
    KeyKind.JSON: (dict,),
    KeyKind.CHOICE: (str,),
}


def name_of(key: tolmach.ConfigKey) -> str:
    return key.name[:-3] if key.kind == KeyKind.MILLISECONDS else key.name


def types_in(annotation: Any) -> "set[Any]":
    """What a setting may be, by the classes of it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union:
        return set().union(*map(types_in, arguments))
    if origin is typing.Literal:
        return {str}
    return {dict if origin is not None and hasattr(origin, "keys") else origin or annotation}


class Typed(TestCase):
    def test_every_key_of_the_library_is_a_typed_setting(self) -> None:
        hints, options = typing.get_type_hints(Settings), typing.get_type_hints(Options)
        keys = {key.name: key for provider in providers() for key in config_keys(provider.name)}
        self.assertGreater(len(keys), 40)
        for key in keys.values():
            with self.subTest(key=key.name):
                self.assertIn(name_of(key), hints)
                for kind in TYPES[key.kind]:
                    self.assertIn(kind, types_in(hints[name_of(key)]))
                self.assertEqual(name_of(key) in options, key.is_option)
        self.assertEqual(sorted(hints), sorted(map(name_of, keys.values())))

    def test_keys_tell_what_they_are(self) -> None:
        (key,) = [key for key in config_keys("openai") if key.name == "tls_roots"]
        self.assertEqual((key.kind, key.default), (KeyKind.CHOICE, "bundled"))
        self.assertEqual(key.choices, ("bundled", "platform", "only_ca"))
        self.assertFalse(key.is_option)
        self.assertRaises(ArgumentError, config_keys, "nobody")

    def test_durations_are_seconds_or_timedeltas(self) -> None:
        for duration in (0.05, datetime.timedelta(milliseconds=50)):
            with scripted(first_byte_timeout=duration, max_retries=0) as client:
                self.assertRaises(tolmach.TimedOutError, read, client, "silent", unique())
        with scripted(total_timeout=math.inf, idle_timeout=None, connect_timeout=60) as client:
            self.assertEqual(read(client, "words"), "One two three.")
        for wrong in (-1, math.nan, datetime.timedelta(seconds=-1)):
            with self.assertRaisesRegex(ArgumentError, "idle_timeout"):
                scripted(idle_timeout=wrong)
        for strange in ("soon", True):
            with self.assertRaisesRegex(TypeError, "idle_timeout"):
                scripted(idle_timeout=strange)

    def test_settings_may_be_kept_in_a_dict(self) -> None:
        settings: Settings = {
            "base_url": os.environ["TOLMACH_TEST_URL"],
            "api_key": os.environ["TOLMACH_TEST_KEY"],
            "proxy": "direct",
            "ca_file": Path(__file__).with_name("no such file"),
        }
        self.assertRaises(ArgumentError, Client, "openai", **settings)
        settings["ca_file"] = None
        with Client("openai", **settings) as client:
            self.assertEqual(read(client, "words"), "One two three.")

    def test_a_client_may_be_made_of_a_settings_file(self) -> None:
        config = {
            "provider": "openai",
            "base_url": os.environ["TOLMACH_TEST_URL"],
            "api_key": os.environ["TOLMACH_TEST_KEY"],
            "proxy": "direct",
            "idle_timeout_ms": 60_000,
            "headers": {"X-Name": "Zoë"},
        }
        with Client.from_dict(config) as client:
            self.assertIn("openai", repr(client))
            self.assertEqual(read(client, "words"), "One two three.")
        for wrong in ({}, {"provider": "nobody"}, {**config, "no_such_key": 1}):
            self.assertRaises(ArgumentError, Client.from_dict, wrong)


class OfOneRequest(TestCase):
    def test_options_are_for_one_request(self) -> None:
        with scripted(max_retries=0) as client:
            request = ask("silent", unique()).options(first_byte_timeout=0.05)
            self.assertRaises(tolmach.TimedOutError, client.ask, request)
            self.assertNotIn("first_byte", str(request.to_dict()))
            raw = ask("words").options(raw_chunks=True)
            with client.stream(raw) as stream:
                self.assertIn(ChunkKind.RAW, [chunk.kind for chunk in stream])
            with client.stream(raw.options(raw_chunks=None)) as stream:
                self.assertNotIn(ChunkKind.RAW, [chunk.kind for chunk in stream])

    def test_copies_keep_options(self) -> None:
        request = ask("silent", unique()).options(first_byte_timeout=0.05, max_retries=0)
        clone = request.clone()
        pickled = [pickle.loads(pickle.dumps(each)) for each in (request, clone)]
        copies = (clone, copy.copy(request), *pickled)
        request.options(first_byte_timeout=None)
        with scripted() as client:
            for each in (*copies, copies[0].clone()):
                self.assertRaises(tolmach.TimedOutError, client.ask, each)

    def test_wrong_options_are_argument_errors(self) -> None:
        request = ask("words")
        with self.assertRaisesRegex(ArgumentError, "api_key"):
            request.options(api_key="mine")  # type: ignore[call-arg]
        with self.assertRaisesRegex(ArgumentError, "max_retries"):
            request.options(max_retries=-1)

    def test_a_clone_goes_its_own_way(self) -> None:
        request = ask("words")
        clone = request.clone().user("more")
        self.assertEqual((request.count, clone.count), (1, 2))

    def test_a_turn_can_be_undone(self) -> None:
        request = ask("words").system("Be brief.")
        before, count = request.to_dict(), request.count
        request.user("a").user("b").truncate(count)
        self.assertEqual(request.to_dict(), before)
        self.assertEqual(request.truncate(7).count, count)
        self.assertEqual(request.truncate(0).count, 0)
        self.assertRaises(ArgumentError, request.truncate, -1)


class Transient(TestCase):
    def test_an_error_tells_whether_to_try_again(self) -> None:
        self.assertTrue(tolmach.RateLimitedError().is_transient)
        self.assertTrue(tolmach.TruncatedError().is_transient)
        self.assertFalse(tolmach.AuthError().is_transient)
        self.assertFalse(tolmach.TolmachError().is_transient)
