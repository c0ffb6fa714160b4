package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

@Isolated("it counts the threads and descriptors of the process")
class CrowdTest {
    private static final int CROWD = 500;
    /**
     * tolmach-ready, tolmach-net and, since another test, tolmach-log; and the library's own
     * thread that cancels sessions, which lives as long as the process.
     */
    private static final int DAEMONS = 4;

    /** Takes a session's chunks by tasks that never wait. */
    private static final class Reader implements Runnable {
        final CompletableFuture<String> text = new CompletableFuture<>();
        private final StringBuilder said = new StringBuilder();
        private final Session session;
        private final Executor threads;
        private final CountDownLatch begun;

        Reader(Session session, Executor threads, CountDownLatch begun) {
            this.session = session;
            this.threads = threads;
            this.begun = begun;
        }

        @Override
        public void run() {
            try {
                while (session.isReady()) {
                    Chunk chunk = session.next();
                    if (chunk == null) {
                        text.complete(said.toString());
                        return;
                    }
                    if (chunk.getKind() != Chunk.Kind.TEXT) continue;
                    if (said.length() == 0) begun.countDown();
                    said.append(chunk.getText());
                }
                session.onReady(() -> threads.execute(this));
            } catch (Throwable e) {
                text.completeExceptionally(e);
                begun.countDown();
            }
        }
    }

    @Test
    void fiveHundredSessionsWaitOnTwoThreads() throws Exception {
        String message = Stage.unique();
        ExecutorService threads = Executors.newFixedThreadPool(2);
        List<Session> sessions = new ArrayList<>();
        List<Reader> readers = new ArrayList<>();
        CountDownLatch begun = new CountDownLatch(CROWD);
        try (Client client = Stage.client()) {
            Stage.play(client, "words", "so that every thread there is has begun");
            int before = Thread.getAllStackTraces().size();
            int othersBefore = countThreads(false);
            for (int i = 0; i < CROWD; i++) {
                sessions.add(Stage.open(client, "gated", message));
                readers.add(new Reader(sessions.get(i), threads, begun));
                threads.execute(readers.get(i));
            }
            begun.await();
            int added = Thread.getAllStackTraces().size() - before;
            int othersAdded = countThreads(false) - othersBefore;
            Stage.play(client, "open", message);
            for (Reader reader : readers) assertEquals("first second", reader.text.get());
            assertTrue(added <= 2, added + " threads of the JVM for " + CROWD + " sessions");
            assertTrue(othersAdded <= 20, othersAdded + " threads beside the library's own");
        } finally {
            sessions.forEach(Session::close);
            threads.shutdown();
        }
    }

    /** Hundreds of clients, requests and sessions, closed and dropped at every stage. */
    @Test
    void nothingIsLeftBehind() throws Exception {
        cycle(20);
        awaitAtMost(DAEMONS, CrowdTest::threadsOfTheLibrary);
        int before = descriptors();
        cycle(400);
        awaitAtMost(DAEMONS, CrowdTest::threadsOfTheLibrary);
        awaitAtMost(before + 2, CrowdTest::descriptors);
    }

    private static void cycle(int times) throws Exception {
        String[] scenes = {"words", "held", "silent", "status-500", "gpt-image-1"};
        for (int i = 0; i < times; i++) {
            Client client = Stage.client();
            Request request = new Request(scenes[i % scenes.length]).message("user", Stage.unique());
            Session session = client.open(request);
            try {
                if (i % 3 == 0) session.next(Duration.ofMillis(5));
            } catch (TolmachException | TimeoutException e) {
                // So much the better.
            }
            if (i % 2 == 0) {
                session.close();
                request.close();
                client.close();
            }
        }
    }

    /** Megabytes that go in by the hundred and are closed or dropped do not pile up. */
    @Test
    void memoryIsFreed() throws Exception {
        byte[] image = Arrays.copyOf(Stage.PIXEL, 1 << 20);
        long before = residentKilobytes();
        for (int i = 0; i < 600; i++) {
            Request request = new Request("look").message("user", "What is it?").attach(image);
            if (i % 2 == 0) request.close();
            if (i % 20 == 0) System.gc();
        }
        try (Client client = Stage.client()) {
            for (int i = 0; i < 5; i++) Stage.play(client, "many", "Hi");
        }
        long grown = residentKilobytes() - before;
        assertTrue(grown < 400_000, grown + " KB more");
    }

    /** Lets the garbage collector run until there are no more than `most`. */
    private static void awaitAtMost(int most, Callable<Integer> count) throws Exception {
        long start = System.nanoTime();
        for (int now = count.call(); now > most; now = count.call()) {
            assertTrue(System.nanoTime() - start < 500_000_000_000L, now + " are left, not " + most);
            System.gc();
            Thread.sleep(20);
        }
    }

    /** The threads of the process whose names begin with the library's, and so do the JVM's daemons. */
    private static int threadsOfTheLibrary() throws IOException {
        return countThreads(true);
    }

    private static int countThreads(boolean ofTheLibrary) throws IOException {
        int count = 0;
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Paths.get("/proc/self/task"))) {
            for (Path task : tasks) {
                try {
                    if (Files.readString(task.resolve("comm")).startsWith("tolmach") == ofTheLibrary) count++;
                } catch (IOException e) {
                    // It has ended meanwhile.
                }
            }
        }
        return count;
    }

    private static int descriptors() throws IOException {
        try (Stream<Path> entries = Files.list(Paths.get("/proc/self/fd"))) {
            return (int) entries.count();
        }
    }

    private static long residentKilobytes() throws IOException {
        try (Stream<String> lines = Files.lines(Paths.get("/proc/self/status"))) {
            String line = lines.filter(each -> each.startsWith("VmRSS:")).findFirst().orElse(null);
            return Long.parseLong(Objects.requireNonNull(line).replaceAll("\\D", ""));
        }
    }
}
