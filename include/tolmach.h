/* tolmach.h: talk to any language model.
 *
 * Tolmach is a library, not a service: no runtime, no event loop, no server, no global
 * state to set up. A complete program:
 *
 *     // Asks a model and prints its answer as it arrives: chat PROVIDER PROMPT [KEY=VALUE ...]
 *     #include <stdio.h>
 *     #include <string.h>
 *     #include <tolmach.h>
 *
 *     static int failed(tolmach_error *error) {
 *       fprintf(stderr, "chat: %s\n", tolmach_error_message(error).ptr);
 *       tolmach_error_free(error);
 *       return 1;
 *     }
 *
 *     int main(int argc, char **argv) {
 *       tolmach_error *error = NULL;
 *       tolmach_config *config = NULL;
 *       tolmach_client *client = NULL;
 *       tolmach_request *request = NULL;
 *       tolmach_session *session = NULL;
 *       const tolmach_chunk *chunk = NULL;
 *       tolmach_status status;
 *       int i;
 *
 *       if (argc < 3) return fprintf(stderr, "usage: chat PROVIDER PROMPT [KEY=VALUE ...]\n"), 2;
 *       status = tolmach_config_new(argv[1], &config, &error);
 *       for (i = 3; i < argc && status == TOLMACH_OK; i++) {
 *         char *value = strchr(argv[i], '=');
 *         if (value) *value++ = '\0';
 *         status = tolmach_config_set(config, argv[i], value, &error);
 *       }
 *       if (status == TOLMACH_OK) status = tolmach_client_new(config, &client, &error);
 *       if (status == TOLMACH_OK) status = tolmach_request_new(NULL, &request, &error);
 *       if (status == TOLMACH_OK)
 *         status = tolmach_request_message(request, "user", argv[2], TOLMACH_NUL_TERMINATED, &error);
 *       if (status == TOLMACH_OK) status = tolmach_session_open(client, request, &session, &error);
 *       while (status == TOLMACH_OK) {
 *         status = tolmach_session_poll(session, -1, &chunk, &error);
 *         if (status == TOLMACH_OK && chunk->kind == TOLMACH_CHUNK_TEXT) {
 *           fwrite(chunk->text.ptr, 1, chunk->text.len, stdout);
 *           fflush(stdout);
 *         }
 *       }
 *       putchar('\n');
 *       tolmach_session_free(session);
 *       tolmach_request_free(request);
 *       tolmach_client_free(client);
 *       tolmach_config_free(config);
 *       return status == TOLMACH_END ? 0 : failed(error);
 *     }
 *
 * HOW THINGS LIVE
 *
 *   A tolmach_config says how to reach a provider. A tolmach_client is made of it: keep
 *   one, share it between threads. A tolmach_request is what to ask. A tolmach_session is
 *   one answer on its way: open it, poll its chunks until TOLMACH_END, free it. Opening
 *   never blocks; a worker thread resolves, connects, sends and reads.
 *
 *   What you make with _new, _from_json, _open or get through an out_ argument is yours,
 *   and is freed with the _free of its type; the order of frees is irrelevant, _free(NULL)
 *   does nothing, and no _free fails, blocks or waits for the network. What an accessor
 *   returns belongs to the object it was asked of. A chunk lives until the next poll or
 *   free of its session. What you pass in is copied before the call returns.
 *
 * CONVENTIONS
 *
 *   - Receiver first, then inputs, then outputs, then `tolmach_error **error`.
 *   - A function that can fail returns a tolmach_status: 0 is TOLMACH_OK, positive values
 *     are outcomes that are not errors, negative values are errors.
 *   - `error` may be NULL. `*error` need not be NULL on entry. It is written only when the
 *     call returns a negative status: then it is a new object, which you free. A second
 *     failure overwrites the pointer, so free the first object before you pass it again.
 *   - Outputs of pointer type (handles, chunks, batches) are set to NULL when the call
 *     starts: after every outcome that gives no object they are NULL. Do not pass a pointer
 *     that you still have to free. Other outputs are written with TOLMACH_OK only.
 *   - Names, keys and URLs go in as NUL-terminated UTF-8; text, JSON and media as pointer
 *     and length, where the length of text may be TOLMACH_NUL_TERMINATED.
 *   - Text comes out as tolmach_str: UTF-8, with a NUL byte after its end.
 *   - Durations are milliseconds: -1 waits for ever, 0 does not wait.
 *   - Enumerations are integers and open: skip the values you do not know.
 *
 * THREADS
 *
 *   "Threads: any thread" says which thread may call, not that two may call at once: a
 *   `const` receiver may be used by any number of threads at once. Every other function
 *   is for one thread at a time per object, which need not be the same each time; so is
 *   tolmach_session_poll(), where a second thread gets TOLMACH_E_BUSY.
 *   tolmach_session_cancel() works from any thread at any time before free, and is the
 *   one function that a signal handler may call. No result depends on which thread calls.
 *   A function whose receiver is not `const` but whose text says "any thread, also during
 *   poll" (tolmach_session_on_ready()) may also be called while another thread polls. Any
 *   thread may call a _free function once no other thread uses the object.
 *
 *   The library runs a worker thread for each session whose answer is not complete, a few
 *   more for a short time while it connects, and one per process that cancels sessions; all
 *   block every signal. A thread without work waits 10 seconds for the next session and then
 *   ends; the one that cancels stays. At exit() idle threads are ended first, for at most
 *   a tenth of a second. The library is never unloaded: dlclose() leaves it in the process.
 *   The library never raises SIGPIPE, never unwinds
 *   into your code, and writes nothing to standard output or error (but see MEMORY): a bug
 *   that makes it panic ends the call or session with TOLMACH_E_INTERNAL, and its place in
 *   the source goes to the log. A pthread_cancel() of a thread takes effect after the call
 *   of this library that the thread is in.
 *
 *   After fork(), a child makes clients and sessions of its own. Those of its parent are of
 *   no use to it: functions return TOLMACH_E_ARGUMENT for them, and free does nothing.
 *   Configs, requests, errors and lists of models, which no other thread was using at the
 *   fork, remain good.
 *
 * WAITING
 *
 *   Block in tolmach_session_poll(); or wait for several sessions in tolmach_sessions_wait();
 *   or poll with timeout 0 from a loop of yours when tolmach_session_fd() is readable or the
 *   callback of tolmach_session_on_ready() was called. An answer that ends without its proper
 *   end is TOLMACH_E_TRUNCATED, never a quiet TOLMACH_END. No session hangs: four deadlines,
 *   all in the config, see to it.
 *
 * CHUNKS
 *
 *   The fields that each kind sets; all others are 0, NULL or empty, and `usage` is -1.
 *   `choice` is set in all kinds that belong to one of several answers (n > 1).
 *
 *   kind        fields
 *   START       text: id of the answer; name: model
 *   TEXT        text
 *   REASONING   text; name: field of the protocol, may be empty
 *   REFUSAL     text
 *   TOOL_CALL   index; text: piece of the arguments; id, name: on the first piece of a call
 *   IMAGE       index; bytes and mime, or text: URL; name: revised prompt, may be empty
 *   AUDIO       bytes and mime, text: transcript, or both; id
 *   SOURCE      index; text: URL or id; name: title
 *   PROGRESS    text
 *   USAGE       usage
 *   FINISH      text: reason; name: the provider's word for it
 *   RAW         text: an event, not decoded
 *   STATE       text: JSON for the next request
 *   LOGPROBS    text: JSON
 *   MODEL       only after tolmach_session_open_models(), see TOLMACH_CHUNK_MODEL
 *   EMBEDDING   index; bytes: little-endian 32-bit floats (see TOLMACH_CHUNK_EMBEDDING)
 *   RETRY       text: the error; index: number of the next attempt; name: wait in ms
 *   BODY        bytes, mime: only after tolmach_session_open_raw(), see TOLMACH_CHUNK_BODY
 *
 *   Order: START comes once, before all pieces of the answer; only PROGRESS, RAW, RETRY and STATE
 *   may come earlier. Then the pieces come in the order in which the provider sent them; kinds,
 *   choices and tool calls may alternate. The pieces of one text, or of the arguments of one
 *   tool call (same `choice` and `index`), join to the whole. Last come USAGE, once, if the
 *   provider tells it, and FINISH, once for each choice. Then a poll returns TOLMACH_END. After
 *   an error there is no FINISH: what was delivered before it is correct, but not complete.
 *   Embeddings have START, an EMBEDDING for each input, and USAGE, but no FINISH. Lists of models
 *   and raw calls have MODEL or BODY, RETRY before them, and nothing else.
 *
 *   Images: name a model that generates images (TOLMACH_CAN_IMAGES in its capabilities) in
 *   tolmach_request_new(), and say what to draw in a user message. Each picture is a chunk
 *   of kind IMAGE. The request's own parameters, such as "n" or "size", are set by
 *   tolmach_request_set().
 *
 * MEMORY
 *
 *   The config limits what a session keeps: queue_bytes (chunks that you have not polled;
 *   when it is full, the library stops reading from the server), max_reply_bytes (the reply),
 *   max_event_bytes, max_error_bytes, max_header_bytes, max_json_depth and max_tool_calls. A
 *   request is as large as you make it; opening a session copies it.
 *   If the system has no memory for such a buffer, the call that takes text, JSON or media,
 *   or the session, fails with TOLMACH_E_NO_MEMORY. So does a call when the system has no more
 *   threads or file descriptors. The objects stay as they were, and other sessions go on.
 *   Free something, or wait until other sessions have ended, and call again. A small allocation
 *   that fails may abort the process, as in any Rust program, with a line on standard error:
 *   large buffers leave 4 MiB for these.
 *
 * COMPATIBILITY
 *
 *   Functions, constants and the members of structs keep their meaning; structs that the
 *   library hands out grow at their end, except tolmach_str, tolmach_usage and
 *   tolmach_rate_limit, which are members of others. tolmach_abi_version() counts the additions. Until
 *   1.0 a change that breaks this changes the SONAME and stands in CHANGELOG.md.
 */

