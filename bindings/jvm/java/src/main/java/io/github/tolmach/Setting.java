package io.github.tolmach;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * One key and its value, for {@link Client.Builder#set(Setting...)}; those whose {@link Key} says
 * so also for {@link Request#option(Setting...)}. The methods make those there are.
 *
 * @param key its name, such as "max_retries"
 * @param value as text; null takes the key back to its default, or for a request to the config's
 *     value
 */
public record Setting(String key, String value) {
    /** The duration of a deadline that never passes. */
    public static final Duration NO_LIMIT = Duration.ofMillis(-1);

    /** Headers that are sent with every request. Those of one request are added to the config's. */
    public static Setting headers(Map<String, String> headers) {
        return new Setting("headers", Json.write(headers));
    }

    /** Names of yours for models of the provider: the first of each list that there is. */
    public static Setting modelAliases(Map<String, List<String>> models) {
        return new Setting("model_aliases", Json.write(models));
    }

    /**
     * The credential of most providers; the default is the provider's environment variable, and
     * empty is for a server that needs none.
     */
    public static Setting apiKey(String key) {
        return new Setting("api_key", key);
    }

    /** Where the API is; if it has a query, every request has it. */
    public static Setting baseUrl(String url) {
        return new Setting("base_url", url);
    }

    /** The model of requests that name none. */
    public static Setting model(String name) {
        return new Setting("model", name);
    }

    /** A URL, "direct" or "environment", the default. */
    public static Setting proxy(String proxy) {
        return new Setting("proxy", proxy);
    }

    /** A PEM file of more certificates to trust. */
    public static Setting caFile(String path) {
        return new Setting("ca_file", path);
    }

    /** More certificates to trust, as PEM. */
    public static Setting caPem(String pem) {
        return new Setting("ca_pem", pem);
    }

    /** Is "bundled" (default), "platform" or "only_ca". */
    public static Setting tlsRoots(String roots) {
        return new Setting("tls_roots", roots);
    }

    /** False trusts any server; for tests only. */
    public static Setting tlsVerify(boolean verify) {
        return new Setting("tls_verify", Boolean.toString(verify));
    }

    /** SHA-256 hashes of public keys in base64, one of which the server's chain has to contain. */
    public static Setting tlsPins(String... pins) {
        return new Setting("tls_pins", String.join(",", pins));
    }

    /** The client's certificate, as PEM or the path of a PEM file. */
    public static Setting clientCert(String pem) {
        return new Setting("client_cert", pem);
    }

    /** The key of the client's certificate, as PEM or the path of a PEM file. */
    public static Setting clientKey(String pem) {
        return new Setting("client_key", pem);
    }

    /** Limits resolving, connecting, proxy and TLS together. */
    public static Setting connectTimeout(Duration limit) {
        return duration("connect_timeout_ms", limit);
    }

    /** Limits the time from the request to the first chunk. */
    public static Setting firstByteTimeout(Duration limit) {
        return duration("first_byte_timeout_ms", limit);
    }

    /** Limits the time between chunks. */
    public static Setting idleTimeout(Duration limit) {
        return duration("idle_timeout_ms", limit);
    }

    /** Limits everything together, retries included. */
    public static Setting totalTimeout(Duration limit) {
        return duration("total_timeout_ms", limit);
    }

    /** How often a request is sent again, before its first chunk. */
    public static Setting maxRetries(long count) {
        return new Setting("max_retries", Long.toString(count));
    }

    /** Limits one event of an answer. */
    public static Setting maxEventBytes(long limit) {
        return new Setting("max_event_bytes", Long.toString(limit));
    }

    /** Limits the body of an error. */
    public static Setting maxErrorBytes(long limit) {
        return new Setting("max_error_bytes", Long.toString(limit));
    }

    /** Limits the headers of a response. */
    public static Setting maxHeaderBytes(long limit) {
        return new Setting("max_header_bytes", Long.toString(limit));
    }

    /** Limits the levels of JSON in one event. */
    public static Setting maxJsonDepth(long limit) {
        return new Setting("max_json_depth", Long.toString(limit));
    }

    /** Limits the tool calls and choices of one answer. */
    public static Setting maxToolCalls(long limit) {
        return new Setting("max_tool_calls", Long.toString(limit));
    }

    /** Limits what {@link Request#reply} keeps of an answer. */
    public static Setting maxReplyBytes(long limit) {
        return new Setting("max_reply_bytes", Long.toString(limit));
    }

    /** Limits the chunks that wait for the program before the provider has to wait. */
    public static Setting queueBytes(long limit) {
        return new Setting("queue_bytes", Long.toString(limit));
    }

    /** The User-Agent of every request. */
    public static Setting userAgent(String name) {
        return new Setting("user_agent", name);
    }

    /** A new file, where the answers of servers are recorded. */
    public static Setting recordFile(String path) {
        return new Setting("record_file", path);
    }

    /** A recording that answers come from, instead of the network. */
    public static Setting replayFile(String path) {
        return new Setting("replay_file", path);
    }

    /** True replays a recording with its pauses. */
    public static Setting replayTiming(boolean keep) {
        return new Setting("replay_timing", Boolean.toString(keep));
    }

    /** True adds every undecoded event as a chunk of kind RAW. */
    public static Setting rawChunks(boolean add) {
        return new Setting("raw_chunks", Boolean.toString(add));
    }

    /** True adds a chunk of kind RETRY when a request is sent again. */
    public static Setting retryChunks(boolean add) {
        return new Setting("retry_chunks", Boolean.toString(add));
    }

    /** True counts tokens by their length where the provider counts none. */
    public static Setting estimateUsage(boolean estimate) {
        return new Setting("estimate_usage", Boolean.toString(estimate));
    }

    /** False sends every request exactly as it is given. */
    public static Setting heal(boolean heal) {
        return new Setting("heal", Boolean.toString(heal));
    }

    /** True lets the library fetch attached URLs for a provider that does not. */
    public static Setting fetchUrls(boolean fetch) {
        return new Setting("fetch_urls", Boolean.toString(fetch));
    }

    /** True lets it fetch from private addresses as well. */
    public static Setting fetchPrivateUrls(boolean fetch) {
        return new Setting("fetch_private_urls", Boolean.toString(fetch));
    }

    /** The whole URL of the call, instead of base_url and a path. */
    public static Setting endpoint(String url) {
        return new Setting("endpoint", url);
    }

    /** Is "auto" (default), "chat" or "responses", for "openai". */
    public static Setting api(String api) {
        return new Setting("api", api);
    }

    /** Sent as OpenAI-Organization. */
    public static Setting organization(String id) {
        return new Setting("organization", id);
    }

    /** Sent as OpenAI-Project. */
    public static Setting project(String id) {
        return new Setting("project", id);
    }

    /** True takes the text within think tags for reasoning, for "openai". */
    public static Setting thinkTags(boolean parse) {
        return new Setting("think_tags", Boolean.toString(parse));
    }

    /** The models of a server that lists none, for "openai". */
    public static Setting fallbackModels(String... names) {
        return new Setting("fallback_models", String.join(",", names));
    }

    /** How the key is sent; the provider's key lists the choices. */
    public static Setting authScheme(String scheme) {
        return new Setting("auth_scheme", scheme);
    }

    /** True lets "openai-responses" go on with an answer whose connection is lost. */
    public static Setting background(boolean background) {
        return new Setting("background", Boolean.toString(background));
    }

    /** The version of the API, for "anthropic". */
    public static Setting anthropicVersion(String date) {
        return new Setting("anthropic_version", date);
    }

    /** Names of betas, for "anthropic". */
    public static Setting anthropicBeta(String... names) {
        return new Setting("anthropic_beta", String.join(",", names));
    }

    /** Is GIGACHAT_API_PERS (default), GIGACHAT_API_B2B or GIGACHAT_API_CORP, for "gigachat". */
    public static Setting scope(String scope) {
        return new Setting("scope", scope);
    }

    /** The whole URL that tokens come from, for "gigachat". */
    public static Setting authUrl(String url) {
        return new Setting("auth_url", url);
    }

    /** A token of your own, instead of the key, for "gigachat". */
    public static Setting accessToken(String token) {
        return new Setting("access_token", token);
    }

    /** Used together with {@link #password} instead of a key, for "gigachat". */
    public static Setting user(String name) {
        return new Setting("user", name);
    }

    /** Used together with {@link #user}. */
    public static Setting password(String password) {
        return new Setting("password", password);
    }

    /** Is "v1" (default) or "v2", for "gigachat". */
    public static Setting apiVersion(String version) {
        return new Setting("api_version", version);
    }

    /** Sent as it is, for "ai365vip", "amigochat" and "aichats". */
    public static Setting cookie(String cookie) {
        return new Setting("cookie", cookie);
    }

    /** Negative is no limit; what is shorter than a millisecond is still a deadline. */
    private static Setting duration(String key, Duration limit) {
        return new Setting(key, limit.isNegative() ? "-1" : Long.toString(Times.millis(limit)));
    }
}
