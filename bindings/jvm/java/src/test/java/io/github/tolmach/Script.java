package io.github.tolmach;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** A server that gives the answers of one test, in their order, and keeps what it was sent. */
final class Script implements AutoCloseable {
    final BlockingQueue<String> sent = new LinkedBlockingQueue<>();
    private final BlockingQueue<String[]> answers = new LinkedBlockingQueue<>();
    private final HttpServer server;

    /** Each answer is its events. */
    Script(String[]... answers) throws IOException {
        this.answers.addAll(java.util.List.of(answers));
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            sent.add(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            String[] events = this.answers.remove();
            exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
            exchange.getResponseHeaders().set("x-request-id", "req-1");
            exchange.sendResponseHeaders(200, 0);
            try (OutputStream out = exchange.getResponseBody()) {
                for (String event : events) out.write(("data: " + event + "\n\n").getBytes(StandardCharsets.UTF_8));
                out.write("data: [DONE]\n\n".getBytes(StandardCharsets.UTF_8));
            }
        });
        server.start();
    }

    Client client() {
        return Stage.clientAt("http://127.0.0.1:" + server.getAddress().getPort() + "/v1", "any");
    }

    static String[] answer(String... events) {
        return events;
    }

    /** An event with a delta; ' stands for ". */
    static String delta(String members) {
        return "{'choices':[{'index':0,'delta':{".replace('\'', '"') + members.replace('\'', '"') + "}}]}";
    }

    static String says(String text) {
        return delta("'content':") .replace("}}]}", "") + quoted(text) + "}}]}";
    }

    /** Call number `index`, with the id "1" for 0. */
    static String call(int index, String name, String arguments) {
        return "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":" + index
                + ",\"id\":\"" + (index + 1) + "\",\"type\":\"function\",\"function\":{\"name\":" + quoted(name)
                + ",\"arguments\":" + quoted(arguments) + "}}]}}]}";
    }

    static String finish(String reason) {
        return "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":" + quoted(reason) + "}]}";
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
