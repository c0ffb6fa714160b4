package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class CancellingTest {
    /** Lets a thread wait for a chunk that never comes, and `end` the wait; says what it threw. */
    private static Throwable endWait(Waiting waiting, BiConsumer<Session, Thread> end) throws Exception {
        String message = Stage.unique();
        CompletableFuture<Throwable> thrown = new CompletableFuture<>();
        try (Client client = Stage.client()) {
            Session session = Stage.open(client, "held", message);
            assertEquals("first ", Stage.nextText(session));
            Thread waiter = new Thread(() -> thrown.complete(catching(() -> waiting.on(session))));
            waiter.start();
            Stage.awaitWaiting(waiter);
            end.accept(session, waiter);
            Throwable why = thrown.get();
            waiter.join();
            session.close();
            Stage.awaitClosed(client, message);
            return why;
        }
    }

    private interface Waiting {
        Object on(Session session) throws Exception;
    }

    private static Throwable catching(Callable<?> call) {
        try {
            throw new AssertionError("it returned " + call.call());
        } catch (Throwable e) {
            return e;
        }
    }

    @Test
    void cancelFromAnotherThreadEndsTheWait() throws Exception {
        Throwable why = endWait(Session::next, (session, waiter) -> session.cancel());
        assertInstanceOf(TolmachException.Cancelled.class, why);
    }

    @Test
    void closeFromAnotherThreadEndsTheWait() throws Exception {
        Throwable why = endWait(Session::next, (session, waiter) -> session.close());
        assertInstanceOf(TolmachException.Cancelled.class, why);
    }

    @Test
    void interruptEndsTheWait() throws Exception {
        Throwable why = endWait(Session::next, (session, waiter) -> waiter.interrupt());
        assertInstanceOf(InterruptedException.class, why);
    }

    @Test
    void interruptEndsTheWaitWithATimeout() throws Exception {
        String message = Stage.unique();
        try (Client client = Stage.client(); Session session = Stage.open(client, "held", message)) {
            Thread.currentThread().interrupt();
            assertThrows(InterruptedException.class, () -> session.next(Duration.ofDays(1)));
            assertEquals("first ", Stage.nextText(session), "the session runs on");
        }
    }

    @Test
    void interruptEndsALoopAndIsKept() throws Exception {
        Semaphore interrupted = new Semaphore(0);
        Waiting loop = session -> {
            try {
                return session.iterator().hasNext();
            } finally {
                if (Thread.currentThread().isInterrupted()) interrupted.release();
            }
        };
        Throwable why = endWait(loop, (session, waiter) -> waiter.interrupt());
        assertInstanceOf(TolmachException.Cancelled.class, why);
        assertInstanceOf(InterruptedException.class, why.getCause());
        assertTrue(interrupted.tryAcquire());
    }

    @Test
    void leavingTheLoopEndsTheRequest() {
        String message = Stage.unique();
        try (Client client = Stage.client()) {
            try (Session session = Stage.open(client, "held", message)) {
                for (Chunk chunk : session) {
                    if (chunk.getKind() == Chunk.Kind.TEXT) break;
                }
            }
            Stage.awaitClosed(client, message);
        }
    }

    @Test
    void cancelIsForEver() throws Exception {
        String message = Stage.unique();
        try (Client client = Stage.client(); Session session = Stage.open(client, "held", message)) {
            assertEquals("first ", Stage.nextText(session));
            session.cancel();
            session.cancel();
            assertThrows(TolmachException.Cancelled.class, session::next);
            assertTrue(session.isReady());
            assertThrows(TolmachException.Cancelled.class, session::next);
            Stage.awaitClosed(client, message);
        }
    }

    @Test
    void closeWakesWhoDoesNotWait() throws Exception {
        Semaphore woken = new Semaphore(0);
        try (Client client = Stage.client()) {
            Session session = Stage.open(client, "held", Stage.unique());
            assertEquals("first ", Stage.nextText(session));
            assertTrue(!session.isReady());
            session.onReady(woken::release);
            session.close();
            woken.acquire();
            assertTrue(session.isReady());
            assertThrows(TolmachException.Cancelled.class, session::next);
        }
    }

    /** Wakes of different users and a thread in next(), none of which may lose its turn to another. */
    @Test
    void cancelAndCloseWakeAllWhoWait() throws Exception {
        List<Consumer<Session>> ends = List.of(Session::cancel, Session::close);
        for (Consumer<Session> end : ends) {
            Semaphore woken = new Semaphore(0);
            Throwable why = endWait(Session::next, (session, waiter) -> {
                session.onReady(woken::release);
                session.onReady(woken::release);
                end.accept(session);
            });
            assertInstanceOf(TolmachException.Cancelled.class, why);
            woken.acquire(2);
        }
    }

    /** By phantom reachability alone: the request ends although nobody closes the session. */
    @Test
    void droppedSessionIsEndedByTheGarbageCollector() throws Exception {
        String message = Stage.unique();
        try (Client client = Stage.client()) {
            assertEquals("first ", Stage.nextText(Stage.open(client, "held", message)));
            try (Session closed = Stage.open(client, "was-closed", message)) {
                for (;;) {
                    System.gc();
                    try {
                        while (closed.next(Duration.ofMillis(20)).getKind() != Chunk.Kind.TEXT) continue;
                        return;
                    } catch (TimeoutException e) {
                        // The garbage collector takes its time.
                    }
                }
            }
        }
    }

    /** The wait itself holds the session: no collection may take it away from under it. */
    @Test
    void sessionThatIsWaitedForIsNotCollected() throws Exception {
        String message = Stage.unique();
        CompletableFuture<String> text = new CompletableFuture<>();
        try (Client client = Stage.client()) {
            Thread waiter = new Thread(() -> text.complete(Stage.textOf(Stage.open(client, "gated", message))));
            waiter.start();
            Stage.awaitWaiting(waiter);
            for (int i = 0; i < 5; i++) System.gc();
            Stage.play(client, "open", message);
            assertEquals("first second", text.get());
        }
    }

    @Test
    void interruptEndsTheListingOfModels() throws Exception {
        try (ServerSocket mute = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Throwable> thrown = new CompletableFuture<>();
            try (Client client = Stage.clientAt(url(mute), Stage.KEY)) {
                Thread waiter = new Thread(() -> thrown.complete(catching(client::listModels)));
                waiter.start();
                Stage.awaitWaiting(waiter);
                waiter.interrupt();
                assertInstanceOf(InterruptedException.class, thrown.get());
            }
        }
    }

    static String url(ServerSocket server) throws IOException {
        return "http://127.0.0.1:" + server.getLocalPort() + "/v1";
    }
}