#ifndef TOLMACH_H
#define TOLMACH_H

#include <stddef.h>
#include <stdint.h>

#define TOLMACH_VERSION "0.1.0"
#define TOLMACH_VERSION_MAJOR 0
#define TOLMACH_VERSION_MINOR 1
#define TOLMACH_VERSION_PATCH 0
#define TOLMACH_VERSION_NUMBER \
  (TOLMACH_VERSION_MAJOR * 1000000 + TOLMACH_VERSION_MINOR * 1000 + TOLMACH_VERSION_PATCH)
/** Whether this header is of version a.b.c or later. */
#define TOLMACH_AT_LEAST(a, b, c) (TOLMACH_VERSION_NUMBER >= (a) * 1000000 + (b) * 1000 + (c))

/** The length of text that ends at its NUL. */
#define TOLMACH_NUL_TERMINATED SIZE_MAX

#ifndef TOLMACH_API
#if defined(_WIN32) && !defined(TOLMACH_STATIC)
#define TOLMACH_API __declspec(dllimport)
#else
#define TOLMACH_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. status ---- */

/**
 * Result of a call. 0 is success, positive values are outcomes that are not errors (END,
 * PENDING), negative values are errors. The set is open: treat a number that you do not know
 * by its sign.
 */
typedef int32_t tolmach_status;

/**
 * Done.
 */
#define TOLMACH_OK 0

/**
 * The session has delivered everything.
 */
#define TOLMACH_END 1

/**
 * Nothing yet; the session goes on.
 */
#define TOLMACH_PENDING 2

/**
 * NULL, invalid UTF-8 or JSON, an unknown key or provider. Fix the call; the message says
 * what was expected.
 */
#define TOLMACH_E_ARGUMENT -1

/**
 * Another thread is polling this session.
 */
#define TOLMACH_E_BUSY -2

/**
 * The session was cancelled.
 */
#define TOLMACH_E_CANCELLED -3

/**
 * A deadline passed: connect, first byte, idle or total; the message says which.
 */
#define TOLMACH_E_TIMEOUT -4

/**
 * The host's name could not be resolved.
 */
#define TOLMACH_E_DNS -5

/**
 * The connection was refused or reset, the host is unreachable, or the proxy rejected the
 * request.
 */
#define TOLMACH_E_CONNECT -6

/**
 * The TLS handshake or a certificate failed.
 */
#define TOLMACH_E_TLS -7

/**
 * Missing or rejected credentials (HTTP 401, 403).
 */
#define TOLMACH_E_AUTH -8

/**
 * Payment required or quota spent (HTTP 402, insufficient_quota).
 */
#define TOLMACH_E_QUOTA -9

/**
 * Too many requests (HTTP 429). tolmach_error_retry_after_ms() may say when to return.
 */
#define TOLMACH_E_RATE_LIMITED -10

/**
 * The provider says that the request is wrong (HTTP 400, 413, 422).
 */
#define TOLMACH_E_BAD_REQUEST -11

/**
 * No such model or endpoint (HTTP 404).
 */
#define TOLMACH_E_NOT_FOUND -12

/**
 * The prompt does not fit the model's context.
 */
#define TOLMACH_E_CONTEXT_LENGTH -13

/**
 * Content policy, or a bot-protection page.
 */
#define TOLMACH_E_BLOCKED -14

/**
 * The provider failed or is overloaded (HTTP 5xx).
 */
#define TOLMACH_E_SERVER -15

/**
 * An error of the provider's that fits no class above.
 */
#define TOLMACH_E_PROVIDER -16

/**
 * Not the protocol expected: a web page, bad JSON, a redirect.
 */
#define TOLMACH_E_PROTOCOL -17

/**
 * The answer stopped before its end.
 */
#define TOLMACH_E_TRUNCATED -18

/**
 * A configured limit was exceeded.
 */
#define TOLMACH_E_TOO_LARGE -19

/**
 * The provider, or this build, cannot do that.
 */
#define TOLMACH_E_UNSUPPORTED -20

/**
 * A bug in this library: please report it.
 */
#define TOLMACH_E_INTERNAL -21

/**
 * The system has no more memory, threads or file descriptors. Free something and call again;
 * other sessions go on.
 */
#define TOLMACH_E_NO_MEMORY -22

/**
 * The name of a status, such as "TOLMACH_E_TIMEOUT".
 *
 * Returns: a static string; "unknown status" for a number that is none.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API const char *tolmach_status_name(tolmach_status status);

/**
 * Whether the same call may succeed later: no connection, a timeout, too many requests, a provider that failed, an answer that was cut. The library has already tried
 * again as often as the config's max_retries says where nothing had been answered.
 *
 * Returns: 1 if so; 0 if not, and for a status that is no error.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
int32_t tolmach_status_is_transient(tolmach_status status);

/* ---- 2. text ---- */

/**
 * Text that the library gives out: `len` bytes of UTF-8, then a NUL byte that `len` does
 * not count. `ptr` is not NULL unless the function that returns it says so. The text may
 * contain NUL bytes, so use `len`, not strlen(). The function that returns it says how long it
 * is valid. Never free it.
 */
typedef struct tolmach_str {
  /**
   * The first byte.
   */
  const char *ptr;
  /**
   * How many bytes.
   */
  size_t len;
} tolmach_str;

/* ---- 3. library: version and log ---- */

/**
 * Takes a line of the log.
 *
 * `user`: as given to tolmach_log_set(). `level`: 1 error, 2 warning, 3 info, 4 debug,
 * 5 trace. `session`: the id of the session that the line belongs to; 0 if it belongs to
 * none. `message`: the line, `len` bytes of UTF-8 and a NUL byte that `len` does not count.
 * It begins with the part of the library that wrote it, such as "http: ", and is valid
 * until the function returns.
 *
 * It may be called on any thread, by several threads at once. It may call any function of
 * this header, also tolmach_log_set(), but must not block.
 */
typedef void (*tolmach_log_fn)(void *user,
                               int32_t level,
                               uint64_t session,
                               const char *message,
                               size_t len);

/**
 * Is told that the library does not need the `user` of a callback any more.
 */
typedef void (*tolmach_release_fn)(void *user);

/**
 * The version of the library that runs, such as "0.1.0". The header's own is
 * TOLMACH_VERSION.
 *
 * Returns: a static string.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API const char *tolmach_version(void);

/**
 * The version of the ABI that runs: it grows by one when something is added to it.
 *
 * Returns: 1 in this version.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API uint32_t tolmach_abi_version(void);

/**
 * Sends the library's log lines to `log`, for the whole process. Off by default. A line
 * never shows a credential, a header or a prompt.
 *
 * `log`: replaces the function before; NULL removes it. `user`: passed to every call of
 * `log`. `release`: if not NULL, it is called once with `user` after the last call of `log`
 * with that `user`: when `log` is removed or replaced, also by itself, or at once if `log` is
 * NULL. A line that another thread is writing may still arrive after tolmach_log_set() has
 * returned; then `release` is called on that thread, after the line. It is not called for a
 * function that is still set when the process ends. `max_level`: lines above it are not
 * made (1 errors only .. 5 everything; 0 or less none).
 * Blocks: no. Threads: any thread, also in a call of `log` or `release`. This function
 * cannot fail. After fork(), the child has the function of its parent. Since: 0.1.
 */
TOLMACH_API
void tolmach_log_set(tolmach_log_fn log,
                     void *user,
                     tolmach_release_fn release,
                     int32_t max_level);

/* ---- 4. errors: the status is for code, the object is for people ---- */

/**
 * What went wrong, for people and logs; code decides by the status. Given by a failed
 * call through its last argument, never changed afterwards, freed by the caller with
 * tolmach_error_free(). Its texts live as long as it does. Message and body may hold the
 * provider's own words, but no credential of yours: each of 8 bytes or more is redacted,
 * however the provider quotes it.
 *
 * Functions: tolmach_error_status(), tolmach_error_message(), tolmach_error_http_status(),
 * tolmach_error_retry_after_ms(), tolmach_error_provider_code(), tolmach_error_request_id(),
 * tolmach_error_body(), tolmach_error_free().
 */
