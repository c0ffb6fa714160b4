package io.github.tolmach;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.LongFunction;

/**
 * A provider bound to its configuration, with its open connections. Make one and share it: any
 * number of threads may use it at once. Sessions live on when it is closed. One that is dropped
 * without {@link #close()} is freed some time after.
 */
public final class Client implements AutoCloseable {
    private final Handle handle;

    private Client(byte[][] words) {
        long[] out = new long[1];
        Packed.check(Native.clientNew(words, out));
        handle = new Handle(this, "client", out[0], Native::clientFree);
    }

    /**
     * Begins a client of a provider.
     *
     * @param provider its name, such as "openai"; {@link Tolmach#providers()} lists them
     */
    public static Builder builder(String provider) {
        return new Builder(provider);
    }

    /**
     * Opens a session: asks {@code request}, as it is now. Returns at once: what fails on the
     * way is thrown by {@link Session#next()}.
     */
    public Session open(Request request) {
        return request.use(asked -> handle.use(this, client -> new Session((id, out) -> Native.sessionOpen(client, asked, id, out))));
    }

    /** Opens a session whose chunks, of kind MODEL, are the models there are. */
    public Session openModels() {
        return handle.use(this, client -> new Session((id, out) -> Native.sessionOpenModels(client, id, out)));
    }

    /**
     * Opens a session that makes an HTTP request of your own, with the client's credentials. The body
     * of the response comes in chunks of kind BODY.
     *
     * @param method "GET", "POST", "PUT", "PATCH" or "DELETE"
     * @param path below the base URL, such as "/files?limit=10"
     * @param contentType of the body; null for "application/json"
     * @param body null for none
     * @throws TolmachException.Argument for another method, a wrong path or content type, or a body
     *     where there is none
     */
    public Session openRaw(String method, String path, String contentType, byte[] body) {
        byte[] verb = Native.name(Objects.requireNonNull(method, "method"));
        byte[] place = Native.name(Objects.requireNonNull(path, "path"));
        byte[] type = Native.name(contentType);
        return handle.use(this, client -> new Session(
                (id, out) -> Native.sessionOpenRaw(client, verb, place, type, body, id, out)));
    }

    /** Cancels every session of this client that is still open. The client stays usable. */
    public void cancelAll() {
        handle.use(this, client -> {
            Native.clientCancelAll(client);
            return null;
        });
    }

    /**
     * Asks {@code request} and waits for the whole answer. The request stays as it is.
     *
     * @throws TolmachException any that a session can end with;
     *     {@link TolmachException#getAnswer()} is what arrived before
     * @throws InterruptedException at once, when the thread is interrupted, which ends the request
     */
    public Answer ask(Request request) throws InterruptedException {
        try (Session session = open(request)) {
            return session.answer();
        }
    }

    /**
     * Asks {@code request} without waiting, and holds no thread meanwhile. The future fails with what
     * {@link #ask} throws. Cancelling it ends the request at once.
     */
    public CompletableFuture<Answer> askAsync(Request request) {
        Session session = open(request);
        CompletableFuture<Answer> future = new CompletableFuture<>();
        future.whenComplete((answer, failure) -> session.close());
        session.answerTo(future);
        return future;
    }

    /**
     * Asks for an answer that is a {@code T}, a record or a Kotlin data class: sets the request's
     * response_format to the {@link Schema} of it, asks, checks the answer and reads it.
     *
     * @throws TolmachException.AnswerFormat when the answer is not a {@code T}, such as a refusal;
     *     {@link TolmachException#getAnswer()} has it
     * @throws TolmachException.Argument for a type without a schema
     * @see #ask(Request)
     */
    public <T> T askFor(Class<T> type, Request request) throws InterruptedException {
        Schema schema = Schema.made(type);
        request.set("response_format", schema.responseFormat());
        Answer answer = ask(request);
        if (!answer.refusal().isEmpty()) {
            throw TolmachException.format("the model refused: " + answer.refusal(), answer);
        }
        try {
            return type.cast(schema.read(answer.text()));
        } catch (Json.Misfit e) {
            String reason = answer.finishReason();
            String end = reason.isEmpty() || reason.equals("stop") ? "" : ", and it ended with " + reason;
            String text = answer.text().substring(0, Math.min(200, answer.text().length()));
            throw TolmachException.format(e.getMessage() + end + ": " + text, answer);
        }
    }

