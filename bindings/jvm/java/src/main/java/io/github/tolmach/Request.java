package io.github.tolmach;

import java.util.Objects;
import java.util.function.Function;
import java.util.function.LongFunction;

/**
 * What to ask: a conversation, and the fields beside it. A session copies it, so that it may be
 * changed or closed as soon as the session is open; keep it and append to it for the next turn.
 *
 * <p>It is OpenAI's chat request, which is translated for every provider. Threads that change it
 * at once take turns. One that is dropped without {@link #close()} is freed some time after.
 */
public final class Request implements AutoCloseable {
    private final Handle handle;

    /** Makes a request without messages, to the client's model, else the provider's default. */
    public Request() {
        this((String) null);
    }

    /** Makes a request without messages, to {@code model}. */
    public Request(String model) {
        long[] out = new long[1];
        Packed.check(Native.requestNew(Native.name(model), out));
        handle = new Handle(this, "request", out[0], Native::requestFree);
    }

    private Request(Function<long[], byte[]> make) {
        long[] out = new long[1];
        Packed.check(make.apply(out));
        handle = new Handle(this, "request", out[0], Native::requestFree);
    }

    /**
     * Makes a request of a whole one in OpenAI's chat format.
     *
     * @throws TolmachException.Argument for bad JSON (the message says where) or a field of a
     *     wrong type
     */
    public static Request fromJson(String json) {
        byte[] whole = Native.text(json);
        return new Request(out -> Native.requestFromJson(whole, out));
    }

    /** Makes a copy of the request, with its options. Neither of the two changes the other. */
    public Request copy() {
        return new Request(out -> use(request -> Native.requestClone(request, out)));
    }

    /** How many messages it has. */
    public int count() {
        return use(request -> (int) Native.requestCount(request));
    }

    /**
     * Removes the last messages, so that at most {@code count} remain: with {@link #count()} before
     * a turn, this undoes the turn.
     *
     * @throws TolmachException.Argument for less than 0
     */
    public Request truncate(int count) {
        if (count < 0) throw TolmachException.argument("the count is below 0");
        return change(request -> Native.requestTruncate(request, count));
    }

    /**
     * Appends a message.
     *
     * @param role "system", "developer", "user" or "assistant"
     * @throws TolmachException.Argument for another role
     */
    public Request message(String role, String text) {
        byte[] name = required(role, "role");
        byte[] said = Native.text(text);
        return change(request -> Native.requestMessage(request, name, said));
    }

    /**
     * Attaches an image, audio or PDF, whose bytes tell its type, to the last user message.
     *
     * @throws TolmachException.Argument for a type that they do not tell, or when there is no
     *     user message
     */
    public Request attach(byte[] file) {
        return attach(file, null);
    }

    /**
     * Attaches an image, audio or PDF to the last user message.
     *
     * @param mime its media type, such as "image/png"; null where the bytes tell it
     * @throws TolmachException.Argument for a type that is not known or cannot be attached, or
     *     when there is no user message
     */
    public Request attach(byte[] file, String mime) {
        Objects.requireNonNull(file, "file");
        byte[] type = Native.name(mime);
        return change(request -> Native.requestAttach(request, file, type));
    }

    /**
     * Attaches what a URL points to, to the last user message. The provider fetches it, or the
     * library where it does not ("gigachat") and the config's {@code fetch_urls} is "true".
     *
     * @param url http, https, or a data URL of an image or audio
     * @throws TolmachException.Argument for another kind of URL, or when there is no user message
     */
    public Request attachUrl(String url) {
        byte[] place = required(url, "url");
        return change(request -> Native.requestAttachUrl(request, place));
    }

    /**
     * Adds tools that the model may call; one of the same name is replaced. To have them called as
     * well, see {@link Client#run}.
     *
     * @throws TolmachException.Argument for an invalid name, or a schema that is no JSON object
     */
    public Request tool(Tool... tools) {
        for (Tool tool : tools) {
            byte[] name = Native.name(tool.name());
            byte[] description = Native.name(tool.description().isEmpty() ? null : tool.description());
            byte[] schema = tool.schema().isEmpty() ? null : Native.text(tool.schema());
            change(request -> Native.requestTool(request, name, description, schema));
        }
        return this;
    }

    /**
     * Appends the result of a tool call.
     *
     * @param callId the id that came with the call
     * @param text the result, as text or JSON
     * @throws TolmachException.Argument for an empty id
     */
    public Request toolResult(String callId, String text) {
        byte[] id = required(callId, "callId");
        byte[] result = Native.text(text);
        return change(request -> Native.requestToolResult(request, id, result));
    }

    /**
     * Sets any field of the request: "temperature" to "0.2", "tools" to a list.
     *
     * @param json the value as JSON; "null" removes the field
     * @throws TolmachException.Argument for bad JSON, or a wrong type of a field that is known
     */
    public Request set(String name, String json) {
        byte[] field = required(name, "name");
        byte[] value = Native.text(json);
        return change(request -> Native.requestSet(request, field, value));
    }

    /**
     * Sets a field of the request to a string, which is not read as JSON.
     *
     * @throws TolmachException.Argument for a wrong type of a field that is known
     */
    public Request setString(String name, String text) {
        byte[] field = required(name, "name");
        byte[] value = Native.text(text);
        return change(request -> Native.requestSetString(request, field, value));
    }

    /**
     * Gives a key of the config another value for this request alone, such as {@code
     * total_timeout_ms}, {@code max_retries} or {@code headers}.
     *
     * @param value null takes the key back to the config's value
     * @throws TolmachException.Argument for another key (the message lists those there are), or a
     *     wrong value
     */
    public Request option(String key, String value) {
        byte[] name = required(key, "key");
        byte[] setting = Native.name(value);
        return change(request -> Native.requestOption(request, name, setting));
    }

    /**
     * Gives keys of the config other values for this request alone, such as {@link
     * Setting#totalTimeout}, {@link Setting#maxRetries} and {@link Setting#headers}.
     *
     * @see #option(String, String)
     */
    public Request option(Setting... settings) {
        for (Setting setting : settings) option(setting.key(), setting.value());
        return this;
    }

    /**
     * Appends what {@code session} has answered so far, the assistant's message with its tool
     * calls: the next turn of a conversation. Nothing where there is nothing to send back. The
     * session must not be closed yet.
     */
    public Request reply(Session session) {
        return change(request -> session.use(answer -> Native.requestReply(request, answer)));
    }

    /** The request as it stands, as JSON in OpenAI's chat format. */
    public String json() {
        return use(request -> Native.string(Native.requestJson(request)));
    }

    /** Closes the request: later calls throw {@link IllegalStateException}. */
    @Override
    public void close() {
        handle.close();
    }

    /** One thread at a time. */
    synchronized <T> T use(LongFunction<T> call) {
        return handle.use(this, call);
    }

    private Request change(LongFunction<byte[]> call) {
        Packed.check(use(call));
        return this;
    }

    private static byte[] required(String name, String what) {
        return Native.name(Objects.requireNonNull(name, what));
    }
}
