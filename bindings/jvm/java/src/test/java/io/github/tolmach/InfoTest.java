package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class InfoTest {
    @Test
    void sessionTellsWhatItKnows() throws Exception {
        try (Script script = new Script(Script.answer(Script.says("Hi"), Script.finish("stop")));
                Client client = script.client()) {
            Session session = Stage.open(client, "any", "Hi");
            assertEquals("Hi", session.answer().text());
            SessionInfo info = session.info();
            assertTrue(info.id() > 0);
            assertEquals(1, info.attempts());
            assertEquals("[]", info.changed());
            assertEquals("req-1", info.requestId());
            assertEquals("openai", info.provider());
            assertEquals("req-1", session.header("X-Request-Id"));
            assertNull(session.header("x-other"));
            assertThrows(NullPointerException.class, () -> session.header(null));
            session.close();
            assertThrows(IllegalStateException.class, session::info);
            assertThrows(IllegalStateException.class, () -> session.header("x"));
        }
    }

    @Test
    void rawCallGivesTheBody() throws Exception {
        byte[] body = "{\"a\":1}".getBytes(StandardCharsets.UTF_8);
        try (Script script = new Script(Script.answer("one")); Client client = script.client()) {
            ByteArrayOutputStream given = new ByteArrayOutputStream();
            try (Session session = client.openRaw("POST", "/files", null, body)) {
                for (Chunk chunk : session) {
                    assertEquals(Chunk.Kind.BODY, chunk.getKind());
                    given.write(chunk.getBytes());
                }
            }
            assertEquals("data: one\n\ndata: [DONE]\n\n", given.toString(StandardCharsets.UTF_8));
            assertEquals("{\"a\":1}", script.sent.take());
            assertThrows(TolmachException.Argument.class, () -> client.openRaw("LOOK", "/files", null, null));
            assertThrows(TolmachException.Argument.class, () -> client.openRaw("GET", "files", null, null));
            assertThrows(NullPointerException.class, () -> client.openRaw(null, "/files", null, null));
        }
    }

    @Test
    void cancelAllEndsEverySession() throws Exception {
        try (Client client = Stage.client();
                Session one = Stage.open(client, "held", Stage.unique());
                Session two = Stage.open(client, "held", Stage.unique())) {
            assertEquals("first ", Stage.nextText(one));
            client.cancelAll();
            assertThrows(TolmachException.Cancelled.class, one::answer);
            assertThrows(TolmachException.Cancelled.class, two::answer);
            assertEquals("One two three.", Stage.play(client, "words", "Hi"));
        }
    }

    @Test
    void modelsComeAsChunks() throws Exception {
        try (Client client = Stage.client(); Session session = client.openModels()) {
            int count = 0;
            for (Chunk chunk : session) {
                assertEquals(Chunk.Kind.MODEL, chunk.getKind());
                assertTrue(!chunk.getId().isEmpty());
                count++;
            }
            assertEquals(client.listModels().size(), count);
        }
    }
}
