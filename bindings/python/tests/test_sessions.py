import array
import asyncio
import datetime
import json

import tolmach
from support import TestCase, ask, in_thread, read, scripted, unique, until_text
from tolmach import ArgumentError, ChunkKind, Request, SessionCancelledError, wait


class Knowledge(TestCase):
    def test_a_session_knows_how_its_answer_came(self) -> None:
        with scripted() as client:
            with client.stream(ask("words")) as stream:
                answer = stream.answer()
                info = stream.info
                content_type = stream.header("Content-Type") or ""
                self.assertIn("text/event-stream", content_type)
                self.assertEqual(stream.header("content-type"), content_type)
                self.assertIsNone(stream.header("X-Nothing"))
            again = client.ask(ask("words")).info
        self.assertEqual((info.attempts, info.changed, info.provider), (1, (), "openai"))
        self.assertEqual((info.http_status, info.connection_reused), (200, False))
        times = (info.resolved, info.connected, info.sent, info.headers, info.first_chunk, info.ended)
        known = [each for each in times if each is not None]
        self.assertEqual(len(known), len(times))
        self.assertEqual(known, sorted(known))
        self.assertLess(known[-1], 600)
        self.assertIsNone(info.tls_done)
        self.assertEqual(info.requests, tolmach.RateLimit())
        self.assertEqual(stream.info, info)
        self.assertEqual(answer.info, info)
        assert again is not None
        self.assertGreater(again.id, info.id)
        self.assertTrue(again.connection_reused)

    def test_a_session_that_failed_knows_as_much(self) -> None:
        with scripted(max_retries=0) as client, client.stream(ask("status-429")) as stream:
            self.assertRaises(tolmach.RateLimitedError, stream.answer)
            self.assertEqual((stream.info.http_status, stream.info.request_id), (429, "req-42"))
            self.assertEqual(stream.info.requests, tolmach.RateLimit(60, 0, 7.0))
            self.assertEqual(stream.info.tokens, tolmach.RateLimit())
            self.assertEqual(stream.header("retry-after"), "7")
        self.assertRaises(SessionCancelledError, stream.header, "retry-after")
        self.assertEqual(stream.info.http_status, 429)

    def test_a_session_has_its_text_and_tool_calls_so_far(self) -> None:
        with scripted() as client, client.stream(ask("held", unique())) as stream:
            self.assertEqual((stream.text, stream.tool_calls), ("", ()))
            until_text(stream)
            self.assertEqual(stream.text, "first ")
        self.assertEqual(stream.text, "first ")
        tools = [{"type": "function", "function": {"name": "weather"}}]
        with scripted() as client, client.stream(ask("tools").set("tools", tools)) as stream:
            answer = stream.answer()
            self.assertEqual(stream.tool_calls, answer.tool_calls)
        self.assertEqual(len(stream.tool_calls), 2)

    def test_retries_may_be_seen(self) -> None:
        request = ask("status-500").options(retry_chunks=True, max_retries=1)
        with scripted() as client, client.stream(request) as stream:
            first = next(stream)
            self.assertEqual((first.kind, first.index), (ChunkKind.RETRY, 2))
            self.assertIn("500", first.text)


class Embeddings(TestCase):
    def test_texts_have_embeddings(self) -> None:
        with scripted(model="embedder") as client:
            made = client.embed(["a", "b\0ü"])
            self.assertEqual(made.vectors, (array.array("f", [1, 0]), array.array("f", [4, 1])))
            assert made.usage is not None
            self.assertEqual(made.usage.input, 2)
            self.assertEqual(client.embed("abc").vectors, (array.array("f", [3, 0]),))
            request = Request("other").input("ab").set("encoding_format", "float")
            self.assertEqual(client.embed(request).vectors[0].tolist(), [2, 0])
            self.assertEqual(client.embed(request, model="third").model, "third")
            self.assertEqual(request.to_dict()["model"], "other")
            self.assertEqual(asyncio.run(client.embed_async(["a"])).vectors[0].tolist(), [1, 0])

    def test_a_request_has_inputs_or_messages(self) -> None:
        self.assertRaises(ArgumentError, ask("words").input, "a")
        self.assertRaises(ArgumentError, Request().input("a").user, "b")
        self.assertRaises(TypeError, Request().input, b"a")
        with scripted() as client:
            self.assertRaises(ArgumentError, client.embed, [])


