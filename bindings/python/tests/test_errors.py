import copy
import os
import pickle
import re
import socket
from pathlib import Path
from typing import Any
from unittest import mock

import tolmach
from support import TestCase, ask, in_thread, read, scripted, text_of, unique, until_text
from tolmach import Capability, ChunkKind, Client, Request, TolmachError
from tolmach._call import call


def constants(prefix: str) -> "dict[str, int]":
    """The constants of the C header whose names begin so."""
    header = Path(os.environ["TOLMACH_PREFIX"], "include", "tolmach.h").read_text("utf-8")
    found = re.findall(rf"^#define {prefix}([A-Z_]+) (-?\d+)$", header, re.MULTILINE)
    return {name: int(value) for name, value in found}


class Errors(TestCase):
    def fails(self, model: str, kind: "type[TolmachError]", **config: Any) -> TolmachError:
        """The error, of just that class, that an answer ends with."""
        with scripted(max_retries=0, **config) as client:
            with self.assertRaises(TolmachError) as raised:
                read(client, model, unique())
        self.assertIs(type(raised.exception), kind)
        self.assertEqual(raised.exception.status, kind.status)
        self.assertNotIn("stage-key", repr(raised.exception) + str(raised.exception.body))
        return raised.exception

    def test_an_error_has_all_that_the_provider_said(self) -> None:
        error = self.fails("status-429", tolmach.RateLimitedError)
        self.assertIn("Scripted 429", str(error))
        self.assertEqual(error.http_status, 429)
        self.assertEqual(error.retry_after, 7.0)
        self.assertEqual(error.provider_code, "code_429")
        self.assertEqual(error.request_id, "req-42")
        self.assertIn('"Scripted 429"', str(error.body))
        self.assertEqual(error.status_name, "TOLMACH_E_RATE_LIMITED")

    def test_what_the_provider_did_not_say_is_none(self) -> None:
        with self.assertRaises(tolmach.ArgumentError) as raised:
            Client("no such provider")
        error = raised.exception
        for detail in ("http_status", "retry_after", "provider_code", "request_id", "body"):
            self.assertIsNone(getattr(error, detail), detail)

    def test_each_status_is_a_class_of_its_own(self) -> None:
        statuses = constants("TOLMACH_E_")
        classes = {kind.status: kind for kind in TolmachError.__subclasses__()}
        self.assertEqual(sorted(classes), sorted(statuses.values()))
        self.assertEqual(len(classes), len(TolmachError.__subclasses__()))
        for status in statuses.values():
            self.assertTrue(hasattr(tolmach, classes[status].__name__))
        for name, status in statuses.items():
            self.assertEqual(classes[status]("").status_name, f"TOLMACH_E_{name}")
        self.assertIs(classes[statuses["INTERNAL"]], tolmach.InternalError)
        self.assertTrue(issubclass(classes[statuses["NO_MEMORY"]], MemoryError))

    def test_an_unknown_status_is_the_base_class(self) -> None:
        with self.assertRaises(TolmachError) as raised:
            call(lambda error: -99)
        self.assertIs(type(raised.exception), TolmachError)
        self.assertEqual(raised.exception.status, -99)
        self.assertEqual(raised.exception.status_name, "unknown status")

    def test_the_constants_are_those_of_the_header(self) -> None:
        kinds = {kind.name: kind.value for kind in ChunkKind}
        self.assertEqual(kinds, constants("TOLMACH_CHUNK_"))
        abilities = {name: bit.value for name, bit in Capability.__members__.items()}
        others = {"NEEDS_AUTH": constants("TOLMACH_NEEDS_")["AUTH"], "WORKING": 256}
        self.assertEqual(abilities, {**constants("TOLMACH_CAN_"), **others})

    def test_unknown_kinds_and_capabilities_pass_through(self) -> None:
        unknown = ChunkKind(77)
        self.assertEqual((unknown, unknown.value, unknown.name), (77, 77, "UNKNOWN_77"))
        self.assertEqual(pickle.loads(pickle.dumps(unknown)), 77)
        self.assertEqual(len({unknown, ChunkKind(77)}), 1)
        self.assertEqual(list(ChunkKind)[-1], ChunkKind.BODY)
        self.assertEqual(Capability(1 << 20 | 1) & Capability.STREAM, Capability.STREAM)
        with self.assertRaises(ValueError):
            ChunkKind("text")  # type: ignore[arg-type]

    def test_errors_survive_pickle_and_copy(self) -> None:
        error = self.fails("status-429", tolmach.RateLimitedError)
        timed_out = tolmach.TimedOutError("late", status=-4, http_status=408)
        for original in (error, timed_out):
            for again in (pickle.loads(pickle.dumps(original)), copy.copy(original)):
                self.assertIs(type(again), type(original))
                self.assertEqual((str(again), vars(again)), (str(original), vars(original)))

    def test_they_are_what_python_calls_them(self) -> None:
        self.assertTrue(issubclass(tolmach.ArgumentError, ValueError))
        self.assertTrue(issubclass(tolmach.TimedOutError, TimeoutError))
        for kind in (tolmach.ConnectError, tolmach.DnsError, tolmach.TlsError):
            self.assertTrue(issubclass(kind, ConnectionError))

    def test_a_wrong_setting_is_an_argument_error(self) -> None:
        for wrong in ({"no_such_key": "1"}, {"max_retries": "many"}, {"idle_timeout_ms": -7}):
            (key,) = wrong
            with self.assertRaisesRegex(tolmach.ArgumentError, key):
                scripted(**wrong)
        with self.assertRaisesRegex(tolmach.ArgumentError, "NUL"):
            scripted(user_agent="a\0b")
        with self.assertRaisesRegex(TypeError, "connect_timeout_ms"):
            scripted(connect_timeout_ms=0.5)

    def test_settings_may_be_of_python(self) -> None:
        with scripted(headers={"X-Name": "Zoë"}, raw_chunks=True, fallback_models=["a", "b"],
                      organization=None, total_timeout_ms=-1) as client:
            with client.stream(ask("words")) as stream:
                self.assertIn(ChunkKind.RAW, [chunk.kind for chunk in stream])

    def test_a_wrong_request_is_an_argument_error(self) -> None:
        for wrong in (
            lambda: Request("a\0b"),
            lambda: Request().message("nobody", "hello"),
            lambda: Request().attach(b"GIF89a"),
            lambda: Request().user("hello").attach(b"what is this"),
            lambda: Request().tool_result("", "3"),
            lambda: Request().set("messages", "hello"),
            lambda: Request.from_dict({"messages": 7}),
        ):
            self.assertRaises(tolmach.ArgumentError, wrong)
        for wrong in (
            lambda: Request().user(b"bytes"),  # type: ignore[arg-type]
            lambda: Request().attach(7),  # type: ignore[arg-type]
            lambda: Request().set("temperature", object()),
        ):
            self.assertRaises(TypeError, wrong)
        self.assertRaises(ValueError, lambda: Request().set("temperature", float("nan")))

    def test_a_wrong_key_is_an_auth_error(self) -> None:
        error = self.fails("words", tolmach.AuthError, api_key="wrong-key-of-mine")
        self.assertEqual(error.http_status, 401)
        self.assertNotIn("wrong-key-of-mine", f"{error!r} {error.body}")

    def test_a_spent_quota_is_a_quota_error(self) -> None:
        self.fails("quota", tolmach.QuotaError)

    def test_400_is_a_bad_request_error(self) -> None:
        self.assertEqual(self.fails("status-400", tolmach.BadRequestError).http_status, 400)

    def test_404_is_a_not_found_error(self) -> None:
        error = self.fails("no-such-model", tolmach.NotFoundError)
        self.assertEqual(error.provider_code, "model_not_found")

    def test_a_prompt_too_long_is_a_context_length_error(self) -> None:
        self.fails("context-length", tolmach.ContextLengthError)

    def test_a_policy_is_a_blocked_error(self) -> None:
        self.fails("blocked", tolmach.BlockedError)

    def test_500_is_a_server_error(self) -> None:
        self.assertEqual(self.fails("status-500", tolmach.ServerError).http_status, 500)

    def test_an_error_within_a_200_is_a_provider_error(self) -> None:
        error = self.fails("fails", tolmach.ProviderError)
        self.assertEqual(error.provider_code, "code_odd")

    def test_a_web_page_is_a_protocol_error(self) -> None:
        self.fails("html", tolmach.ProtocolError)

    def test_a_cut_answer_is_truncated_after_what_there_was(self) -> None:
        with scripted() as client, client.stream(ask("truncated")) as stream:
            self.assertEqual(until_text(stream), "first ")
            for _ in range(2):
                with self.assertRaises(tolmach.TruncatedError):
                    text_of(stream)

    def test_a_limit_exceeded_is_too_large(self) -> None:
        with scripted(max_event_bytes=1024) as client:
            # The answer names them all in one event, which is more than one read.
            image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
            content = [image] * 10_000
            request = Request("look").set("messages", [{"role": "user", "content": content}])
            with client.stream(request) as stream:
                with self.assertRaisesRegex(tolmach.TooLargeError, "max_event_bytes"):
                    text_of(stream)

    def test_a_deadline_is_a_timeout(self) -> None:
        error = self.fails("silent", tolmach.TimedOutError, first_byte_timeout_ms=50)
        self.assertIsInstance(error, TimeoutError)

    def test_models_have_a_deadline_in_seconds(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            with scripted(base_url=url) as client:
                self.assertRaises(tolmach.TimedOutError, client.models, timeout=0.05)
                self.assertRaises(tolmach.ArgumentError, client.models, timeout=-1)

    def test_a_closed_port_is_a_connect_error(self) -> None:
        # Bound and not listening: nobody else gets it, and connecting is refused.
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
            error = self.fails("words", tolmach.ConnectError, base_url=url)
        self.assertIsInstance(error, ConnectionError)

    def test_an_unknown_host_is_a_dns_error(self) -> None:
        self.fails("words", tolmach.DnsError, base_url="http://nothing.invalid")

    def test_a_server_without_tls_is_a_tls_error(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as plain:

            def answer() -> None:
                connection, _ = plain.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    while connection.recv(4096):
                        pass

            answering = in_thread(answer)
            url = f"https://127.0.0.1:{plain.getsockname()[1]}"
            self.fails("words", tolmach.TlsError, base_url=url)
            answering.join()

    def test_a_missing_key_is_an_auth_error_without_any_network(self) -> None:
        with mock.patch.dict(os.environ):
            os.environ.pop("OPENAI_API_KEY", None)
            os.unsetenv("OPENAI_API_KEY")
            with self.assertRaisesRegex(tolmach.AuthError, "OPENAI_API_KEY"):
                Client("openai")
