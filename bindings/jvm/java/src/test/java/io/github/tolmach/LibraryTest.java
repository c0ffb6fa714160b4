package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

@Isolated("the log is the whole process's")
class LibraryTest {
    @Test
    void versionIsTheLibrarys() {
        assertTrue(Tolmach.version().matches("\\d+\\.\\d+\\.\\d+.*"), Tolmach.version());
    }

    @Test
    void providersAreListed() {
        Provider openai = Tolmach.providers().stream()
                .filter(provider -> provider.getName().equals("openai"))
                .findFirst()
                .orElseThrow();
        assertEquals("OPENAI_API_KEY", openai.getApiKeyEnv());
        assertTrue(openai.getBaseUrl().startsWith("https://"));
        assertTrue(openai.getCapabilities().containsAll(List.of(Capability.STREAM, Capability.LIST_MODELS)));
    }

    @Test
    void modelsAreListed() throws Exception {
        try (Client client = Stage.client()) {
            List<Model> models = client.listModels();
            assertEquals("[words, emoji]", models.toString());
            assertEquals(4096, models.get(0).getContextLength());
            assertEquals("stage", models.get(0).getOwner());
            assertTrue(models.get(0).getJson().contains("\"context_length\":4096"));
        }
    }

    @Test
    void modelsThatDoNotComeAreATimeout() throws Exception {
        try (ServerSocket mute = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Client client = Stage.clientAt(CancellingTest.url(mute), Stage.KEY)) {
            assertThrows(TolmachException.Timeout.class, () -> client.listModels(Duration.ofNanos(1)));
        }
    }

    @Test
    void modelsForAWrongKeyAreAuth() {
        try (Client client = Stage.clientAt(Stage.URL, "wrong")) {
            assertThrows(TolmachException.Auth.class, client::listModels);
        }
    }

    @Test
    void logTellsWhatHappensButNoSecrets() throws Exception {
        BlockingQueue<String> lines = new LinkedBlockingQueue<>();
        List<String> heard = new ArrayList<>();
        Tolmach.setLog(Tolmach.Level.TRACE, (level, session, message) -> {
            Thread.currentThread().setUncaughtExceptionHandler((thread, e) -> {});
            lines.add(level + " " + (session > 0) + " " + message);
            throw new IllegalStateException("on purpose");
        });
        try (Client client = Stage.client()) {
            Stage.play(client, "words", "a prompt that is secret");
            heard.add(lines.take());
            heard.add(lines.take());
        } finally {
            Tolmach.setLog(Tolmach.Level.ERROR, null);
        }
        heard.addAll(lines);
        assertTrue(heard.stream().anyMatch(line -> line.startsWith("DEBUG true http: asking ")), heard.toString());
        for (String line : heard) {
            assertFalse(line.contains(Stage.KEY) || line.contains("secret"), line);
        }
    }
}
