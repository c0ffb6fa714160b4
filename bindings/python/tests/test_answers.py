import asyncio
import copy
import pickle
from dataclasses import dataclass
from typing import Any, Optional, TypedDict

import tolmach
from support import (
    PIXEL, AsyncTestCase, TestCase, ask, auntil_text, scripted, unique, until_text,
)
from tolmach import Answer, AnswerFormatError, Request, ToolCall, Usage

REPORT = '{"city":"Oslo","celsius":3}'


@dataclass
class Report:
    """How warm it is somewhere."""

    city: str
    celsius: float
    note: Optional[str] = None
    days: int = 1


class Place(TypedDict):
    city: str
    celsius: int


class Answers(TestCase):
    def test_ask_gives_the_whole_answer(self) -> None:
        with scripted() as client:
            answer = client.ask(ask("words"))
        self.assertEqual(answer.text, "One two three.")
        self.assertEqual(answer.reasoning, "Hm.")
        self.assertEqual(answer.finish_reason, "stop")
        self.assertEqual((answer.refusal, answer.tool_calls, answer.images), ("", (), ()))
        self.assertEqual((answer.audio, answer.sources, answer.logprobs), (None, (), ()))
        assert answer.usage is not None
        self.assertEqual((answer.usage.input, answer.usage.output), (3, 5))
        self.assertEqual(answer.message["content"], "One two three.")

    def test_a_string_is_asked_as_a_user_message(self) -> None:
        with scripted(model="echo") as client:
            self.assertEqual(client.ask("a\0b 👋").text, "a\0b 👋")

    def test_the_answer_of_a_stream_has_what_was_read_before(self) -> None:
        with scripted() as client, client.stream(ask("words")) as stream:
            self.assertEqual(until_text(stream), "One ")
            answer = stream.answer()
            self.assertEqual((answer.text, answer.reasoning), ("One two three.", "Hm."))
            self.assertIs(stream.answer(), answer)
            self.assertEqual(list(stream), [])
        # It is kept.
        self.assertIs(stream.answer(), answer)

    def test_an_answer_that_fails_raises_its_error(self) -> None:
        with scripted(max_retries=0) as client:
            self.assertRaises(tolmach.RateLimitedError, client.ask, ask("status-429"))
            self.assertRaises(tolmach.TruncatedError, client.ask, ask("truncated"))
            with client.stream(ask("truncated")) as stream:
                for _ in range(2):
                    self.assertRaises(tolmach.TruncatedError, stream.answer)
            stream = client.stream(ask("words"))
            stream.close()
            self.assertRaises(tolmach.SessionCancelledError, stream.answer)

    def test_an_answer_has_its_usage_and_its_images(self) -> None:
        with scripted() as client:
            self.assertEqual(client.ask(ask("counted")).usage, Usage(9, 5, 14, 4, 2, 3))
            (image,) = client.ask(ask("gpt-image-1", "a pixel")).images
        self.assertEqual((image.data, image.mime, image.url), (PIXEL, "image/png", ""))

    def test_an_answer_has_its_tool_calls_whole(self) -> None:
        request = ask("tools").set("tools", [{"type": "function", "function": {"name": "weather"}}])
        with scripted() as client:
            answer = client.ask(request)
        self.assertEqual([call.name for call in answer.tool_calls], ["weather"] * 2)
        cities = [call.parsed["city"] for call in answer.tool_calls]
        self.assertEqual(cities, ["Oslo", "Bergen"])
        self.assertEqual(answer.finish_reason, "tool_calls")
        self.assertEqual(answer.tool_calls[0].arguments, '{"city":"Oslo"}')
        self.assertEqual(answer.tool_calls[0].parse(dict[str, str]), {"city": "Oslo"})

    def test_an_answer_is_the_next_message(self) -> None:
        request = ask("words")
        with scripted() as client:
            answer = client.ask(request)
            request.reply(answer).user("again")
            self.assertEqual(client.ask(request).text, "One two three.")
        messages = request.to_dict()["messages"]
        self.assertEqual([each["role"] for each in messages], ["user", "assistant", "user"])
        self.assertEqual(messages[1]["content"], "One two three.")

    def test_an_answer_is_a_value(self) -> None:
        with scripted() as client:
            answer = client.ask(ask("counted"))
        for again in (copy.deepcopy(answer), pickle.loads(pickle.dumps(answer))):
            self.assertEqual(again, answer)

    def test_a_session_tells_what_it_knows(self) -> None:
        with scripted() as client, client.stream(ask("words")) as stream:
            stream.answer()
            info = stream.info
            self.assertEqual((info.attempts, info.changed), (1, ()))
        self.assertEqual(stream.info, info)