typedef struct tolmach_error tolmach_error;

/**
 * The status that the failed call returned.
 *
 * Returns: a TOLMACH_E_ status; TOLMACH_OK for NULL.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API tolmach_status tolmach_error_status(const tolmach_error *error);

/**
 * One line, without control characters: what was wrong and what would be right.
 *
 * Returns: the message; empty for NULL.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API tolmach_str tolmach_error_message(const tolmach_error *error);

/**
 * The HTTP status that the provider refused with, or that an error within its answer names.
 *
 * Returns: such as 429; 200 for a web page in the place of an answer; 0 when there is none.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
int32_t tolmach_error_http_status(const tolmach_error *error);

/**
 * How long the provider asks to wait before the next try.
 *
 * Returns: milliseconds; -1 when it did not say.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API int64_t tolmach_error_retry_after_ms(const tolmach_error *error);

/**
 * The provider's own code or type for this error, such as "model_not_found". It is as it
 * came, but at most 256 bytes long and without control characters.
 *
 * Returns: the code; empty when there was none.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API tolmach_str tolmach_error_provider_code(const tolmach_error *error);

/**
 * The provider's id of the failed request: what its support asks for. It is there whenever
 * the provider answered with one, also when the answer failed later, and is at most 256
 * bytes long.
 *
 * Returns: the id; empty when there was none.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
tolmach_str tolmach_error_request_id(const tolmach_error *error);

/**
 * The body of the provider's answer, or the event, that the error came in; cut at
 * `max_error_bytes`.
 *
 * Returns: the body; empty when there was none.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API tolmach_str tolmach_error_body(const tolmach_error *error);

/**
 * Frees an error. NULL is none.
 *
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API void tolmach_error_free(tolmach_error *error);

/* ---- 5. providers: what this build can talk to ---- */

/**
 * What a provider or a model can do: a set of TOLMACH_CAN_ bits. The set is open: ignore
 * the bits you do not know.
 */
typedef int32_t tolmach_capabilities;

/**
 * A provider that this build can talk to. Static: it lives as long as the library, and
 * may grow at its end in later versions.
 */
typedef struct tolmach_provider {
  /**
   * The name to configure it by: "openai", "gigachat", ...
   */
  tolmach_str name;
  /**
   * Its name for people.
   */
  tolmach_str label;
  /**
   * Its site.
   */
  tolmach_str url;
  /**
   * Where its API is, unless the config's `base_url` says otherwise.
   */
  tolmach_str base_url;
  /**
   * The model asked when nobody names one; empty: name one.
   */
  tolmach_str default_model;
  /**
   * The environment variable where its key is usually kept; empty: none.
   */
  tolmach_str api_key_env;
  /**
   * What it can do: TOLMACH_CAN_ bits.
   */
  tolmach_capabilities capabilities;
} tolmach_provider;

/**
 * Answers arrive as they are written.
 */
#define TOLMACH_CAN_STREAM 1

/**
 * Takes a conversation; otherwise it is folded into one prompt.
 */
#define TOLMACH_CAN_HISTORY 2

/**
 * Takes system messages.
 */
#define TOLMACH_CAN_SYSTEM 4

/**
 * Calls tools.
 */
#define TOLMACH_CAN_TOOLS 8

/**
 * Reads images.
 */
#define TOLMACH_CAN_VISION 16

/**
 * Makes images.
 */
#define TOLMACH_CAN_IMAGES 32

/**
 * Lists its models.
 */
#define TOLMACH_CAN_LIST_MODELS 64

/**
 * Wants credentials.
 */
#define TOLMACH_NEEDS_AUTH 128

/**
 * The service is believed to be up.
 */
#define TOLMACH_WORKING 256

/**
 * How many providers this build can talk to.
 *
 * Returns: their number.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API size_t tolmach_provider_count(void);

/**
 * The provider at `index`, counted from 0.
 *
 * Returns: static; NULL past the end.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API const tolmach_provider *tolmach_provider_get(size_t index);

/**
 * The provider of that name.
 *
 * `name`: NUL-terminated, such as "openai".
 * Returns: static; NULL when there is none, or `name` is NULL.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API const tolmach_provider *tolmach_provider_find(const char *name);

/* ---- 6. config: string keys and values, so that it can grow ---- */

/**
 * A provider and how to reach it: string keys and values, each checked as it is set. A
 * client copies it, so it may be changed or freed afterwards.
 *
 * Keys of every provider (durations in milliseconds, -1 for no limit):
 *
 * - base_url: where the API is; if it has a query, every request has it. An http or https
 *   URL without user, password and fragment; a port is a number from 1 to 65535
 * - model: asked when the request names none
 * - headers: a JSON object of strings, sent with every request; those that say how a
 *   request is sent (Content-Length, Connection, Expect and the like) are refused
 * - proxy: a URL (http, https, socks5 or socks5h, with user:password@ where it wants them),
 *   "direct", or "environment" (default: HTTPS_PROXY and the like, by curl's rules)
 * - ca_file, ca_pem: more certificates to trust, as a PEM file or as PEM itself
 * - tls_roots: "bundled" (default), "platform" or "only_ca"
 * - tls_verify: "false" trusts any server; for tests only
 * - tls_pins: SHA-256 hashes of public keys (SPKI) in base64, with commas between, as curl
 *   takes them but without "sha256//". One of them has to be the key of the server's own
 *   certificate, or of an intermediate or root certificate that it was validated by; other
 *   certificates that the server sends do not count. With tls_verify "false" nothing is
 *   validated, and only the server's own certificate counts. Pins hold for every server
 *   that the client connects to over TLS, also one that tokens come from, and a proxy
 * - client_cert, client_key: PEM, or the path of a PEM file
 * - connect_timeout_ms: resolve, connect, proxy and TLS together (default 15000)
 * - first_byte_timeout_ms: from the request to the first chunk (default 300000)
 * - idle_timeout_ms: between chunks; keep-alives do not count (default 120000)
 * - total_timeout_ms: everything, retries included (default -1)
 * - max_retries: before the first chunk, for what can heal (default 2). With 0 a message is
 *   never sent twice; else it is also sent once more, at once, when a connection that was
 *   kept from an earlier answer turns out to be lost
 * - max_event_bytes: one event of an answer (default 67108864, at least 1024); of JSON
 *   values it may have one for every 128 of these bytes, and at least 65536
 * - max_error_bytes: the body of an error (default 262144)
 * - max_header_bytes: the head of a response (default 65536, at least 1024)
 * - max_json_depth: levels of JSON in one event (default 127, the most)
 * - max_tool_calls: tool calls, choices, and files that GigaChat shows, of one answer
 *   (default 1024, at most 65536)
 * - max_reply_bytes: what tolmach_session_reply() and tolmach_session_text() keep of an answer
 *   (default 67108864)
 * - queue_bytes: what may wait for the program before the provider has to wait
 *   (default 1048576, at least 1024)
 * - user_agent: default "tolmach/" and the version
 * - record_file: where to write what servers answer, without credentials; a file that is
 *   not there yet
 * - replay_file: such a file, to be answered from in the place of servers, each answer once
 * - replay_timing: "true" plays it with its pauses
 * - raw_chunks: "true" adds every undecoded event as a chunk
 * - retry_chunks: "true" adds a chunk of kind TOLMACH_CHUNK_RETRY before each wait for another
 *   try, so that a program can show why nothing comes (default "false")
 *
 * - model_aliases: a JSON object of names of your own for models, or for lists of models
 *   to choose from
 * - estimate_usage: "true" counts tokens by their length where the provider counts none
 * - heal: "false" sends every request as it is given. By default ("true") a parameter that
 *   the server refuses by name, or that the model is known to refuse, is left out or changed,
 *   and the request is sent once more; tolmach_session_info_get() tells what was changed
 * - fetch_urls: "true" lets the library fetch attached URLs for a provider that does not
 *   ("gigachat"); default "false". Such a request carries no credentials, no client
 *   certificate and none of "headers"; redirects are not followed, and a file is as large
 *   as max_event_bytes at most
 * - fetch_private_urls: "true" lets it fetch from any address; default "false": from public
 *   ones alone, not from loopback, link-local or private ones. What counts is the address
 *   that is connected to. A proxy that resolves names itself (http, https, socks5h) has to
 *   see to that for names; addresses in a URL, and "localhost", are refused here. The same
 *   goes for an image that "aichats" answers with, unless it is on the host of base_url
 *
 * Keys of "openai", beside these:
 *
 * - api_key: default is the environment variable OPENAI_API_KEY; empty for a server that
 *   wants none
 * - endpoint: the whole URL of the chat call, in the place of base_url/chat/completions
 * - api: "auto" (default) asks OpenAI's chat completions, and its Responses API what only that
 *   one answers (some models, and functions together with reasoning); "chat" or "responses"
 *   always the one. With an endpoint, and for heal "false", "auto" is "chat"
 * - organization: sent as OpenAI-Organization
 * - think_tags: "true" takes what stands between <think> and </think> for reasoning
 * - fallback_models: names, with commas between, for a server that lists no models
 *
 * Keys of "openai-responses":
 *
 * - api_key: as for "openai"
 * - endpoint: the whole URL of the call, instead of base_url/responses
 * - organization, project: sent as OpenAI-Organization and OpenAI-Project
 * - auth_scheme: "bearer" (default) or "api-key", the header that Azure takes the key in
 * - background: "true" lets the provider go on with an answer whose connection is lost; the
 *   session reads on where it was. Such answers are stored by the provider, which goes on
 *   with one whose session is cancelled
 *
 * Keys of "anthropic", which is Anthropic's Messages and all that speak it:
 *
 * - api_key: default is the environment variable ANTHROPIC_API_KEY; empty for a server that
 *   wants none
 * - endpoint: the whole URL of the call, instead of base_url/messages
 * - auth_scheme: the header of the key, "x-api-key" (default) or "bearer"
 * - anthropic_version: the version of the API, a date (default 2023-06-01)
 * - anthropic_beta: names of betas, with commas between, sent as anthropic-beta
 *
 * Keys of "gigachat":
 *
 * - api_key: the authorization key; default is the environment's GIGACHAT_CREDENTIALS
 * - scope: GIGACHAT_API_PERS (default), GIGACHAT_API_B2B or GIGACHAT_API_CORP
 * - auth_url: the whole URL that tokens come from
 * - auth_scheme: "basic" (default) or "bearer", for the authorization key
 * - access_token: a token of your own, in the place of the key
 * - user, password: in the place of the key
 * - api_version: "v1" (default) or "v2"
 *
 * Keys of "gemini":
 *
 * - api_key: default is the environment variable GEMINI_API_KEY, else GOOGLE_API_KEY; empty
 *   for a server that wants none
 * - auth_scheme: the header of the key: "x-goog-api-key" (default), or "bearer" for an access
 *   token, as Vertex AI wants it
 *
 * Key of "ai365vip", "amigochat" and "aichats":
 *
 * - cookie: sent as it is; none by default
 *
 * Functions: tolmach_config_new(), tolmach_config_from_json(), tolmach_config_set(),
 * tolmach_config_header(), tolmach_config_key_count(), tolmach_config_key_get(),
 * tolmach_config_free().
 */
