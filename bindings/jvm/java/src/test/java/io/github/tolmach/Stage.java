package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.Thread.State;
import java.util.Base64;
import java.util.EnumSet;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;

/** The scripted server of the tests, and what its scenes say. */
final class Stage {
    static final String URL = variable("TOLMACH_TEST_URL");
    static final String KEY = variable("TOLMACH_TEST_KEY");
    static final String EMOJI = "Привет, 世界 👋 👩‍👩‍👧 ok";
    static final int MANY = 20_000;
    /** A PNG of one pixel. */
    static final byte[] PIXEL = Base64.getDecoder()
            .decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==");

    private Stage() {}

    /** A client of the stage, with more keys and values. */
    static Client client(String... settings) {
        return clientAt(URL, KEY, settings);
    }

    static Client clientAt(String url, String key, String... settings) {
        Client.Builder builder = Client.builder("openai")
                .set("base_url", url)
                .set("api_key", key)
                .set("proxy", "direct")
                .set("max_retries", "0");
        for (int i = 0; i < settings.length; i += 2) builder.set(settings[i], settings[i + 1]);
        return builder.build();
    }

    /** Asks a scene with a message. */
    static Session open(Client client, String scene, String message) {
        try (Request request = new Request(scene).message("user", message)) {
            return client.open(request);
        }
    }

    /** The whole text of a scene. */
    static String play(Client client, String scene, String message) {
        try (Session session = open(client, scene, message)) {
            return textOf(session);
        }
    }

    /** The text that is still to come. */
    static String textOf(Session session) {
        StringBuilder text = new StringBuilder();
        for (Chunk chunk : session) {
            if (chunk.getKind() == Chunk.Kind.TEXT) text.append(chunk.getText());
        }
        return text.toString();
    }

    /** The next piece of text. */
    static String nextText(Session session) throws InterruptedException {
        for (;;) {
            Chunk chunk = Objects.requireNonNull(session.next(), "the answer has ended");
            if (chunk.getKind() == Chunk.Kind.TEXT) return chunk.getText();
        }
    }

    /** Waits until the server has seen the `held` or `silent` of that message closed. */
    static void awaitClosed(Client client, String message) {
        assertEquals("closed", play(client, "was-closed", message));
    }

    /** Waits until a thread waits, or is no more. */
    static void awaitWaiting(Thread thread) throws InterruptedException {
        Set<Thread.State> awaited = EnumSet.of(State.WAITING, State.TIMED_WAITING, State.TERMINATED);
        while (!awaited.contains(thread.getState())) Thread.sleep(1);
    }

    static String unique() {
        return UUID.randomUUID().toString();
    }

    static String variable(String name) {
        return Objects.requireNonNull(System.getenv(name), name + " is not set: run test.sh");
    }
}
