import asyncio
import datetime
import enum
import functools
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import tolmach
from support import AsyncTestCase, TestCase, ask, scripted
from tolmach import ArgumentError, Request, Tool, TooManyRoundsError, _schema

WARMTH = {"Oslo": "3 °C", "Bergen": "5 °C"}


def weather(city: Annotated[str, "the city"]) -> str:
    """How warm it is in a city."""
    return WARMTH[city]


class Unit(enum.Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


@dataclass
class Node:
    name: str
    children: "list[Node]" = field(default_factory=list)


@dataclass
class Point:
    x: float
    y: float = field(default=0.0, metadata={"description": "upwards"})

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x is left of the map")


class Box(TypedDict, total=False):
    width: int


def calls(*wanted: "tuple[str, object]", model: str = "calls") -> Request:
    """A request to which the model answers with these calls."""
    texts = [(name, given if isinstance(given, str) else json.dumps(given)) for name, given in wanted]
    return ask(model, json.dumps(texts))


def results(request: Request) -> "list[str]":
    messages = request.to_dict()["messages"]
    return [each["content"] for each in messages if each["role"] == "tool"]


class Loop(TestCase):
    def test_tools_run_until_the_model_answers(self) -> None:
        request = ask("tools")
        with scripted() as client:
            answer = client.run(request, [weather])
        self.assertEqual(answer.text, "Oslo: 3 °C, Bergen: 5 °C.")
        roles = [message["role"] for message in request.to_dict()["messages"]]
        self.assertEqual(roles, ["user", "assistant", "tool", "tool", "assistant"])
        self.assertEqual(request.to_dict()["messages"][-1]["content"], answer.text)

    def test_what_a_tool_gives_is_text_or_json(self) -> None:
        def gives(what: str) -> object:
            """Gives things."""
            given = {"text": "a \"b\"", "none": None, "list": [1, "é"], "class": Point(1),
                     "unit": Unit.CELSIUS, "day": datetime.date(2026, 1, 2), "set": {1}}
            return given[what]

        expected = ['a "b"', "null", '[1, "é"]', '{"x": 1, "y": 0.0}', '"C"', '"2026-01-02"', "[1]"]
        whats = ["text", "none", "list", "class", "unit", "day", "set"]
        request = calls(*(("gives", {"what": what}) for what in whats))
        with scripted() as client:
            answer = client.run(request, [gives])
        self.assertEqual(json.loads(answer.text), expected)

    def test_a_tool_that_raises_tells_the_model(self) -> None:
        request = calls(("weather", {"city": "Atlantis"}), ("weather", {"city": "Oslo"}))
        with scripted() as client:
            client.run(request, [weather])
        self.assertEqual(results(request), ["error: KeyError: 'Atlantis'", "3 °C"])

    def test_arguments_that_do_not_fit_are_told_to_the_model(self) -> None:
        wrong: "tuple[object, ...]" = ({"city": 7}, {}, {"city": "Oslo", "day": 1}, [])
        for arguments, told in zip(wrong, (
            "city: expected a string, got 7", "city: missing", "day: unknown; there are city",
            "the arguments are no JSON object",
        )):
            request = calls(("weather", arguments))
            with scripted() as client:
                client.run(request, [weather])
            (result,) = results(request)
            self.assertIn(f"error: ValueError: the arguments do not fit: {told}", result)

    def test_arguments_that_are_not_json_are_an_error(self) -> None:
        request = calls(("weather", '{"city":'))
        with scripted() as client:
            with self.assertRaisesRegex(tolmach.AnswerFormatError, "not JSON") as raised:
                client.run(request, [weather])
        self.assertIsNotNone(raised.exception.answer)
        self.assertEqual(request.count, 1)

    def test_a_call_of_an_unknown_tool_is_told_to_the_model(self) -> None:
        request = calls(("clock", {}))
        with scripted() as client:
            client.run(request, [weather])
        self.assertEqual(
            results(request), ["error: LookupError: there is no tool clock; there are weather"]
        )

    def test_too_many_rounds_are_an_error_with_the_answer_so_far(self) -> None:
        request = calls(("weather", {"city": "Oslo"}), model="calls-for-ever")
        with scripted() as client:
            with self.assertRaisesRegex(TooManyRoundsError, "max_rounds") as raised:
                client.run(request, [weather], max_rounds=3)
            assert raised.exception.answer is not None
            self.assertEqual(raised.exception.answer.tool_calls[0].name, "weather")
            self.assertIsInstance(raised.exception, tolmach.TooLargeError)
            # Every call in the request has its result, so that it can be run again.
            self.assertEqual(results(request), ["3 °C"] * 2)
            self.assertRaises(TooManyRoundsError, client.run, request, [weather], max_rounds=1)
            self.assertRaises(ArgumentError, client.run, request, [weather], max_rounds=0)

    def test_a_tool_that_is_interrupted_leaves_the_request_as_it_was(self) -> None:
        def interrupted(city: str) -> str:
            raise KeyboardInterrupt

        request = ask("tools")
        with scripted() as client, self.assertRaises(KeyboardInterrupt):
            client.run(request, [Tool(interrupted, name="weather")])
        self.assertEqual(request.count, 1)

    def test_a_failed_request_leaves_what_there_was(self) -> None:
        def fail(model: str) -> str:
            """Has the next answer fail."""
            request.set("model", model)
            return "done"

        request = calls(("fail", {"model": "status-429"}))
        with scripted(max_retries=0) as client:
            self.assertRaises(tolmach.RateLimitedError, client.run, request, [fail])
            self.assertEqual(results(request), ["done"])
            self.assertEqual(client.run(request.set("model", "calls"), [fail]).text, '["done"]')

    def test_classes_are_tools(self) -> None:
        import pydantic

        @dataclass
        class Weather:
            """How warm it is in a city."""

            city: str

            def __call__(self) -> str:
                return WARMTH[self.city]

        class Clock(pydantic.BaseModel):
            """What time it is."""

            zone: int = pydantic.Field(le=12)

            def __call__(self) -> str:
                return f"{self.zone} o'clock"

        request = calls(("Weather", {"city": "Oslo"}), ("Clock", {"zone": 5}), ("Clock", {"zone": 13}))
        with scripted() as client:
            client.run(request, [Weather, Clock])
        warm, clock, wrong = results(request)
        self.assertEqual((warm, clock), ("3 °C", "5 o'clock"))
        self.assertIn("less than or equal to 12", wrong)
        tools = request.to_dict()["tools"]
        self.assertEqual(tools[1]["function"]["description"], "What time it is.")

    def test_a_class_may_be_what_a_call_is_parsed_as(self) -> None:
        request = calls(("Point", {"x": 1})).tool(Point)
        with scripted() as client:
            (call,) = client.ask(request).tool_calls
            self.assertEqual(call.parse(Point), Point(1.0))
            self.assertRaises(ArgumentError, client.run, request, [Point])

    def test_methods_and_partials_are_tools(self) -> None:
        class House:
            warmth = "21 °C"

            def indoors(self, room: str = "hall") -> str:
                """How warm a room is."""
                return f"{room}: {self.warmth}"

        def warm(city: str, *, unit: Unit) -> str:
            return f"{WARMTH[city]} {unit.name}"

        partial = Tool(functools.partial(warm, unit=Unit.CELSIUS), name="warm", description="How warm.")
        request = calls(("indoors", ""), ("indoors", {"room": "bath"}), ("warm", {"city": "Oslo"}))
        with scripted() as client:
            client.run(request, [House().indoors, partial])
        self.assertEqual(results(request), ["hall: 21 °C", "bath: 21 °C", "3 °C CELSIUS"])

    def test_wrong_tools_are_errors_before_anything_is_asked(self) -> None:
        async def later() -> None: ...

        def unsaid(city) -> str:  # type: ignore[no-untyped-def]
            return ""

        def many(*cities: str) -> str:
            return ""

        def raw(data: bytes) -> str:
            return ""

        def strange(there: "Nowhere") -> str:  # type: ignore[name-defined] # noqa: F821
            return ""

        with scripted() as client:
            for tool, kind, why in (
                (later, ArgumentError, "run_async"),
                (unsaid, TypeError, "city has no annotation"),
                (many, TypeError, "cities"),
                (raw, TypeError, "bytes has no JSON schema"),
                (strange, TypeError, "Nowhere"),
                (lambda: "", ArgumentError, "name"),
                (Tool(weather, name="no blanks"), ArgumentError, "name"),
            ):
                with self.assertRaisesRegex(kind, why):
                    client.run(ask("words"), [tool])
            self.assertRaises(ArgumentError, client.run, ask("words"), [weather, weather])


class AsyncLoop(AsyncTestCase):
    async def test_async_tools_are_awaited_at_once_and_others_run_in_threads(self) -> None:
        both = asyncio.Event()
        loop_thread = threading.current_thread()

        async def first(n: int) -> str:
            await both.wait()
            return "first"

        async def second() -> str:
            both.set()
            return "second"

        def third() -> str:
            return "third" if threading.current_thread() is not loop_thread else "in the loop"

        request = calls(("first", {"n": 1}), ("second", {}), ("third", {}), ("first", {}))
        async with scripted() as client:
            answer = await client.run_async(request, [first, second, third])
        *told, wrong = json.loads(answer.text)
        self.assertEqual(told, ["first", "second", "third"])
        self.assertIn("n: missing", wrong)

    async def test_cancelling_the_task_cancels_the_tool(self) -> None:
        started, cancelled = asyncio.Event(), asyncio.Event()

        async def waits() -> str:
            try:
                started.set()
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return ""

        request = calls(("waits", {}))
        async with scripted() as client:
            running = asyncio.create_task(client.run_async(request, [waits]))
            await started.wait()
            running.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await running
        self.assertTrue(cancelled.is_set())
        self.assertEqual(request.count, 1)


class Schemas(TestCase):
    def test_a_function_has_its_schema(self) -> None:
        def search(
            query: Annotated[str, "what to look for"],
            pages: "list[int]",
            unit: Literal["C", "F"] = "C",
            where: Optional[Point] = None,
        ) -> str:
            """Searches.

            In many pages.
            """
            return ""

        tool = Tool(search)
        self.assertEqual((tool.name, tool.description), ("search", "Searches.\n\nIn many pages."))
        point = {
            "type": "object",
            "properties": {
                "x": {"type": "number"},
                "y": {"type": "number", "description": "upwards", "default": 0.0},
            },
            "required": ["x"],
            "additionalProperties": False,
        }
        self.assertEqual(tool.schema, {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "what to look for"},
                "pages": {"type": "array", "items": {"type": "integer"}},
                "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
                "where": {"anyOf": [point, {"type": "null"}]},
            },
            "required": ["query", "pages"],
            "additionalProperties": False,
        })
        (sent,) = Request().tool(search).to_dict()["tools"]
        self.assertEqual(sent["function"]["parameters"], tool.schema)
        self.assertEqual(sent["function"]["description"], tool.description)

    def test_types_have_schemas_and_take_what_fits_alone(self) -> None:
        day = datetime.date(2026, 1, 2)
        moment = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)
        kinds: "list[tuple[Any, dict[str, Any], list[tuple[Any, Any]], list[Any]]]" = [
            (int, {"type": "integer"}, [(1, 1), (2.0, 2)], [True, 1.5, "1", None]),
            (float, {"type": "number"}, [(1, 1.0)], [True, "1"]),
            (bool, {"type": "boolean"}, [(True, True)], [1, "true"]),
            (Any, {}, [(None, None), ([1], [1])], []),
            (Unit, {"type": "string", "enum": ["C", "F"]}, [("C", Unit.CELSIUS)], ["K", 1, []]),
            (Literal[1, "a"], {"enum": [1, "a"]}, [(1, 1), ("a", "a")], [True, "1"]),
            (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}, [(None, None)], [""]),
            (Union[float, int], {"anyOf": [{"type": "number"}, {"type": "integer"}]}, [(1, 1)], [""]),
            (Sequence[str], {"type": "array", "items": {"type": "string"}}, [(["a"], ["a"])], ["a", [1]]),
            ("set[int]", {"type": "array", "items": {"type": "integer"}}, [([1, 1], {1})], [1]),
            (
                tuple[int, str],
                {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
                 "minItems": 2, "maxItems": 2},
                [([1, "a"], (1, "a"))], [[1], ["a", 1]],
            ),
            (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}, [([1, 2], (1, 2))], [["a"]]),
            (
                dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}},
                [({"a": 1}, {"a": 1})], [{"a": "b"}, []],
            ),
            (datetime.date, {"type": "string", "format": "date"}, [("2026-01-02", day)], ["soon", 1]),
            (
                datetime.datetime, {"type": "string", "format": "date-time"},
                [("2026-01-02T03:04:00Z", moment)], ["soon"],
            ),
            (
                Box,
                {"type": "object", "properties": {"width": {"type": "integer"}}, "required": [],
                 "additionalProperties": False},
                [({}, {}), ({"width": 1}, {"width": 1})], [{"height": 1}, {"width": ""}],
            ),
        ]
        for kind, schema, fitting, others in kinds:
            kind = set[int] if kind == "set[int]" else kind
            with self.subTest(kind=kind):
                self.assertEqual(_schema.schema_of(kind), schema)
                for value, parsed in fitting:
                    made = _schema.parse(kind, value)
                    self.assertEqual((made, type(made)), (parsed, type(parsed)))
                for value in others:
                    self.assertRaises(_schema.Misfit, _schema.parse, kind, value)

    def test_a_type_that_holds_itself_is_a_definition(self) -> None:
        schema = _schema.schema_of(Node)
        self.assertEqual(schema["$ref"], "#/$defs/Node")
        items = schema["$defs"]["Node"]["properties"]["children"]["items"]
        self.assertEqual(items, {"$ref": "#/$defs/Node"})
        tree = _schema.parse(Node, {"name": "a", "children": [{"name": "b"}]})
        self.assertEqual(tree, Node("a", [Node("b")]))
        with self.assertRaisesRegex(_schema.Misfit, r"^children\[1\].name: missing$"):
            _schema.parse(Node, {"name": "a", "children": [{"name": "b"}, {}]})

    def test_definitions_of_pydantic_are_at_the_root(self) -> None:
        import pydantic

        class Inner(pydantic.BaseModel):
            n: int

        class Outer(pydantic.BaseModel):
            inner: Inner

        schema = _schema.schema_of(list[Outer])
        self.assertEqual(schema["items"]["properties"]["inner"], {"$ref": "#/$defs/Inner"})
        self.assertIn("n", schema["$defs"]["Inner"]["properties"])
        self.assertEqual(
            _schema.parse(list[Outer], [{"inner": {"n": 1}}]), [Outer(inner=Inner(n=1))]
        )
        with self.assertRaisesRegex(_schema.Misfit, r"\[0\]"):
            _schema.parse(list[Outer], [{}])

    def test_a_class_that_refuses_its_values_says_why(self) -> None:
        with self.assertRaisesRegex(_schema.Misfit, "x is left of the map"):
            _schema.parse(Point, {"x": -1})