typedef struct tolmach_config tolmach_config;

/**
 * What the values of a key are. The set is open: take a number you do not know for
 * TOLMACH_KEY_TEXT.
 */
typedef int32_t tolmach_key_kind;

/**
 * A key that a config has, for settings pages, completion and checks. Belongs to the config
 * it was asked of. May grow at its end in later versions.
 */
typedef struct tolmach_config_key {
  /**
   * Its name.
   */
  tolmach_str name;
  /**
   * What it is set to until it is set; empty for nothing, and where help says what holds then.
   */
  tolmach_str default_value;
  /**
   * The values there are, with commas between, for TOLMACH_KEY_CHOICE; else empty.
   */
  tolmach_str choices;
  /**
   * What it means, in English: what this header says of it.
   */
  tolmach_str help;
  /**
   * What its values are.
   */
  tolmach_key_kind kind;
  /**
   * 1 where tolmach_request_option() can give it another value for one request, else 0.
   */
  int32_t is_option;
} tolmach_config_key;

/**
 * Any text.
 */
#define TOLMACH_KEY_TEXT 1

/**
 * Text that is not to be shown, such as an API key.
 */
#define TOLMACH_KEY_SECRET 2

/**
 * An http or https URL.
 */
#define TOLMACH_KEY_URL 3

/**
 * The path of a file.
 */
#define TOLMACH_KEY_FILE 4

/**
 * A whole number, 0 or more.
 */
#define TOLMACH_KEY_NUMBER 5

/**
 * A number of milliseconds; -1 is no limit.
 */
#define TOLMACH_KEY_MILLISECONDS 6

/**
 * "true" or "false".
 */
#define TOLMACH_KEY_BOOLEAN 7

/**
 * A JSON object.
 */
#define TOLMACH_KEY_JSON 8

/**
 * One of the names in choices.
 */
#define TOLMACH_KEY_CHOICE 9

/**
 * Makes a config with a provider's defaults.
 *
 * `provider`: its name, NUL-terminated. `out_config`: receives the config to free.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8 or an unknown provider (the
 * message lists those there are).
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_config_new(const char *provider,
                                  tolmach_config **out_config,
                                  tolmach_error **error);

/**
 * Makes a config of JSON, such as a part of a program's own settings file.
 *
 * `json`, `len`: an object with "provider" and any keys of that provider; `len` in bytes, or
 * TOLMACH_NUL_TERMINATED. Values are strings, as tolmach_config_set() takes them, or numbers and
 * booleans; those of TOLMACH_KEY_JSON may be objects: {"provider":"openai","max_retries":3,"headers":{"X-Name":"value"}}.
 * null is the default. `out_config`: receives the config to free.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, bad JSON, an unknown provider
 * (the message lists those there are), or a wrong key or value (the message says what is
 * right).
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_config_from_json(const char *json,
                                        size_t len,
                                        tolmach_config **out_config,
                                        tolmach_error **error);

/**
 * Sets a key.
 *
 * `key`, `value`: NUL-terminated, copied; a NULL value takes the key back to its default.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, a key that the provider
 * does not have (the message lists those it has) or a wrong value (the message says what
 * is right). On failure the config is as it was.
 * Blocks: no. Threads: one thread at a time per config. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_config_set(tolmach_config *config,
                                  const char *key,
                                  const char *value,
                                  tolmach_error **error);

/**
 * Sets one header that is sent with every request, beside those of the key "headers". Setting
 * that key afterwards replaces them all.
 *
 * `name`, `value`: NUL-terminated, copied; a NULL value removes the header.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, an invalid name or value, or a
 * header that says how a request is sent (Content-Length and the like). On failure the config
 * is as it was.
 * Blocks: no. Threads: one thread at a time per config. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_config_header(tolmach_config *config,
                                     const char *name,
                                     const char *value,
                                     tolmach_error **error);

/**
 * How many keys a config has: those of its provider, and those of every provider.
 *
 * Returns: their number; 0 for NULL.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API size_t tolmach_config_key_count(const tolmach_config *config);

/**
 * The key at `index`, counted from 0. Those of the provider come first.
 *
 * Returns: the key, which lives as long as the config; NULL past the end, and for NULL.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
const tolmach_config_key *tolmach_config_key_get(const tolmach_config *config,
                                                        size_t index);

/**
 * Frees a config. NULL is none. Clients made of it live on.
 *
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API void tolmach_config_free(tolmach_config *config);

/* ---- 7. client: a provider bound to its config; its models ---- */

/**
 * A provider bound to its config, with its open connections. Make one and share it: any
 * number of threads may use it at once. Sessions keep what they need of it alive.
 *
 * Functions: tolmach_client_new(), tolmach_client_models(), tolmach_client_cancel_all(),
 * tolmach_client_free().
 */
typedef struct tolmach_client tolmach_client;

/**
 * A list of models, as it was when it was asked for.
 *
 * Functions: tolmach_models_count(), tolmach_models_get(), tolmach_models_free().
 */
typedef struct tolmach_models tolmach_models;

/**
 * A model. Belongs to its list, and may grow at its end in later versions.
 */
typedef struct tolmach_model {
  /**
   * The name to ask for it by.
   */
  tolmach_str id;
  /**
   * Who made or serves it; empty when not said.
   */
  tolmach_str owner;
  /**
   * The provider's whole entry, as JSON.
   */
  tolmach_str json;
  /**
   * Tokens that fit its context; -1 when not said.
   */
  int64_t context_length;
  /**
   * What the entry says it can do: TOLMACH_CAN_ bits.
   */
  tolmach_capabilities capabilities;
} tolmach_model;

/**
 * Makes a client of what `config` says now. Touches no network.
 *
 * `config`: copied. `out_client`: receives the client to free.
 * Returns: TOLMACH_OK; TOLMACH_E_AUTH when the provider needs a key and there is neither
 * `api_key` nor its environment variable (the message names both); TOLMACH_E_ARGUMENT for
 * NULL, or settings that do not go together or name files that cannot be read;
 * TOLMACH_E_NO_MEMORY when there is not enough for the recording of `replay_file`.
 * Blocks: no (reads certificate files). Threads: any thread. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_client_new(const tolmach_config *config,
                                  tolmach_client **out_client,
                                  tolmach_error **error);

/**
 * Cancels every session that was opened with this client and is not freed yet, each as
 * tolmach_session_cancel() does: to stop all work at once, before an exit or when a user
 * signs out. Sessions that are opened later are not affected; one that another thread is
 * opening during the call may or may not be. A tolmach_client_models() under way returns
 * TOLMACH_E_CANCELLED. The client stays usable.
 *
 * `client`: NULL is none. One of the parent process, after fork(), is left as it is.
 * Blocks: no. Threads: any thread, also during poll, but not in a signal handler: there,
 * call tolmach_session_cancel() for each session. Since: 0.1.
 */
