package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class FutureTest {
    @Test
    void answerComesAsAFuture() throws Exception {
        try (Client client = Stage.client();
                Request words = new Request("words").message("user", "Hi");
                Request cut = new Request("truncated").message("user", "Hi")) {
            assertEquals("One two three.", client.askAsync(words).get(60, TimeUnit.SECONDS).text());
            CompletableFuture<Answer> failing = client.askAsync(cut);
            Throwable e = assertThrows(ExecutionException.class, () -> failing.get(60, TimeUnit.SECONDS)).getCause();
            assertInstanceOf(TolmachException.Truncated.class, e);
            assertEquals("first ", ((TolmachException) e).getAnswer().text());
        }
    }

    @Test
    void futureWaitsWithoutAThread() throws Exception {
        String message = Stage.unique();
        try (Client client = Stage.client(); Request request = new Request("gated").message("user", message)) {
            CompletableFuture<Answer> answer = client.askAsync(request);
            assertEquals("opened", Stage.play(client, "open", message));
            assertEquals("first second", answer.get(60, TimeUnit.SECONDS).text());
        }
    }

    @Test
    void cancelledFutureEndsTheRequest() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Client client = Stage.clientAt(CancellingTest.url(server), Stage.KEY);
                Request request = new Request("any").message("user", "Hi")) {
            CompletableFuture<Answer> answer = client.askAsync(request);
            try (Socket connection = server.accept()) {
                assertTrue(answer.cancel(true));
                connection.getInputStream().readAllBytes(); // ends where the connection is closed
            }
        }
    }
}
