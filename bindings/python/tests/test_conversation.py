import json
from typing import Any

from support import TestCase, ask, scripted, text_of
from tolmach import ChunkKind, Request, Session

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


class ToolCall:
    """A tool call, put together from its pieces."""

    def __init__(self, stream: Session) -> None:
        self.id = self.name = arguments = ""
        for chunk in stream:
            if chunk.kind == ChunkKind.TOOL_CALL:
                self.id += chunk.id
                self.name += chunk.name
                arguments += chunk.text
        self.arguments: Any = json.loads(arguments)


class Conversation(TestCase):
    def converse(self, close_first: bool) -> None:
        with scripted() as client:
            conversation = Request("weather").set("tools", [TOOL]).user("How is it in Oslo?")
            for answer in ("", "It is 3 °C.", "After 4 messages."):
                with client.stream(conversation) as stream:
                    if answer:
                        self.assertEqual(text_of(stream), answer)
                    else:
                        call = ToolCall(stream)
                        self.assertEqual((call.name, call.arguments), ("weather", {"city": "Oslo"}))
                    if not close_first:
                        conversation.reply(stream)
                if close_first:
                    conversation.reply(stream)
                if not answer:
                    conversation.tool_result(call.id, "3 °C")
                else:
                    conversation.user("And now?")
        roles = [message["role"] for message in conversation.to_dict()["messages"]]
        self.assertEqual(
            roles, ["user", "assistant", "tool", "assistant", "user", "assistant", "user"]
        )

    def test_three_turns_with_a_tool(self) -> None:
        self.converse(close_first=False)

    def test_the_reply_outlives_the_session(self) -> None:
        self.converse(close_first=True)

    def test_a_broken_off_answer_is_replied_as_far_as_it_came(self) -> None:
        with scripted() as client, client.stream(ask("held", "half an answer")) as stream:
            for chunk in stream:
                if chunk.kind == ChunkKind.TEXT:
                    break
        self.assertEqual(stream.reply, {"role": "assistant", "content": "first "})

    def test_an_answer_of_which_nothing_came_is_no_message(self) -> None:
        request = ask("held", "an answer that nobody reads")
        before = request.to_dict()
        with scripted() as client, client.stream(request) as stream:
            self.assertEqual(stream.reply, {})
            self.assertEqual(request.reply(stream).to_dict(), before)
        self.assertEqual(stream.reply, {})
        self.assertEqual(request.reply(stream).to_dict(), before)

    def test_a_request_is_a_dict_and_back(self) -> None:
        request = Request("words").system("Be brief.").user("a\0b 👋").set("temperature", 0.5)
        as_dict = request.to_dict()
        self.assertEqual(as_dict["model"], "words")
        self.assertEqual(as_dict["temperature"], 0.5)
        self.assertEqual(as_dict["messages"][1]["content"], "a\0b 👋")
        again = Request.from_dict(as_dict)
        self.assertEqual(again.to_dict(), as_dict)
        self.assertNotIn("temperature", again.set("temperature", None).to_dict())
        self.assertEqual(request.to_dict(), as_dict)
        with scripted() as client, client.stream(again) as stream:
            self.assertEqual(text_of(stream), "One two three.")

    def test_a_request_may_change_while_its_session_runs(self) -> None:
        request = ask("words")
        with scripted() as client, client.stream(request) as stream:
            request.set("model", "emoji").user("another")
            self.assertEqual(text_of(stream), "One two three.")
