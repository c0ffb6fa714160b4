import asyncio

from support import TestCase, atext_of, real, text_of
from test_conversation import ToolCall
from tolmach import RateLimitedError, Request, TruncatedError

HELLO = "Hello from a server that nobody here wrote: Привет, 世界 👋!"


class RealServer(TestCase):
    def test_an_answer_is_streamed(self) -> None:
        with real() as client, client.stream("hello") as stream:
            self.assertEqual(text_of(stream), HELLO)

    def test_an_answer_is_streamed_to_a_task(self) -> None:
        async def ask() -> str:
            async with real() as client, client.stream("hello") as stream:
                return await atext_of(stream)

        self.assertEqual(asyncio.run(ask()), HELLO)

    def test_too_many_requests_are_typed(self) -> None:
        with real(max_retries=0) as client, client.stream("too fast") as stream:
            with self.assertRaises(RateLimitedError) as raised:
                text_of(stream)
        self.assertEqual((raised.exception.http_status, raised.exception.retry_after), (429, 7.0))

    def test_a_cut_answer_is_truncated(self) -> None:
        with real() as client, client.stream("cut me off") as stream:
            self.assertRaises(TruncatedError, text_of, stream)

    def test_models_are_listed(self) -> None:
        with real() as client:
            self.assertTrue(client.models())

    def test_a_tool_is_called_and_answered(self) -> None:
        function = {"name": "get_weather", "parameters": {"type": "object"}}
        conversation = Request().set("tools", [{"type": "function", "function": function}])
        conversation.user("weather")
        with real() as client:
            with client.stream(conversation) as stream:
                call = ToolCall(stream)
                conversation.reply(stream)
            self.assertEqual((call.name, call.arguments), ("get_weather", {"city": "Oslo"}))
            conversation.tool_result(call.id, "3 °C")
            with client.stream(conversation) as stream:
                self.assertEqual(text_of(stream), "Three degrees in Oslo.")