class Raw(TestCase):
    def test_requests_of_your_own_have_the_credentials(self) -> None:
        with scripted() as client:
            listed = json.loads(client.raw("GET", "/models"))
            self.assertEqual([model["id"] for model in listed["data"]], ["words", "emoji"])
            asked = {"model": "m", "input": ["é"]}
            text = json.dumps(asked)
            for body in (asked, text, text.encode()):
                made = json.loads(client.raw("POST", "/embeddings", body))
                self.assertEqual(made["data"][0]["embedding"], [2, 0])
            self.assertEqual(json.loads(asyncio.run(client.raw_async("GET", "/models"))), listed)
            with client.stream_raw("GET", "/models") as stream:
                chunk = next(stream)
                self.assertEqual((chunk.kind, chunk.mime), (ChunkKind.BODY, "application/json"))
                stream.cancel()
                self.assertRaises(SessionCancelledError, next, stream)

    def test_a_status_is_an_error_with_the_body(self) -> None:
        with scripted() as client:
            with self.assertRaises(tolmach.NotFoundError) as raised:
                client.raw("GET", "/nothing")
            self.assertIn("No such place", str(raised.exception.body))

    def test_misuse_is_an_error(self) -> None:
        with scripted() as client:
            for wrong in (("PRAY", "/models"), ("GET", "models"), ("GET", "/../models"),
                          ("GET", "/models", b"body")):
                self.assertRaises(ArgumentError, client.raw, *wrong)
            self.assertRaises(ArgumentError, client.raw, "POST", "/x", b"", "a\nb")
        self.assertRaises(ArgumentError, client.raw, "GET", "/models")


class Several(TestCase):
    def test_the_first_session_that_has_something_is_given(self) -> None:
        message = unique()
        with scripted() as client:
            with client.stream(ask("silent", unique())) as silent, \
                    client.stream(ask("gated", message)) as gated:
                self.assertIs(wait([silent, gated]), gated)
                self.assertEqual(until_text(gated), "first ")
                self.assertIsNone(wait([silent, gated], timeout=0))
                self.assertIsNone(wait([silent], datetime.timedelta(milliseconds=20)))
                opening = in_thread(lambda: self.assertEqual(read(client, "open", message), "opened"))
                self.assertIs(wait([silent, gated]), gated)
                opening.join()
                self.assertEqual(gated.answer().text, "first second")
                # Its end is something.
                self.assertIs(wait([silent, gated], timeout=0), gated)
                silent.cancel()
                self.assertIs(wait([silent]), silent)

    def test_chunks_that_were_polled_already_are_something(self) -> None:
        with scripted() as client, client.stream(ask("many")) as stream:
            next(stream)
            self.assertIs(wait([stream], timeout=0), stream)

    def test_misuse_is_an_error(self) -> None:
        with scripted() as client, client.stream(ask("words")) as stream:
            self.assertRaises(ArgumentError, wait, [])
            self.assertRaises(ArgumentError, wait, [stream], timeout=-1)
        self.assertRaises(SessionCancelledError, wait, [stream])

    def test_all_sessions_of_a_client_are_cancelled(self) -> None:
        message = unique()
        with scripted() as client, scripted() as other:
            streams = [client.stream(ask("held", f"{message} {n}")) for n in range(3)]
            many = client.stream(ask("many"))
            next(many)
            with other.stream(ask("words")) as of_other:
                waiting = in_thread(lambda: self.assertRaises(SessionCancelledError, list, streams[0]))
                client.cancel_all()
                waiting.join()
                for stream in (*streams, many):
                    self.assertRaises(SessionCancelledError, next, stream)
                    stream.close()
                self.assertEqual(of_other.answer().text, "One two three.")
            self.assertEqual(read(client, "words"), "One two three.")
        self.assertRaises(ArgumentError, client.cancel_all)
