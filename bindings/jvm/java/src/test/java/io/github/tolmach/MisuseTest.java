package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class MisuseTest {
    @Test
    void useAfterCloseIsAnError() {
        Client client = Stage.client();
        Request request = new Request("words").message("user", "Hi");
        Session session = client.open(request);
        session.close();
        assertThrows(TolmachException.Cancelled.class, session::next);
        assertThrows(IllegalStateException.class, session::reply);
        assertThrows(IllegalStateException.class, () -> request.reply(session));
        session.cancel();
        client.close();
        assertThrows(IllegalStateException.class, () -> client.open(request));
        assertThrows(IllegalStateException.class, client::listModels);
        request.close();
        assertThrows(IllegalStateException.class, request::json);
        assertThrows(IllegalStateException.class, () -> request.message("user", "Hi"));
    }

    @Test
    void closingTwiceIsNoError() {
        Client client = Stage.client();
        Request request = new Request("words").message("user", "Hi");
        Session session = client.open(request);
        for (int i = 0; i < 2; i++) {
            session.close();
            request.close();
            client.close();
        }
    }

    @Test
    void secondThreadInsideIsBusy() throws Exception {
        String message = Stage.unique();
        try (Client client = Stage.client(); Session session = Stage.open(client, "gated", message)) {
            assertEquals("first ", Stage.nextText(session));
            Thread waiter = new Thread(() -> Stage.textOf(session));
            waiter.start();
            Stage.awaitWaiting(waiter);
            assertThrows(TolmachException.Busy.class, session::next);
            assertThrows(TolmachException.Busy.class, session::isReady);
            assertThrows(TolmachException.Busy.class, session::reply);
            Stage.play(client, "open", message);
            waiter.join();
        }
    }

    /** Nothing is asserted but that the JVM survives, and every call returns or throws. */
    @Test
    void threadsThatTakeCancelReplyAndCloseAtOnceDoNotCrash() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (Client client = Stage.client()) {
            for (int i = 0; i < 50; i++) {
                Session session = Stage.open(client, i % 2 == 0 ? "words" : "held", Stage.unique());
                Request request = new Request("words");
                List<Future<?>> calls = new ArrayList<>();
                calls.add(threads.submit(() -> quietly(() -> Stage.textOf(session))));
                calls.add(threads.submit(() -> quietly(() -> request.reply(session).json())));
                calls.add(threads.submit(() -> quietly(session::cancel)));
                calls.add(threads.submit(() -> {
                    session.close();
                    request.close();
                }));
                for (Future<?> call : calls) call.get();
            }
        } finally {
            threads.shutdown();
        }
    }

    private static void quietly(Runnable call) {
        try {
            call.run();
        } catch (TolmachException | IllegalStateException e) {
            // One of the others was first.
        }
    }

    @Test
    void nullIsRefused() {
        try (Client client = Stage.client(); Request request = new Request("words")) {
            assertThrows(NullPointerException.class, () -> Client.builder(null));
            assertThrows(NullPointerException.class, () -> client.open(null));
            assertThrows(NullPointerException.class, () -> request.message(null, "Hi"));
            assertThrows(NullPointerException.class, () -> request.message("user", null));
            assertThrows(NullPointerException.class, () -> request.attach(null));
            assertThrows(NullPointerException.class, () -> request.reply(null));
            assertThrows(NullPointerException.class, () -> Request.fromJson(null));
        }
    }
}
