package io.github.tolmach;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class AnswerTest {
    @Test
    void askGivesTheWholeAnswer() throws Exception {
        try (Client client = Stage.client(); Request request = new Request("words").message("user", "Hi")) {
            Answer answer = client.ask(request);
            assertEquals("One two three.", answer.text());
            assertEquals("Hm.", answer.reasoning());
            assertEquals("stop", answer.finishReason());
            assertEquals(8, answer.usage().getTotal());
        }
    }

    @Test
    void answerHasWhatWasTakenBefore() throws Exception {
        try (Client client = Stage.client(); Session session = Stage.open(client, "words", "Hi")) {
            assertEquals("One ", Stage.nextText(session));
            assertEquals("One two three.", session.answer().text());
            assertEquals("One two three.", session.answer().text());
        }
    }

    @Test
    void answerHasEverythingThatArrives() throws Exception {
        String sound = Base64.getEncoder().encodeToString("sound".getBytes(StandardCharsets.UTF_8));
        String start = Script.says("Hi").replace("{\"choices\"", "{\"id\":\"chatcmpl-7\",\"model\":\"gpt-4o-mini\",\"choices\"");
        String likely = Script.says("!").replace("}}]}", "},\"logprobs\":{\"content\":[{\"token\":\"!\",\"logprob\":-0.5}]}}]}");
        try (Script script = new Script(Script.answer(
                        start,
                        likely,
                        Script.says("another choice").replace("\"index\":0", "\"index\":1"),
                        Script.delta("'audio':{'id':'audio_1','data':'" + sound + "','transcript':'He'}"),
                        Script.delta("'audio':{'data':'" + sound + "','transcript':'llo'}"),
                        Script.delta("'annotations':[{'type':'url_citation','url_citation':"
                                + "{'url':'https://example.com/','title':'Example'}}]"),
                        Script.delta("'images':[{'image_url':{'url':'https://example.com/cat.png'}}]"),
                        Script.delta("'refusal':'No.'"),
                        Script.call(0, "weather", "{\"city\":\"Oslo\"}"),
                        Script.finish("stop")));
                Client client = script.client();
                Request request = new Request("any").message("user", "Hi")) {
            Answer answer = client.ask(request);
            assertEquals("chatcmpl-7", answer.id());
            assertEquals("gpt-4o-mini", answer.model());
            assertEquals("req-1", answer.requestId());
            assertEquals("Hi!", answer.text());
            assertEquals("No.", answer.refusal());
            assertArrayEquals("soundsound".getBytes(StandardCharsets.UTF_8), answer.audio().bytes());
            assertEquals("Hello", answer.audio().transcript());
            assertEquals(List.of(new Answer.Source("https://example.com/", "Example")), answer.sources());
            assertEquals(1, answer.images().size());
            assertEquals("https://example.com/cat.png", answer.images().get(0).url());
            assertEquals(List.of(new ToolCall("1", "weather", "{\"city\":\"Oslo\"}")), answer.toolCalls());
            assertTrue(answer.logprobs().get(0).contains("-0.5"), answer.logprobs().toString());
        }
    }

    @Test
    void askThatFailsGivesWhatArrived() {
        try (Client client = Stage.client();
                Request cut = new Request("truncated").message("user", "Hi");
                Request limited = new Request("status-429").message("user", "Hi")) {
            TolmachException e = assertThrows(TolmachException.Truncated.class, () -> client.ask(cut));
            assertEquals("first ", e.getAnswer().text());
            e = assertThrows(TolmachException.RateLimited.class, () -> client.ask(limited));
            assertEquals("", e.getAnswer().text());
            assertEquals("req-42", e.getAnswer().requestId());
        }
    }

    /** What has arrived and was not taken is not given out, but it is part of the answer. */
    @Test
    void cancelledAnswerKeepsWhatArrived() throws Exception {
        try (Client client = Stage.client(); Session session = Stage.open(client, "many", "Hi")) {
            assertEquals("0 ", Stage.nextText(session));
            session.cancel();
            assertThrows(TolmachException.Cancelled.class, session::next);
            TolmachException e = assertThrows(TolmachException.Cancelled.class, session::answer);
            assertTrue(e.getAnswer().text().startsWith("0 "), e.getAnswer().text());
        }
    }

    @Test
    void interruptEndsAnAsk() throws Exception {
        CompletableFuture<Throwable> thrown = new CompletableFuture<>();
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Client client = Stage.clientAt(CancellingTest.url(server), Stage.KEY);
                Request request = new Request("any").message("user", "Hi")) {
            Thread waiter = new Thread(() -> thrown.complete(
                    assertThrows(InterruptedException.class, () -> client.ask(request))));
            waiter.start();
            try (Socket connection = server.accept()) {
                waiter.interrupt();
                thrown.get(60, TimeUnit.SECONDS);
                connection.getInputStream().readAllBytes(); // ends where the connection is closed
            }
        }
    }
}