TOLMACH_API void tolmach_client_cancel_all(const tolmach_client *client);

/**
 * Frees a client. NULL is none. Its sessions and lists live on.
 *
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API void tolmach_client_free(tolmach_client *client);

/**
 * Asks for the models there are, and waits for all of the list: a session of
 * tolmach_session_open_models(), polled to its end.
 *
 * `timeout_ms`: for all of it, retries included; -1 leaves it to the config.
 * `out_models`: receives the list to free.
 * Returns: TOLMACH_OK; TOLMACH_E_UNSUPPORTED when the provider lists none;
 * TOLMACH_E_TIMEOUT; any error that a session can end with.
 * Blocks: up to the timeout. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_client_models(const tolmach_client *client,
                                     int64_t timeout_ms,
                                     tolmach_models **out_models,
                                     tolmach_error **error);

/**
 * How many models a list has.
 *
 * Returns: their number; 0 for NULL.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API size_t tolmach_models_count(const tolmach_models *models);

/**
 * The model at `index`, counted from 0.
 *
 * Returns: the model, which lives as long as the list; NULL past the end.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
const tolmach_model *tolmach_models_get(const tolmach_models *models,
                                               size_t index);

/**
 * Frees a list of models. NULL is none.
 *
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API void tolmach_models_free(tolmach_models *models);

/* ---- 8. request: what to ask ---- */

/**
 * What to ask: OpenAI's chat request, which is translated for every provider. A session
 * copies it, so it may be changed or freed afterwards.
 *
 * Functions: tolmach_request_new(), tolmach_request_from_json(), tolmach_request_clone(),
 * tolmach_request_message(), tolmach_request_input(), tolmach_request_attach(),
 * tolmach_request_attach_url(),
 * tolmach_request_tool(), tolmach_request_tool_result(), tolmach_request_reply(),
 * tolmach_request_count(), tolmach_request_truncate(), tolmach_request_set(),
 * tolmach_request_set_string(), tolmach_request_option(), tolmach_request_json(),
 * tolmach_request_free().
 */
typedef struct tolmach_request tolmach_request;

/**
 * Makes a request without messages.
 *
 * `model`: NUL-terminated; NULL asks the config's model, else the provider's default.
 * `out_request`: receives the request to free.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for bad UTF-8 or a NULL output.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_new(const char *model,
                                   tolmach_request **out_request,
                                   tolmach_error **error);

/**
 * Makes a request of a whole one in OpenAI's chat format.
 *
 * `json`, `len`: a JSON object, up to 127 levels deep; `len` in bytes, or
 * TOLMACH_NUL_TERMINATED. `out_request`: receives the request to free.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, bad JSON (the message says
 * where) or a field of a wrong type; TOLMACH_E_NO_MEMORY.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_from_json(const char *json,
                                         size_t len,
                                         tolmach_request **out_request,
                                         tolmach_error **error);

/**
 * Makes a copy of a request, with its options. Neither of the two changes the other.
 *
 * `out_request`: receives the copy to free.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL; TOLMACH_E_NO_MEMORY.
 * Blocks: no. Threads: any thread, while none changes `request`. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_clone(const tolmach_request *request,
                                     tolmach_request **out_request,
                                     tolmach_error **error);

/**
 * Adds an input, whose embedding is asked for: numbers that stand for its meaning. A request
 * with inputs is for embeddings, and has no messages. tolmach_session_open() asks it of a model
 * that makes embeddings; the session's chunks are one of kind TOLMACH_CHUNK_START, one of kind
 * TOLMACH_CHUNK_EMBEDDING for each input, in the order of the inputs, one of kind
 * TOLMACH_CHUNK_USAGE where the provider counts tokens, and then the end: there is no chunk of
 * kind TOLMACH_CHUNK_FINISH. Fields of the embeddings API, such as "dimensions" and "user", are
 * set with tolmach_request_set(). OpenAI and Azure are asked for "encoding_format" base64, which
 * is smaller; set the field to choose for yourself. Every form comes as the same bytes.
 *
 * `text`, `len`: UTF-8, copied; `len` in bytes, or TOLMACH_NUL_TERMINATED.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL (also with a length of 0), bad UTF-8, or a
 * request that has messages, or whose field "input" was set to something that is no list of
 * strings. On failure the request is as it was. Providers other than "openai" and
 * "openai-responses", and the servers that speak their protocol, are not asked for embeddings
 * yet: there, polls return TOLMACH_E_UNSUPPORTED.
 * Blocks: no. Threads: one thread at a time per request. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_input(tolmach_request *request,
                                     const char *text,
                                     size_t len,
                                     tolmach_error **error);

/**
 * How many messages a request has; of one for embeddings, how many inputs.
 *
 * Returns: their number; 0 for NULL.
 * Blocks: no. Threads: any thread, while none changes it. Since: 0.1.
 */
TOLMACH_API size_t tolmach_request_count(const tolmach_request *request);

/**
 * Removes the last messages, or inputs, so that at most `count` remain. A program that notes
 * tolmach_request_count() before a turn can undo the turn with it.
 *
 * `count`: 0 removes all messages; where there are not more than `count`, nothing happens.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL.
 * Blocks: no. Threads: one thread at a time per request. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_truncate(tolmach_request *request,
                                        size_t count,
                                        tolmach_error **error);

/**
 * Appends a message. A request with inputs (tolmach_request_input()) takes none.
 *
 * `role`: "system", "developer", "user" or "assistant". `text`, `len`: UTF-8; `len` in
 * bytes, or TOLMACH_NUL_TERMINATED; may be empty. Both are copied.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL (also with a length of 0), bad UTF-8 or
 * another role; TOLMACH_E_NO_MEMORY. On failure the request is as it was.
 * Blocks: no. Threads: one thread at a time per request. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_message(tolmach_request *request,
                                       const char *role,
                                       const char *text,
                                       size_t len,
                                       tolmach_error **error);

/**
 * Attaches an image, audio or PDF to the last user message.
 *
 * `bytes`, `len`: the file, copied. `mime`: its media type, such as "image/png"; NULL
 * where the bytes tell it (JPEG, PNG, GIF, WebP, WAV, MP3, Ogg, FLAC, PDF).
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, an empty file, a type that is not known
 * or cannot be attached, or when there is no user message; TOLMACH_E_NO_MEMORY. On failure
 * the request is as it was.
 * Blocks: no. Threads: one thread at a time per request. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_attach(tolmach_request *request,
                                      const void *bytes,
                                      size_t len,
                                      const char *mime,
                                      tolmach_error **error);

/**
 * Attaches what a URL points to, to the last user message. The provider fetches it. Where
 * a provider does not ("gigachat"), the library fetches it, but only if the config's
 * fetch_urls is "true", and from public addresses alone unless fetch_private_urls is "true"
 * as well; without fetch_urls the session ends with TOLMACH_E_UNSUPPORTED.
 *
 * `url`: NUL-terminated; http, https, or a data URL of an image or audio.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, another kind of URL, a URL
 * without a host or without data, or when there is no user message; TOLMACH_E_NO_MEMORY. On
 * failure the request is as it was.
 * Blocks: no. Threads: one thread at a time per request. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_attach_url(tolmach_request *request,
                                          const char *url,
                                          tolmach_error **error);

/**
 * Adds a tool that the model may call. A tool of the same name is replaced.
 *
 * `name`: NUL-terminated; 1 to 128 of the letters a to z and A to Z, digits, "_", "-", "." and
 * ":" (most providers take 64, and no "." or ":"). `description`: when and how to use it,
 * NUL-terminated; NULL for none. `schema`, `len`: the JSON schema of its arguments, an
 * object; `len` in bytes, or TOLMACH_NUL_TERMINATED; NULL for a tool without arguments.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for a NULL request or name, an invalid name, bad UTF-8,
 * a schema that is not a JSON object, or where "tools" was set to something that is not an
 * array; TOLMACH_E_NO_MEMORY. On failure the request is as it was.
 * Blocks: no. Threads: one thread at a time per request. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_tool(tolmach_request *request,
                                    const char *name,
                                    const char *description,
                                    const char *schema,
                                    size_t len,
                                    tolmach_error **error);

/**
 * Appends the result of a tool call.
 *
 * `call_id`: the id that came with the call. `text`, `len`: the result, as text or JSON;
 * `len` in bytes, or TOLMACH_NUL_TERMINATED; may be empty.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL (also with a length of 0), bad UTF-8 or
 * an empty id; TOLMACH_E_NO_MEMORY. On failure the request is as it was.
 * Blocks: no. Threads: one thread at a time per request. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_tool_result(tolmach_request *request,
                                           const char *call_id,
                                           const char *text,
                                           size_t len,
                                           tolmach_error **error);

/**
 * Sets any field of the request: "temperature" to "0.2", "tools" to a list. The last
 * writer wins; the value null removes the field.
 *
 * `name`: NUL-terminated. `json`, `len`: the value as JSON, where a string has its quotes:
 * "\"auto\""; `len` in bytes, or TOLMACH_NUL_TERMINATED.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, bad JSON, or a wrong type
 * of "messages", "model" or "stream"; TOLMACH_E_NO_MEMORY. On failure the request is as it was.
 * Blocks: no. Threads: one thread at a time per request. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_set(tolmach_request *request,
                                   const char *name,
                                   const char *json,
                                   size_t len,
                                   tolmach_error **error);

/**
 * Sets a field of the request to a string, without quotes and escapes: "tool_choice" to
 * "auto", "reasoning_effort" to "low". The last writer wins.
 *
 * `name`: NUL-terminated. `text`, `len`: UTF-8; `len` in bytes, or TOLMACH_NUL_TERMINATED;
 * may be empty.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL (also with a length of 0), bad UTF-8, an
 * empty name, or a field that is not a string ("messages", "stream");
 * TOLMACH_E_NO_MEMORY. On failure the request is as it was.
 * Blocks: no. Threads: one thread at a time per request. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_set_string(tolmach_request *request,
                                          const char *name,
                                          const char *text,
                                          size_t len,
                                          tolmach_error **error);

/**
 * Gives a key of the config another value for this request alone. It is never sent to the
 * provider, and is not part of tolmach_request_json().
 *
 * `key`: connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms, total_timeout_ms,
 * max_retries, headers (added to those of the config), max_reply_bytes, queue_bytes,
 * raw_chunks, retry_chunks or estimate_usage; the other keys are the same for all requests of a client.
 * `value`: as for tolmach_config_set(); NULL takes the key back to the config's value. Both
 * are NUL-terminated and copied.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, another key (the message lists
 * these) or a wrong value (the message says what is right). On failure the request is as it
 * was.
 * Blocks: no. Threads: one thread at a time per request. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_option(tolmach_request *request,
                                      const char *key,
                                      const char *value,
                                      tolmach_error **error);

/**
 * The request as it stands, in OpenAI's chat format.
 *
 * Returns: JSON, valid until the request next changes or is freed; empty for NULL, and
 * where there is no memory for it.
 * Blocks: no. Threads: any thread, while none changes it. Since: 0.1.
 */
