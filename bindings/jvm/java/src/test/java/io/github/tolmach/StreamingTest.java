package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;

class StreamingTest {
    @Test
    void answerIsInHandBeforeItIsWhole() throws Exception {
        String message = Stage.unique();
        try (Client client = Stage.client(); Session session = Stage.open(client, "gated", message)) {
            assertEquals("first ", Stage.nextText(session));
            assertEquals("opened", Stage.play(client, "open", message));
            assertEquals("second", Stage.textOf(session));
        }
    }

    @Test
    void chunksTellReasoningTextUsageAndFinish() throws Exception {
        StringBuilder said = new StringBuilder();
        try (Client client = Stage.client(); Session session = Stage.open(client, "words", "Hi")) {
            for (Chunk chunk : session) {
                switch (chunk.getKind()) {
                    case START:
                        break;
                    case USAGE:
                        Usage usage = chunk.getUsage();
                        said.append(usage.getInput()).append('+').append(usage.getOutput()).append(' ');
                        assertEquals(-1, usage.getCachedInput());
                        assertEquals(-1, usage.getCacheWrite());
                        break;
                    default:
                        said.append(chunk.getKind()).append(':').append(chunk.getText()).append(' ');
                }
            }
            assertNull(session.next(), "the end stays the end");
            assertTrue(session.isReady());
        }
        assertEquals("REASONING:Hm. TEXT:One  TEXT:two  TEXT:three. 3+5 FINISH:stop ", said.toString());
    }

    @Test
    void usageHasEveryCount() {
        Usage usage = null;
        try (Client client = Stage.client(); Session session = Stage.open(client, "counted", "Hi")) {
            for (Chunk chunk : session) {
                if (chunk.getKind() == Chunk.Kind.USAGE) usage = chunk.getUsage();
            }
        }
        assertEquals(9, usage.getInput());
        assertEquals(5, usage.getOutput());
        assertEquals(14, usage.getTotal());
        assertEquals(4, usage.getCachedInput());
        assertEquals(2, usage.getReasoning());
        assertEquals(3, usage.getCacheWrite());
    }

    @Test
    void charactersSplitAcrossReadsArriveWhole() {
        StringBuilder text = new StringBuilder();
        try (Client client = Stage.client(); Session session = Stage.open(client, "emoji", "Hi")) {
            for (Chunk chunk : session) {
                assertFalse(chunk.getText().contains("\uFFFD"), "a chunk is torn");
                if (chunk.getKind() == Chunk.Kind.TEXT) text.append(chunk.getText());
            }
        }
        assertEquals(Stage.EMOJI, text.toString());
    }

    @Test
    void piecesComeInOrderHoweverMany() {
        StringBuilder expected = new StringBuilder();
        for (int i = 0; i < Stage.MANY; i++) expected.append(i).append(' ');
        try (Client client = Stage.client("queue_bytes", "4096")) {
            assertEquals(expected.toString(), Stage.play(client, "many", "Hi"));
        }
    }

    @Test
    void waitEndsWithItsTimeoutAndTheSessionRunsOn() throws Exception {
        String message = Stage.unique();
        try (Client client = Stage.client(); Session session = Stage.open(client, "gated", message)) {
            assertEquals("first ", Stage.nextText(session));
            assertThrows(TimeoutException.class, () -> session.next(Duration.ZERO));
            assertThrows(TimeoutException.class, () -> session.next(Duration.ofMillis(20)));
            assertThrows(TimeoutException.class, () -> session.next(Duration.ofSeconds(Long.MIN_VALUE)));
            Stage.play(client, "open", message);
            assertEquals("second", session.next(Duration.ofSeconds(Long.MAX_VALUE)).getText());
        }
    }

    @Test
    void sessionCanBeTakenWithoutAnyWaiting() throws Exception {
        String message = Stage.unique();
        try (Client client = Stage.client(); Session session = Stage.open(client, "gated", message)) {
            List<String> texts = new ArrayList<>();
            for (Semaphore ready = new Semaphore(0); ; ) {
                session.onReady(ready::release);
                ready.acquire();
                Chunk chunk = null;
                while (session.isReady() && (chunk = session.next()) != null) {
                    if (chunk.getKind() != Chunk.Kind.TEXT) continue;
                    texts.add(chunk.getText());
                    if (texts.size() == 1) Stage.play(client, "open", message);
                }
                if (session.isReady() && chunk == null) break;
            }
            assertEquals(List.of("first ", "second"), texts);
        }
    }

