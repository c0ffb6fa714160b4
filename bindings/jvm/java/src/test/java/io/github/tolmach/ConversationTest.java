package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ConversationTest {
    static final String TOOLS = "[{\"type\":\"function\",\"function\":{\"name\":\"NAME\",\"parameters\":"
            + "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}}]";

    /** A tool call put together of its pieces. */
    static final class Call {
        String id = "";
        String name = "";
        String arguments = "";

        Call(Session session) {
            for (Chunk chunk : session) {
                if (chunk.getKind() != Chunk.Kind.TOOL_CALL) continue;
                assertEquals(0, chunk.getIndex());
                id += chunk.getId();
                name += chunk.getName();
                arguments += chunk.getText();
            }
        }
    }

    @Test
    void conversationOfThreeTurnsWithAToolLosesNothing() {
        String result = "3 degrees, a NUL \0 and 👩‍👩‍👧 in it";
        try (Client client = Stage.client();
                Request request = new Request("weather")
                        .set("tools", TOOLS.replace("NAME", "weather"))
                        .message("user", "How warm is it in Oslo?")) {
            try (Session session = client.open(request)) {
                Call call = new Call(session);
                assertEquals("call_1 weather {\"city\":\"Oslo\"}", call.id + " " + call.name + " " + call.arguments);
                assertTrue(session.reply().contains("\"call_1\""), session.reply());
                request.reply(session).toolResult(call.id, result);
            }
            try (Session session = client.open(request)) {
                assertEquals("It is " + result + ".", Stage.textOf(session));
                request.reply(session);
            }
            request.message("user", "Thank you. And tomorrow?");
            try (Session session = client.open(request)) {
                assertEquals("After 4 messages.", Stage.textOf(session));
            }
        }
    }

    @Test
    void requestIsWrittenAsJsonAndReadBack() {
        try (Request request = new Request("words").message("system", "Be brief. 👋").set("temperature", "0.5");
                Request copy = Request.fromJson(request.json())) {
            assertTrue(request.json().contains("\"Be brief. 👋\""), request.json());
            assertTrue(request.json().contains("\"temperature\":0.5"), request.json());
            assertEquals(request.json(), copy.json());
            copy.set("temperature", "null");
            assertTrue(!copy.json().contains("temperature"), copy.json());
        }
    }

    @Test
    void sessionAsksWhatTheRequestWasWhenItWasOpened() {
        Client client = Stage.client();
        Request request = new Request("words").message("user", "Hi");
        try (Session session = client.open(request)) {
            request.set("model", "\"html\"").close();
            client.close();
            assertEquals("One two three.", Stage.textOf(session));
        }
    }

    @Test
    void clientNamesTheModelWhereTheRequestDoesNot() {
        try (Client client = Stage.client("model", "emoji"); Request request = new Request().message("user", "Hi")) {
            try (Session session = client.open(request)) {
                assertEquals(Stage.EMOJI, Stage.textOf(session));
            }
        }
    }
}