TOLMACH_API tolmach_str tolmach_request_json(const tolmach_request *request);

/**
 * Frees a request. NULL is none. Sessions opened with it live on.
 *
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API void tolmach_request_free(tolmach_request *request);

/* ---- 9. chunk: one piece of an answer ---- */

/**
 * What a chunk carries. The set is open: skip the kinds you do not know.
 */
typedef int32_t tolmach_chunk_kind;

/**
 * Token counts; -1 where the provider did not say.
 */
typedef struct tolmach_usage {
  /**
   * Of the prompt, cached ones included.
   */
  int64_t input;
  /**
   * Of the answer, reasoning included.
   */
  int64_t output;
  /**
   * In all.
   */
  int64_t total;
  /**
   * Of the prompt, from a cache.
   */
  int64_t cached_input;
  /**
   * Of the answer, spent on reasoning.
   */
  int64_t reasoning;
  /**
   * Of the prompt, written to a cache.
   */
  int64_t cache_write;
} tolmach_usage;

/**
 * One piece of an answer. Belongs to the session: it and all it points to are valid until
 * the next poll or free of that session. May grow at its end in later versions.
 */
typedef struct tolmach_chunk {
  /**
   * What it carries.
   */
  tolmach_chunk_kind kind;
  /**
   * Which of n answers it belongs to.
   */
  int32_t choice;
  /**
   * Which tool call, image or source of that answer, counted from 0 over all of it, or which
   * model or embedding; of a retry, the number of the attempt that follows. 0 for the other
   * kinds. The pieces of one tool call share theirs.
   */
  int32_t index;
  /**
   * Of a model, what it can do: TOLMACH_CAN_ bits. 0 for the other kinds.
   */
  int32_t flags;
  /**
   * Text, always in whole UTF-8 characters.
   */
  tolmach_str text;
  /**
   * The id of a tool call, of audio or of a model.
   */
  tolmach_str id;
  /**
   * A name; of what, the kind says.
   */
  tolmach_str name;
  /**
   * The media type of bytes.
   */
  tolmach_str mime;
  /**
   * An image, audio, an embedding or a piece of a body; NULL when there is none.
   */
  const uint8_t *bytes;
  /**
   * How many bytes.
   */
  size_t bytes_len;
  /**
   * Token counts; of a model, the size of its context.
   */
  tolmach_usage usage;
} tolmach_chunk;

/**
 * Several chunks that follow each other, in one array. Belongs to the session: it and all it
 * points to are valid until the next poll or free of that session. May grow at its end in
 * later versions.
 */
typedef struct tolmach_batch {
  /**
   * The first chunk.
   */
  const tolmach_chunk *chunks;
  /**
   * How many chunks: at least 1.
   */
  size_t count;
  /**
   * How many bytes from one chunk to the next. A program that is compiled with an older
   * header than the library's needs it to find the next chunk.
   */
  size_t chunk_size;
  /**
   * The block of memory that text, id, name and mime of all these chunks lie in, where they
   * are not empty. A binding can copy it at once and cut its strings out of the copy.
   */
  tolmach_str memory;
} tolmach_batch;

/**
 * The answer begins. text: its id; name: the model that answers.
 */
#define TOLMACH_CHUNK_START 1

/**
 * A piece of the answer's text.
 */
#define TOLMACH_CHUNK_TEXT 2

/**
 * A piece of the model's reasoning. name: the field of the protocol that it came in.
 */
#define TOLMACH_CHUNK_REASONING 3

/**
 * A piece of a refusal.
 */
#define TOLMACH_CHUNK_REFUSAL 4

/**
 * A piece of a tool call. id and name on the call's first piece; text: a piece of its
 * arguments, which are JSON once the answer has finished.
 */
#define TOLMACH_CHUNK_TOOL_CALL 5

/**
 * An image. text: its URL, or empty when bytes are given; name: the prompt as the provider
 * revised it.
 */
#define TOLMACH_CHUNK_IMAGE 6

/**
 * A piece of audio in bytes; text: its transcript.
 */
#define TOLMACH_CHUNK_AUDIO 7

/**
 * A source. text: its URL; name: its title.
 */
#define TOLMACH_CHUNK_SOURCE 8

/**
 * What the provider says it is doing.
 */
#define TOLMACH_CHUNK_PROGRESS 9

/**
 * Token counts, in usage.
 */
#define TOLMACH_CHUNK_USAGE 10

/**
 * The end of a choice. text: stop, length, tool_calls, content_filter, or another word of
 * the provider's; name: as the provider put it.
 */
#define TOLMACH_CHUNK_FINISH 11

/**
 * With the config's raw_chunks alone: text is the undecoded event.
 */
#define TOLMACH_CHUNK_RAW 12

/**
 * What the provider wants back with the next request, such as signed reasoning: opaque JSON
 * in text. The reply of the session has it already: see tolmach_session_reply().
 */
#define TOLMACH_CHUNK_STATE 13

/**
 * How likely the tokens of the answer were, where the request asks for it with logprobs: JSON
 * in text, as the provider put it.
 */
#define TOLMACH_CHUNK_LOGPROBS 14

/**
 * A model, of tolmach_session_open_models(). id: the name to ask for it by; name: who made or
 * serves it, empty when not said; text: the provider's whole entry, as JSON; index: its place
 * in the list; flags: what the entry says it can do, TOLMACH_CAN_ bits; usage.total: tokens
 * that fit its context, -1 when not said.
 */
#define TOLMACH_CHUNK_MODEL 15

/**
 * An embedding, of a request with tolmach_request_input(). index: which input, counted from 0;
 * bytes: its numbers, IEEE 754 floats of 32 bits in little-endian order; bytes_len / 4 is its
 * number of dimensions. On a little-endian machine, copy the bytes to an array of float.
 */
#define TOLMACH_CHUNK_EMBEDDING 16

/**
 * With the config's retry_chunks alone: the request has failed and is tried again after a wait,
 * which begins now. text: the error; index: the number of the attempt that follows, 2 for the
 * first retry; name: how long the wait is, in milliseconds, as digits. Such chunks come before
 * all others of the session.
 */
#define TOLMACH_CHUNK_RETRY 17

/**
 * A piece of a response's body, of tolmach_session_open_raw(). bytes: as they arrived; pieces
 * may end anywhere. mime: the Content-Type of the response, empty where it has none.
 */
#define TOLMACH_CHUNK_BODY 18

/* ---- 10. session: one answer on its way ---- */

/**
 * One answer on its way, and the worker thread behind it.
 *
 * Functions: tolmach_session_open(), tolmach_session_open_models(), tolmach_session_open_raw(),
 * tolmach_session_poll(), tolmach_session_poll_many(), tolmach_sessions_wait(),
 * tolmach_session_cancel(), tolmach_session_fd(), tolmach_session_on_ready(),
 * tolmach_session_reply(), tolmach_session_text(), tolmach_session_tool_call_count(),
 * tolmach_session_tool_call_get(), tolmach_session_info_get(), tolmach_session_header(),
 * tolmach_session_free().
 */
