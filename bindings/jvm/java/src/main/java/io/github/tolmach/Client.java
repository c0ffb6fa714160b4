package io.github.tolmach;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
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
        return request.use(asked -> handle.use(this, client -> new Session(client, asked)));
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
