package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class RealServerTest {
    private static Client client() {
        return Stage.clientAt(Stage.variable("TOLMACH_TEST_REAL_URL"), Stage.variable("TOLMACH_TEST_REAL_KEY"));
    }

    @Test
    void realAnswerStreamsToItsEnd() {
        int texts = 0;
        StringBuilder text = new StringBuilder();
        try (Client client = client(); Session session = Stage.open(client, "gpt-4o", "hello")) {
            for (Chunk chunk : session) {
                if (chunk.getKind() != Chunk.Kind.TEXT) continue;
                texts++;
                text.append(chunk.getText());
            }
        }
        assertEquals("Hello from a server that nobody here wrote: Привет, 世界 👋!", text.toString());
        assertTrue(texts > 5, texts + " pieces");
    }

    @Test
    void realToolIsCalledAndItsResultAnswered() {
        try (Client client = client();
                Request request = new Request("gpt-4o")
                        .set("tools", ConversationTest.TOOLS.replace("NAME", "get_weather"))
                        .message("user", "weather")) {
            try (Session session = client.open(request)) {
                ConversationTest.Call call = new ConversationTest.Call(session);
                assertEquals("get_weather {\"city\":\"Oslo\"}", call.name + " " + call.arguments);
                request.reply(session).toolResult(call.id, "3");
            }
            try (Session session = client.open(request)) {
                assertEquals("Three degrees in Oslo.", Stage.textOf(session));
            }
        }
    }

    @Test
    void realRateLimitTellsWhenToReturn() {
        try (Client client = client()) {
            TolmachException error =
                    assertThrows(TolmachException.RateLimited.class, () -> Stage.play(client, "gpt-4o", "too fast"));
            assertEquals(Duration.ofSeconds(7), error.getRetryAfter());
            assertTrue(error.getMessage().contains("Slow down"), error.getMessage());
        }
    }

    @Test
    void realAnswerThatIsCutIsTruncated() throws Exception {
        try (Client client = client(); Session session = Stage.open(client, "gpt-4o", "cut me off")) {
            Stage.nextText(session);
            assertThrows(TolmachException.Truncated.class, () -> Stage.textOf(session));
        }
    }

    @Test
    void realModelsAreListed() throws Exception {
        try (Client client = client()) {
            assertTrue(client.listModels().stream().anyMatch(model -> model.getId().equals("gpt-4o")));
        }
    }
}