class Structured(TestCase):
    def test_an_answer_is_of_the_type_asked_for(self) -> None:
        with scripted(model="gpt-4o") as client:
            self.assertEqual(client.ask_for(Report, "How warm is Oslo?"), Report("Oslo", 3.0))
            place: Place = client.ask_for(Place, "How warm is Oslo?")
            self.assertEqual(place, {"city": "Oslo", "celsius": 3})

    def test_a_pydantic_model_may_be_asked_for(self) -> None:
        import pydantic

        class Warmth(pydantic.BaseModel):
            city: str
            celsius: int = pydantic.Field(ge=-90)

        with scripted(model="gpt-4o") as client:
            warmth = client.ask_for(Warmth, "How warm is Oslo?")
            self.assertEqual(warmth, Warmth(city="Oslo", celsius=3))
        with scripted(model="echo") as client:
            with self.assertRaisesRegex(AnswerFormatError, "Warmth.*greater than or equal to -90"):
                client.ask_for(Warmth, '{"city":"Oslo","celsius":-91}')

    def test_the_request_stays_as_it_is(self) -> None:
        request = ask("gpt-4o")
        before = request.to_dict()
        with scripted() as client:
            client.ask_for(Report, request)
        self.assertEqual(request.to_dict(), before)

    def test_the_format_is_the_strict_schema_of_the_type(self) -> None:
        sent = Request().response_format(Report).to_dict()["response_format"]
        self.assertEqual(sent["type"], "json_schema")
        self.assertEqual(sent["json_schema"]["name"], "Report")
        self.assertIs(sent["json_schema"]["strict"], True)
        self.assertEqual(sent["json_schema"]["schema"], {
            "type": "object",
            "description": "How warm it is somewhere.",
            "properties": {
                "city": {"type": "string"},
                "celsius": {"type": "number"},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "days": {"type": "integer"},
            },
            "required": ["city", "celsius", "note", "days"],
            "additionalProperties": False,
        })
        loose = Request().response_format(dict[str, Any]).to_dict()["response_format"]
        self.assertIs(loose["json_schema"]["strict"], False)

    def test_what_is_no_object_is_wrapped_in_one(self) -> None:
        sent = Request().response_format(list[Report]).to_dict()["response_format"]["json_schema"]
        self.assertEqual(list(sent["schema"]["properties"]), ["value"])
        with scripted(model="echo") as client:
            self.assertEqual(client.ask_for(list[int], '{"value":[1,2]}'), [1, 2])
            self.assertEqual(client.ask_for(str, '{"value":"a"}'), "a")
            with self.assertRaisesRegex(AnswerFormatError, "value"):
                client.ask_for(list[int], "{}")

    def test_an_answer_that_does_not_fit_is_an_error_with_the_answer(self) -> None:
        with scripted(model="echo") as client:
            for text, why in (
                ("Sorry, no.", "Expecting value"),
                ('{"city":"Oslo"}', "celsius: missing"),
                ('{"city":7,"celsius":3}', "city: expected a string, got 7"),
                ('{"city":"Oslo","celsius":3,"wind":1}', "wind: unknown"),
                ("[]", r"expected an object, got \[\]"),
            ):
                with self.assertRaisesRegex(AnswerFormatError, f"Report.*{why}") as raised:
                    client.ask_for(Report, text)
                assert raised.exception.answer is not None
                self.assertEqual(raised.exception.answer.text, text)
                self.assertIsInstance(raised.exception, tolmach.ProtocolError)
            again = pickle.loads(pickle.dumps(raised.exception))
            self.assertEqual(again.answer, raised.exception.answer)

    def test_the_error_says_why_there_is_no_such_answer(self) -> None:
        call = ToolCall("call_1", "weather", "{}")
        for answer, why in (
            (Answer(refusal="I will not."), "the model refuses: I will not."),
            (Answer(text='{"city":', finish_reason="length"), "it was cut at its length limit"),
            (Answer(tool_calls=(call,), finish_reason="tool_calls"), "it calls tools"),
        ):
            with self.assertRaisesRegex(AnswerFormatError, why):
                answer.parse(Report)

    def test_a_block_of_markdown_is_opened(self) -> None:
        with scripted(model="echo") as client:
            text = f"```json\n{REPORT}\n```"
            self.assertEqual(client.ask_for(Report, text), Report("Oslo", 3.0))

    def test_a_type_without_a_schema_is_a_type_error(self) -> None:
        with scripted() as client:
            for kind in (object(), bytes, dict[int, str], Request):
                self.assertRaises(TypeError, client.ask_for, kind, "hello")


class Asynchronously(AsyncTestCase):
    async def test_tasks_ask(self) -> None:
        async with scripted() as client:
            answers = await asyncio.gather(*(client.ask_async(ask("words")) for _ in range(20)))
            self.assertEqual({answer.text for answer in answers}, {"One two three."})
            report = await client.ask_for_async(Report, ask("gpt-4o"))
            self.assertEqual(report, Report("Oslo", 3.0))
            with self.assertRaises(AnswerFormatError):
                await client.ask_for_async(Report, ask("words"))

    async def test_cancelling_the_task_ends_the_request(self) -> None:
        message = unique()
        async with scripted() as client:
            stream = client.stream(ask("held", message))
            self.assertEqual(await auntil_text(stream), "first ")
            reading = asyncio.create_task(stream.answer_async())
            await asyncio.sleep(0)
            reading.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await reading
            self.assertEqual((await client.ask_async(ask("was-closed", message))).text, "closed")

    async def test_asking_can_be_left(self) -> None:
        async with scripted() as client:
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(client.ask_async(ask("silent", unique())), 0.05)