    @Test
    void chunkWakesAllWhoWait() throws Exception {
        String message = Stage.unique();
        Semaphore woken = new Semaphore(0);
        CompletableFuture<String> text = new CompletableFuture<>();
        try (Client client = Stage.client(); Session session = Stage.open(client, "gated", message)) {
            assertEquals("first ", Stage.nextText(session));
            assertFalse(session.isReady());
            session.onReady(woken::release);
            Thread waiter = new Thread(() -> text.complete(Stage.textOf(session)));
            waiter.start();
            Stage.awaitWaiting(waiter);
            session.onReady(woken::release);
            Stage.play(client, "open", message);
            woken.acquire(2);
            assertEquals("second", text.get());
        }
    }

    @Test
    void withdrawnWakeDoesNotRun() throws Exception {
        Semaphore woken = new Semaphore(0);
        try (Client client = Stage.client()) {
            Session session = Stage.open(client, "held", Stage.unique());
            assertEquals("first ", Stage.nextText(session));
            assertFalse(session.isReady());
            Runnable withdrawn = () -> woken.release(100);
            session.onReady(withdrawn);
            session.onReady(woken::release);
            session.removeOnReady(withdrawn);
            session.close();
            assertEquals(1, woken.availablePermits());
        }
    }

    /** Nothing comes any more that could wake: each wake is for what waits already. */
    @Test
    void wakeRunsForWhatIsThereAlready() throws Exception {
        try (Client client = Stage.client(); Session session = Stage.open(client, "words", "Hi")) {
            for (Chunk chunk = session.next(); chunk != null; chunk = session.next()) {
                Semaphore ready = new Semaphore(0);
                session.onReady(ready::release);
                ready.acquire();
            }
        }
    }

    @Test
    void failingWakeDoesNotHurtOtherSessions() throws Exception {
        String message = Stage.unique();
        Semaphore failed = new Semaphore(0);
        try (Client client = Stage.client(); Session session = Stage.open(client, "gated", message)) {
            assertEquals("first ", Stage.nextText(session));
            assertFalse(session.isReady());
            session.onReady(() -> {
                Thread.currentThread().setUncaughtExceptionHandler((thread, e) -> failed.release());
                throw new IllegalStateException("on purpose");
            });
            Stage.play(client, "open", message);
            failed.acquire();
            assertEquals("second", Stage.textOf(session));
        }
    }

    @Test
    void iteratorKeepsToItsContract() {
        try (Client client = Stage.client(); Session session = Stage.open(client, "words", "Hi")) {
            Iterator<Chunk> chunks = session.iterator();
            assertTrue(chunks.hasNext());
            assertTrue(chunks.hasNext());
            assertEquals(Chunk.Kind.START, chunks.next().getKind());
            while (chunks.hasNext()) chunks.next();
            assertThrows(NoSuchElementException.class, chunks::next);
        }
    }

    @Test
    void attachedImageReachesTheModel() {
        int sum = 0;
        for (byte b : Stage.PIXEL) sum += b & 0xff;
        String expected = String.format("image/png %d bytes, sum %d.", Stage.PIXEL.length, sum);
        try (Client client = Stage.client();
                Request request = new Request("look").message("user", "What is it?").attach(Stage.PIXEL)) {
            try (Session session = client.open(request)) {
                assertEquals(expected, Stage.textOf(session));
            }
            request.attach(Stage.PIXEL, "image/png");
            try (Session session = client.open(request)) {
                assertEquals(expected + " " + expected, Stage.textOf(session));
            }
        }
    }

    @Test
    void paintedImageComesAsBytes() {
        byte[] painted = null;
        String mime = "";
        try (Client client = Stage.client(); Session session = Stage.open(client, "gpt-image-1", "A pixel")) {
            for (Chunk chunk : session) {
                if (chunk.getKind() != Chunk.Kind.IMAGE) continue;
                painted = chunk.getBytes();
                mime = chunk.getMime();
            }
        }
        assertArrayEquals(Stage.PIXEL, painted);
        assertEquals("image/png", mime);
    }
}