typedef struct tolmach_session tolmach_session;

/**
 * Is told that a session has something to poll for. It may be called on any thread; it must
 * return soon, and may call tolmach_session_cancel() and nothing else of that session. It may
 * still be running when tolmach_session_on_ready() with NULL, or tolmach_session_free(),
 * returns. If yours calls tolmach_session_cancel(), remove it and wait for `release` before
 * you free the session.
 */
typedef void (*tolmach_ready_fn)(void *user);

/**
 * A tool call of an answer. Belongs to the session: it and all it points to are valid until the
 * next poll or free of that session. May grow at its end in later versions.
 */
typedef struct tolmach_tool_call {
  /**
   * Its id: that of the result, see tolmach_request_tool_result().
   */
  tolmach_str id;
  /**
   * The tool.
   */
  tolmach_str name;
  /**
   * The arguments, as complete JSON; "{}" where the model gave none.
   */
  tolmach_str arguments;
  /**
   * Which of n answers it belongs to: 0 in this version, which keeps those of choice 0.
   */
  int32_t choice;
  /**
   * Which tool call of the answer it is: the index of its chunks.
   */
  int32_t index;
} tolmach_tool_call;

/**
 * A rate limit, as the provider told it with its latest response; -1 where it did not.
 */
typedef struct tolmach_rate_limit {
  /**
   * How many requests or tokens are allowed in a period. How long that is, providers do not say.
   */
  int64_t limit;
  /**
   * How many of them are left.
   */
  int64_t remaining;
  /**
   * In how many milliseconds the period ends, counted from the arrival of the response.
   */
  int64_t reset_ms;
} tolmach_rate_limit;

/**
 * What is known of a session beside its answer. May grow at its end in later versions.
 *
 * Except for `id`, `changed` and `model`, all of it is of the latest attempt. An attempt may take several
 * requests, as where the provider wants a token first: then it is of the latest of them. Files that
 * are fetched in addition to the answer do not count.
 *
 * The times are microseconds since the session was opened; -1 where it has not come to that, or
 * skipped it. A request over a connection that was there before has no `resolved`, `connected` and
 * `tls_done`; one that is answered from a recording has no `sent` either.
 */
typedef struct tolmach_session_info {
  /**
   * The number of the session, unique in the process: they count from 1. The lines of the log
   * name sessions by it, see tolmach_log_set().
   */
  uint64_t id;
  /**
   * How often the request was tried so far: 0 before the first try, more than 1 after retries.
   */
  int64_t attempts;
  /**
   * The parameters of the request that were changed to suit the provider: a JSON list of
   * objects with the strings "field" and "change"; "[]" when there are none.
   */
  tolmach_str changed;
  /**
   * The provider's id of the latest request, for its support; empty where it gave none.
   */
  tolmach_str request_id;
  /**
   * The model that answers, as the chunk of kind TOLMACH_CHUNK_START named it; empty before.
   */
  tolmach_str model;
  /**
   * The provider: its name in tolmach_provider_find().
   */
  tolmach_str provider;
  /**
   * The status of the latest response, such as 200 or 429; 0 before it.
   */
  int32_t http_status;
  /**
   * 1 if the request went over a connection that an earlier one had left open, otherwise 0.
   */
  int32_t connection_reused;
  /**
   * When the address of the server was known, or of the proxy.
   */
  int64_t resolved;
  /**
   * When there was a connection to the server, through the proxy if there is one.
   */
  int64_t connected;
  /**
   * When that connection was encrypted.
   */
  int64_t tls_done;
  /**
   * When the request had been sent.
   */
  int64_t sent;
  /**
   * When the headers of the response had arrived.
   */
  int64_t headers;
  /**
   * When the first chunk could be polled; mostly that is TOLMACH_CHUNK_START, which comes with
   * the first event of the answer.
   */
  int64_t first_chunk;
  /**
   * When the answer was complete, or failed. After a cancel it may be -1 for a moment.
   */
  int64_t ended;
  /**
   * The longest time between two arrivals of data of the answer, after its headers: a duration
   * in microseconds, not a time since open. -1 before the second arrival.
   */
  int64_t longest_gap;
  /**
   * The limit on requests. Headers of the families `x-ratelimit-...`,
   * `anthropic-ratelimit-...`, `ratelimit-...` and `RateLimit` are read.
   */
  tolmach_rate_limit requests;
  /**
   * The limit on tokens.
   */
  tolmach_rate_limit tokens;
} tolmach_session_info;

/**
 * Opens a session: asks `request` of `client`. Returns at once: resolving, connecting and
 * sending happen on the worker, and what fails there is what polls return.
 *
 * `client`, `request`: may be freed at once. `out_session`: receives the session to free.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL; TOLMACH_E_NO_MEMORY when there is not
 * enough to copy the request, or the system gives no thread or file descriptor.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_session_open(const tolmach_client *client,
                                    const tolmach_request *request,
                                    tolmach_session **out_session,
                                    tolmach_error **error);

/**
 * Opens a session that lists the models there are: a chunk of kind TOLMACH_CHUNK_MODEL for
 * each, in the provider's order, and then the end. It is a session as any other: it is polled,
 * cancelled, waited for, retried, recorded and freed as one, and the config's deadlines hold
 * for it. The library never lists models by itself. The client remembers which of them make
 * images, and asks them for one from then on. tolmach_client_models() is the same for a program
 * that wants to wait for all of the list.
 *
 * `client`: may be freed at once. `out_session`: receives the session to free; NULL on failure.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL; TOLMACH_E_NO_MEMORY when the system gives
 * no thread or file descriptor. Polls return TOLMACH_E_UNSUPPORTED when the provider lists no
 * models, and any other error that a session can end with.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_session_open_models(const tolmach_client *client,
                                           tolmach_session **out_session,
                                           tolmach_error **error);

/**
 * Opens a session that makes an HTTP request of your own, with the client's credentials: for
 * what this library has no function for, such as files, batches, token counts, moderation and
 * audio. The body of the response comes as it arrives, in chunks of kind TOLMACH_CHUNK_BODY, and
 * then the end; an empty body has no chunk. Nothing of it is decoded but compression that its
 * headers name. The status of the response is an error unless it is 2xx, as it is for any
 * session; tolmach_error_body() has the body then. Redirects are not followed: they are errors.
 *
 * The request goes to the host of the config's base_url alone. It has the client's credentials,
 * and the config's headers; deadlines, proxy, TLS and recording are those of the client. It is
 * tried again as often as max_retries says, for what can heal and before the first chunk, and a
 * POST or PATCH may then be done twice: set max_retries to 0 where that must not be. There is no
 * limit to the size of a response: nothing of it is kept, and it is read no faster than it is
 * polled (queue_bytes). tolmach_session_reply() is empty.
 *
 * `method`: "GET", "POST", "PUT", "PATCH" or "DELETE". `path`: below base_url, such as
 * "/files?limit=10"; it begins with one "/", has no parts "." and "..", no "#", no "\", and
 * nothing that has to be percent-encoded. `content_type`: of the body; NULL for
 * "application/json". `body`, `len`: copied; `len` in bytes, or TOLMACH_NUL_TERMINATED; NULL
 * with a length of 0 for none; "GET" and "DELETE" have none. `out_session`: receives the session
 * to free; NULL on failure. The client may be freed at once.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, bad UTF-8, another method, a wrong path or
 * content type, or a body where there is none; TOLMACH_E_NO_MEMORY when there is not enough to
 * copy the body, or the system gives no thread or file descriptor. Polls return
 * TOLMACH_E_UNSUPPORTED for "ai365vip", "amigochat" and "aichats", which have no such API.
 * Blocks: no. Threads: any thread. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_session_open_raw(const tolmach_client *client,
                                        const char *method,
                                        const char *path,
                                        const char *content_type,
                                        const void *body,
                                        size_t len,
                                        tolmach_session **out_session,
                                        tolmach_error **error);

/**
 * Gives the next chunk.
 *
 * `timeout_ms`: how long to wait for it; 0 does not wait, -1 waits for ever (which ends:
 * the config's deadlines see to it). `out_chunk`: receives the chunk, which is valid until
 * the next poll or free of this session; NULL with every other outcome.
 * Returns: TOLMACH_OK with a chunk; TOLMACH_PENDING when there is none in time;
 * TOLMACH_END for ever after the last chunk; TOLMACH_E_CANCELLED at once and for ever
 * after tolmach_session_cancel(); TOLMACH_E_BUSY while another thread is inside;
 * TOLMACH_E_ARGUMENT for NULL or a timeout below -1. Any other error ends the session and
 * is repeated by later polls; TOLMACH_E_TRUNCATED when the answer stopped before its end.
 * Blocks: up to the timeout. Threads: one thread at a time per session. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_session_poll(tolmach_session *session,
                                    int64_t timeout_ms,
                                    const tolmach_chunk **out_chunk,
                                    tolmach_error **error);

/**
 * Gives the next chunks, as tolmach_session_poll() called again and again: all that have
 * arrived, but at most 256. Meant for bindings, where each call of a C function costs more
 * than a chunk. Both functions may be used on one session.
 *
 * `timeout_ms`: how long to wait for the first of them; 0 does not wait, -1 waits for ever.
 * `out_batch`: receives the chunks, which are valid until the next poll or free of this
 * session; NULL with every other outcome than TOLMACH_OK.
 * Returns: as tolmach_session_poll(), with at least one chunk for TOLMACH_OK; also
 * TOLMACH_E_NO_MEMORY where there is no memory for the array: no chunk is lost then, and a
 * later poll goes on. If the session itself has ended with that error, later polls repeat it.
 * Blocks: up to the timeout. Threads: one thread at a time per session. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_session_poll_many(tolmach_session *session,
                                         int64_t timeout_ms,
                                         const tolmach_batch **out_batch,
                                         tolmach_error **error);

/**
 * Waits until one of several sessions has something to poll for: the first for which
 * tolmach_session_poll() would not return TOLMACH_PENDING. A session that has ended or was
 * cancelled is always ready: replace it by NULL when you have seen its end. If several
 * are ready, the function returns the one that it returned the longest ago, or never, so
 * that each is reached even if you poll only once after each call; among equals, the one
 * with the lowest index. It needs no file descriptors and works on every system. A call takes
 * time in proportion to `count`: with many hundreds of sessions, tolmach_session_fd() and
 * tolmach_session_on_ready() are cheaper. All three can be used together.
 *
 * `sessions`: `count` pointers; NULL entries are skipped. Do not free a session during the
 * call. `timeout_ms`: how long to wait; 0 does not wait, -1 waits without limit. `out_index`:
 * receives the index of the ready session with TOLMACH_OK; unchanged otherwise.
 * Returns: TOLMACH_OK; TOLMACH_PENDING if none is ready in time; TOLMACH_E_ARGUMENT if
 * `sessions` or `out_index` is NULL, if there is no session (`count` is 0, or all entries are
 * NULL), for a timeout below -1, and for a session of the parent process after fork();
 * TOLMACH_E_NO_MEMORY.
 * Blocks: up to the timeout; tolmach_session_cancel() of one of the sessions ends the wait.
 * Threads: any thread, also during poll; several threads may wait for the same sessions.
 * Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_sessions_wait(const tolmach_session *const *sessions,
                                     size_t count,
                                     int64_t timeout_ms,
                                     size_t *out_index,
                                     tolmach_error **error);

/**
 * Ends a session at once: closes its socket, and lets every poll of it, now and later,
 * return TOLMACH_E_CANCELLED, unless it has already returned TOLMACH_END or an error.
 *
 * `session`: not yet freed. NULL is none.
 * Blocks: no. Threads: any thread, also during poll, at any time before free; also in a
 * signal handler (on Unix it takes no lock, allocates nothing and keeps `errno`). Since: 0.1.
 */