    /**
     * Goes on with the conversation until the model calls no more tools, and gives its last answer:
     * adds the tools to the request, asks, runs what the answer calls, on this thread, appends the
     * answer and the results, and asks again, up to {@code maxRounds} times in all. An unknown tool,
     * arguments that do not fit and an exception of a tool are results that the model is told of.
     *
     * <p>The request holds the conversation afterwards, with the last answer. Where this fails, it
     * holds every turn that is complete.
     *
     * @throws TolmachException.TooManyRounds when the last round called tools as well; their results
     *     are in the request
     * @throws TolmachException.AnswerFormat when the arguments of a call are not whole
     * @throws TolmachException.Argument for less than one round, or a wrong tool
     * @throws InterruptedException at once, when the thread is interrupted, also by a tool
     * @see #ask(Request)
     */
    public Answer run(Request request, List<Tool> tools, int maxRounds) throws InterruptedException {
        if (maxRounds < 1) throw TolmachException.argument("there has to be at least one round");
        request.tool(tools.toArray(new Tool[0]));
        Map<String, Tool> byName = new HashMap<>();
        for (Tool tool : tools) byName.put(tool.name(), tool);
        for (int round = 1; ; round++) {
            Answer answer = turn(request, byName);
            if (answer.toolCalls().isEmpty()) return answer;
            if (round == maxRounds) throw TolmachException.rounds(maxRounds, answer);
        }
    }

    /** Asks once, appends the answer and what the tools give. */
    private Answer turn(Request request, Map<String, Tool> tools) throws InterruptedException {
        try (Session session = open(request)) {
            Answer answer = session.answer();
            List<ToolCall> calls = session.toolCalls();
            if (calls.isEmpty() && !answer.toolCalls().isEmpty()) {
                String name = answer.toolCalls().get(0).name();
                throw TolmachException.format("the arguments of the tool call " + name + " are not whole", answer);
            }
            List<String> results = new ArrayList<>();
            for (ToolCall call : calls) {
                Tool tool = tools.get(call.name());
                results.add(tool == null ? "error: there is no tool " + call.name() : tool.result(call.arguments()));
            }
            int before = request.count();
            try {
                request.reply(session);
                for (int i = 0; i < calls.size(); i++) request.toolResult(calls.get(i).id(), results.get(i));
            } catch (TolmachException e) {
                request.truncate(before);
                throw e;
            }
            return answer;
        }
    }

    /**
     * Asks for the models there are, as long as the deadlines of the configuration allow.
     *
     * @see #listModels(Duration)
     */
    public List<Model> listModels() throws InterruptedException {
        return models(-1);
    }

    /**
     * Asks for the models there are.
     *
     * @param timeout for all of it, retries included
     * @throws TolmachException.Timeout when they did not come in time
     * @throws TolmachException.Unsupported when the provider lists none
     * @throws TolmachException any that a session can end with
     * @throws InterruptedException at once, when the thread is interrupted
     */
    public List<Model> listModels(Duration timeout) throws InterruptedException {
        return models(Times.millis(timeout));
    }

    /** On a thread of its own, since this one can be interrupted and the library's call cannot. */
    private List<Model> models(long timeoutMillis) throws InterruptedException {
        LongFunction<byte[]> ask = client -> Native.clientModels(client, timeoutMillis);
        FutureTask<byte[]> call = new FutureTask<>(() -> handle.use(this, ask));
        Native.daemon("tolmach-models", call).start();
        try {
            Packed in = Packed.result(call.get());
            List<Model> models = new ArrayList<>();
            for (int count = in.int32(); count > 0; count--) models.add(new Model(in));
            return Collections.unmodifiableList(models);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Error) throw (Error) e.getCause();
            throw (RuntimeException) e.getCause();
        }
    }

    /** Closes the client: sessions live on, later calls throw {@link IllegalStateException}. */
    @Override
    public void close() {
        handle.close();
    }

    /** What a client is made of: string keys and values, for one thread at a time. */
    public static final class Builder {
        private final List<byte[]> words = new ArrayList<>();

        private Builder(String provider) {
            words.add(Native.name(Objects.requireNonNull(provider, "provider")));
        }

        /**
         * Sets a key, such as {@code base_url}, {@code api_key} or {@code max_retries}. Keys and
         * values are checked when the client is built; tolmach.h lists them with their defaults.
         *
         * @param value null takes the key back to its default
         */
        public Builder set(String key, String value) {
            words.add(Native.name(Objects.requireNonNull(key, "key")));
            words.add(Native.name(value));
            return this;
        }

        /** Sets keys by methods with types, such as {@link Setting#totalTimeout}. */
        public Builder set(Setting... settings) {
            for (Setting setting : settings) set(setting.key(), setting.value());
            return this;
        }

        /**
         * Makes the client. Touches no network.
         *
         * @throws TolmachException.Argument for an unknown provider or key, or a wrong value: the
         *     message says what is right
         * @throws TolmachException.Auth when the provider needs a key and has none
         */
        public Client build() {
            return new Client(words.toArray(new byte[0][]));
        }
    }
}
