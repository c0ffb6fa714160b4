package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ToolsTest {
    record Place(@Described("its name in English") String city) {}

    record Nothing() {}

    private static Tool weather() {
        return Tool.of("weather", "The weather at a place", Place.class, place ->
                Map.of("Oslo", "3 °C", "Bergen", "5 °C").get(place.city()));
    }

    /** The roles of the messages of a request. */
    private static String roles(Request request) throws Exception {
        StringBuilder roles = new StringBuilder();
        for (Object message : (List<?>) ((Map<?, ?>) Json.parse(request.json())).get("messages")) {
            roles.append(((Map<?, ?>) message).get("role")).append(' ');
        }
        return roles.toString().strip();
    }

    @Test
    void runCallsToolsUntilTheAnswer() throws Exception {
        try (Client client = Stage.client();
                Request one = new Request("weather").message("user", "How warm is it?");
                Request two = new Request("tools").message("user", "How warm is it?")) {
            assertEquals("It is 3 °C.", client.run(one, List.of(weather()), 2).text());
            assertEquals("user assistant tool assistant", roles(one));
            assertEquals("Oslo: 3 °C, Bergen: 5 °C.", client.run(two, List.of(weather()), 2).text());
            assertEquals("user assistant tool tool assistant", roles(two));
        }
    }

    @Test
    void modelIsToldWhatIsWrongWithItsCalls() throws Exception {
        try (Script script = new Script(
                        Script.answer(
                                Script.call(0, "weather", "{\"city\":7}"),
                                Script.call(1, "climate", "{}"),
                                Script.call(2, "fails", ""),
                                Script.call(3, "weather", "{\"city\":\"Oslo\"}"),
                                Script.call(4, "numbers", "{}"),
                                Script.call(5, "by_hand", "{\"x\":1}"),
                                Script.finish("tool_calls")),
                        Script.answer(Script.says("Well."), Script.finish("stop")));
                Client client = script.client();
                Request request = new Request("any").message("user", "Hi")) {
            List<Tool> tools = List.of(
                    weather(),
                    Tool.of("fails", "", Nothing.class, nothing -> {
                        throw new IllegalStateException("out of order");
                    }),
                    Tool.of("numbers", "", Nothing.class, nothing -> List.of(1, 2)),
                    new Tool("by_hand", "", "", arguments -> arguments));
            assertEquals("Well.", client.run(request, tools, 5).text());
            String first = script.sent.take();
            for (String part : List.of("\"The weather at a place\"", "\"its name in English\"", "\"by_hand\"")) {
                assertTrue(first.contains(part), first);
            }
            List<?> messages = (List<?>) ((Map<?, ?>) Json.parse(script.sent.take())).get("messages");
            List<String> results = List.of(
                    "error: wrong arguments: city is of type integer, not string",
                    "error: there is no tool climate",
                    "error: out of order",
                    "3 °C",
                    "[1,2]",
                    "{\"x\":1}");
            assertEquals(8, messages.size());
            for (int i = 0; i < results.size(); i++) {
                Map<?, ?> message = (Map<?, ?>) messages.get(i + 2);
                assertEquals(String.valueOf(i + 1), message.get("tool_call_id"));
                assertEquals(results.get(i), message.get("content"));
            }
        }
    }

    @Test
    void runEndsAfterItsRounds() throws Exception {
        String[] again = Script.answer(Script.call(0, "weather", "{\"city\":\"Oslo\"}"), Script.finish("tool_calls"));
        try (Script script = new Script(again, again, Script.answer(Script.says("At last."), Script.finish("stop")));
                Client client = script.client();
                Request request = new Request("any").message("user", "Hi")) {
            TolmachException e = assertThrows(
                    TolmachException.TooManyRounds.class, () -> client.run(request, List.of(weather()), 2));
            assertEquals(1, e.getAnswer().toolCalls().size());
            assertEquals("user assistant tool assistant tool", roles(request));
            assertEquals("At last.", client.run(request, List.of(weather()), 1).text());
            assertThrows(TolmachException.Argument.class, () -> client.run(request, List.of(), 0));
        }
    }

    @Test
    void failedTurnLeavesTheRequestAsItWas() throws Exception {
        try (Client client = Stage.client();
                Request request = new Request("weather").message("user", "Hi");
                Request cut = new Request("truncated").message("user", "Hi")) {
            Tool stop = Tool.of("weather", "", Place.class, place -> {
                throw new InterruptedException();
            });
            assertThrows(InterruptedException.class, () -> client.run(request, List.of(stop), 5));
            assertEquals("user", roles(request));
            assertEquals("It is 3 °C.", client.run(request, List.of(weather()), 5).text());
            TolmachException e = assertThrows(TolmachException.Truncated.class, () -> client.run(cut, List.of(), 5));
            assertEquals("first ", e.getAnswer().text());
            assertEquals("user", roles(cut));
        }
    }

    @Test
    void callThatIsNotWholeIsAnError() throws Exception {
        try (Script script = new Script(Script.answer(Script.call(0, "weather", "{\"city\":"), Script.finish("length")));
                Client client = script.client();
                Request request = new Request("any").message("user", "Hi")) {
            TolmachException e = assertThrows(
                    TolmachException.AnswerFormat.class, () -> client.run(request, List.of(weather()), 5));
            assertEquals("length", e.getAnswer().finishReason());
            assertEquals("user", roles(request));
        }
    }

    @Test
    void wrongToolIsRefused() {
        try (Request request = new Request("any")) {
            for (Tool tool : List.of(
                    new Tool("", "", "", a -> a),
                    new Tool("a b", "", "", a -> a),
                    new Tool("x\0", "", "", a -> a),
                    new Tool("x", "\0", "", a -> a),
                    new Tool("x", "", "[]", a -> a))) {
                assertThrows(TolmachException.Argument.class, () -> request.tool(tool));
            }
            assertThrows(TolmachException.Argument.class, () -> Tool.of("x", "", Integer.class, n -> n));
            assertThrows(NullPointerException.class, () -> Tool.of("x", "", null, n -> n));
            assertThrows(NullPointerException.class, () -> new Tool("x", "", "", null));
            assertThrows(NullPointerException.class, () -> request.tool((Tool) null));
            assertTrue(!request.json().contains("tools"), request.json());
        }
    }

    @Test
    void turnIsUndone() {
        try (Request request = new Request("any").message("user", "one").message("user", "two");
                Request copy = request.copy()) {
            request.truncate(1).truncate(7);
            assertEquals(1, request.count());
            assertEquals(2, copy.count());
            assertThrows(TolmachException.Argument.class, () -> request.truncate(-1));
            request.setString("tool_choice", "\"auto\"");
            assertTrue(request.json().contains("\"tool_choice\":\"\\\"auto\\\"\""), request.json());
        }
    }

    @Test
    void optionIsOfOneRequest() {
        try (Client client = Stage.client();
                Request request = new Request("silent").message("user", Stage.unique()).option("total_timeout_ms", "50")) {
            TolmachException e = assertThrows(TolmachException.Timeout.class, () -> client.ask(request));
            assertTrue(e.isTransient());
            e = assertThrows(TolmachException.Argument.class, () -> request.option("base_url", "http://localhost"));
            assertTrue(!e.isTransient());
            request.option("total_timeout_ms", null);
        }
    }

    enum Unit {
        celsius,
        fahrenheit
    }

    record Report(String city, double degrees, Unit unit, List<String> notes) {}

    record Loose(Optional<String> city) {}

    record Kinds(int i, long l, Integer[] more, Set<Boolean> set, Map<String, Place> places, Object any) {}

    record Endless(List<Endless> more) {}

    record Checked(int above) {
        Checked {
            if (above < 0) throw new IllegalArgumentException("below 0");
        }
    }

    @Test
    void answerIsReadIntoARecord() throws Exception {
        try (Script script = new Script(Script.answer(
                        Script.says("{\"city\":\"Oslo\",\"degrees\":3.5,"),
                        Script.says("\"unit\":\"celsius\",\"notes\":[\"cold\"]}"),
                        Script.finish("stop")));
                Client client = script.client();
                Request request = new Request("any").message("user", "Hi")) {
            assertEquals(new Report("Oslo", 3.5, Unit.celsius, List.of("cold")), client.askFor(Report.class, request));
            Map<?, ?> format = (Map<?, ?>) ((Map<?, ?>) Json.parse(script.sent.take())).get("response_format");
            Map<?, ?> given = (Map<?, ?>) format.get("json_schema");
            assertEquals("json_schema", format.get("type"));
            assertEquals(true, given.get("strict"));
            assertEquals(Json.parse(Schema.of(Report.class)), given.get("schema"));
        }
    }

    @Test
    void answerThatDoesNotFitIsAnError() throws Exception {
        Map<String, String[]> wrong = Map.of(
                "There is no JSON.", Script.answer(Script.says("There is no JSON."), Script.finish("stop")),
                "city is missing", Script.answer(Script.says("{\"degrees\":3}"), Script.finish("stop")),
                "unit is \"kelvin\", not one of celsius, fahrenheit",
                Script.answer(Script.says("{\"city\":\"Oslo\",\"degrees\":3,\"unit\":\"kelvin\",\"notes\":[]}"), Script.finish("stop")),
                "it ended with length", Script.answer(Script.says("{\"city\":\"Os"), Script.finish("length")),
                "the model refused: I will not.", Script.answer(Script.delta("'refusal':'I will not.'"), Script.finish("stop")),
                "it is of type array, not object", Script.answer(Script.says("[]"), Script.finish("stop")),
                "too early", Script.answer(Script.says(" "), Script.finish("stop")));
        for (Map.Entry<String, String[]> each : wrong.entrySet()) {
            try (Script script = new Script(each.getValue());
                    Client client = script.client();
                    Request request = new Request("any").message("user", "Hi")) {
                TolmachException e = assertThrows(
                        TolmachException.AnswerFormat.class, () -> client.askFor(Report.class, request));
                assertTrue(e.getMessage().contains(each.getKey()), e.getMessage());
                assertTrue(e.getAnswer() != null);
            }
        }
    }

    private static String misfit(Class<?> type, String json) {
        return assertThrows(Json.Misfit.class, () -> Schema.made(type).read(json)).getMessage();
    }

    @Test
    void everyTypeIsReadAndWritten() throws Exception {
        String json = "{\"i\":1,\"l\":2,\"more\":[3],\"set\":[true],\"places\":{\"a\":{\"city\":\"\\u041e\\n\"}},\"any\":null}";
        Kinds kinds = (Kinds) Schema.made(Kinds.class).read(json);
        assertEquals(3, kinds.more()[0]);
        assertEquals(Set.of(true), kinds.set());
        assertEquals("О\n", kinds.places().get("a").city());
        assertEquals(json.replace("\\u041e\\n", "О\\u000a"), Json.write(kinds));
        assertEquals(new Loose(Optional.empty()), Schema.made(Loose.class).read("{}"));
        assertEquals(new Loose(Optional.of("x")), Schema.made(Loose.class).read("{\"city\":\"x\"}"));
        assertTrue(Schema.made(Loose.class).responseFormat().contains("\"strict\":false"));
        assertEquals("i is too large", misfit(Kinds.class, json.replace(":1,", ":3000000000,")));
        assertEquals("more[0] is of type number, not integer", misfit(Kinds.class, json.replace("[3]", "[3.5]")));
        assertEquals("x is not a field that there is", misfit(Place.class, "{\"city\":\"\",\"x\":1}"));
        assertEquals("it does not fit: below 0", misfit(Checked.class, "{\"above\":-1}"));
        assertThrows(TolmachException.Argument.class, () -> Schema.of(Endless.class));
        assertThrows(TolmachException.Argument.class, () -> Schema.of(String.class));
        for (String bad : List.of("", "{", "[1,]", "01", "1e", "\"\\x\"", "\"\\u12\"", "nul", "1 2", "\"\n\"", "1e9999", "[".repeat(9999))) {
            assertThrows(Json.Misfit.class, () -> Json.parse(bad), bad);
        }
    }
}