TOLMACH_API
void tolmach_session_cancel(const tolmach_session *session);

/**
 * A descriptor for event loops (poll, epoll, kqueue, ...): readable exactly while
 * tolmach_session_poll() with timeout 0 would not say TOLMACH_PENDING. It is the
 * session's: never read or close it, and stop watching it before the session is freed.
 *
 * Returns: the descriptor, the same each time; -1 where the system has no such thing
 * (Windows), or has no more, or for NULL.
 * Blocks: no. Threads: any thread, also during poll. Since: 0.1.
 */
TOLMACH_API int32_t tolmach_session_fd(const tolmach_session *session);

/**
 * Registers `ready`. It is called each time the session becomes ready to poll: when polls
 * stop returning TOLMACH_PENDING. If the session is ready now, `ready` is called before this
 * function returns. Several events may give one call, and there may be one call too many:
 * poll with timeout 0 until TOLMACH_PENDING.
 *
 * `ready`: replaces the one before; NULL removes it. `release`, if not NULL, is called
 * once with `user` after the last call of `ready`: on removal, replacement or free of the
 * session, perhaps on another thread, perhaps a moment after these return.
 * Returns: TOLMACH_OK; TOLMACH_E_ARGUMENT for NULL, and then `release` is not called.
 * Blocks: no. Threads: any thread, also during poll. Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_session_on_ready(tolmach_session *session,
                                        tolmach_ready_fn ready,
                                        void *user,
                                        tolmach_release_fn release,
                                        tolmach_error **error);

/**
 * What has been polled so far, put together: the assistant's message as JSON, ready to be
 * sent back. tolmach_request_reply() appends it to a request. After a cancel or an error it
 * is what arrived before; tool calls whose arguments did not arrive whole are left out.
 *
 * An answer longer than the config's `max_reply_bytes` is delivered whole, but the reply
 * ends there: its text is cut, a tool call that was cut is left out, and it has the field
 * "incomplete": true. A request leaves that field out of its messages, however they are
 * set; where you send the JSON yourself, remove it.
 *
 * Returns: JSON, valid until the next poll or free of this session; empty (length 0) while
 * there is no text, refusal, audio or tool call to send back, for NULL, and where there is
 * no memory for it.
 * Blocks: no. Threads: any thread, while none polls. Since: 0.1.
 */
TOLMACH_API
tolmach_str tolmach_session_reply(const tolmach_session *session);

/**
 * Appends what `session` has answered so far, the assistant's message with its tool
 * calls: the next turn of a conversation. What is appended is tolmach_session_reply(), so
 * that the request can always be sent: where that is empty, as after an error before the
 * first text, nothing is appended, and the request is as it was. Providers want a result
 * (tolmach_request_tool_result()) for each tool call before the next message.
 *
 * Returns: TOLMACH_OK, also when there was nothing to append; TOLMACH_E_ARGUMENT for NULL;
 * TOLMACH_E_NO_MEMORY.
 * Blocks: no. Threads: one thread at a time per request; the session may be in use.
 * Since: 0.1.
 */
TOLMACH_API
tolmach_status tolmach_request_reply(tolmach_request *request,
                                     const tolmach_session *session,
                                     tolmach_error **error);

/**
 * The text of the answer that has been polled so far, put together: that of choice 0.
 *
 * An answer longer than the config's `max_reply_bytes` is cut here, as in the reply.
 *
 * Returns: the text, valid until the next poll or free of this session, also where the session
 * ended with an error; empty (length 0) while there is none, for NULL, and where there is no
 * memory for it.
 * Blocks: no. Threads: any thread, while none polls. Since: 0.1.
 */
TOLMACH_API
tolmach_str tolmach_session_text(const tolmach_session *session);

/**
 * How many complete tool calls have been polled so far, of choice 0. A call is complete when the
 * answer has finished. While it is still coming, after a cancel and after an error, it is complete
 * where its arguments are a whole JSON object. Others are not counted; nor is a call that the
 * config's `max_reply_bytes` cut, or that came after it.
 *
 * Returns: how many; 0 for NULL, and where there is no memory for them.
 * Blocks: no. Threads: any thread, while none polls. Since: 0.1.
 */
TOLMACH_API
size_t tolmach_session_tool_call_count(const tolmach_session *session);

/**
 * A complete tool call. They are in the order in which they began; while the answer is coming, one
 * that began earlier may still become complete, so that the numbers of others change.
 *
 * `i`: below tolmach_session_tool_call_count().
 * Returns: the call, valid until the next poll or free of this session; NULL when there is none of
 * that number, for NULL, and where there is no memory for it.
 * Blocks: no. Threads: any thread, while none polls. Since: 0.1.
 */
TOLMACH_API
const tolmach_tool_call *tolmach_session_tool_call_get(const tolmach_session *session,
                                                              size_t i);

/**
 * What is known of a session beside its answer: which parameters of the request were changed,
 * the provider's id of the request, its rate limits, when it got how far, and more. It can be
 * asked for at any time, also after an error. Complete once the session has ended.
 *
 * Returns: the information as it is now, valid until the next poll or free of this session: until
 * then it stays the same. NULL for NULL, and where there is no memory for it.
 * Blocks: no. Threads: any thread, while none polls. Since: 0.1.
 */
TOLMACH_API
const tolmach_session_info *tolmach_session_info_get(const tolmach_session *session);

/**
 * A header of the latest response, as tolmach_session_info_get() means it: also of one that was
 * an error. Headers that are credentials, such as Set-Cookie, are never given, and keys of yours
 * that the server repeats are replaced by "[redacted]".
 *
 * `name`: in upper or lower case.
 * Returns: its value, those of several lines joined by ", ", valid until the next poll or free of
 * this session: until then it stays the same. `ptr` is NULL when there is no such header, before
 * the headers have arrived, for NULL, and where there is no memory for it.
 * Blocks: no. Threads: any thread, while none polls. Since: 0.1.
 */
TOLMACH_API
tolmach_str tolmach_session_header(const tolmach_session *session,
                                   const char *name);

/**
 * Frees a session, and cancels it where it still runs. NULL is none.
 *
 * Blocks: no. Threads: any thread, once no other uses it. Since: 0.1.
 */
TOLMACH_API void tolmach_session_free(tolmach_session *session);

#ifdef __cplusplus
}
#endif

#endif /* TOLMACH_H */
