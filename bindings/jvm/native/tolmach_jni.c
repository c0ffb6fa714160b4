/* The crossing between the class io.github.tolmach.Native and libtolmach: a function for each
 * native method, in the same order.
 *
 * Handles cross as long. Text crosses as UTF-8 in byte[] in both directions, since JNI's own
 * strings are modified UTF-8; names and URLs come with their NUL. A call that can fail
 * returns null, or its error packed into a byte[]. Packed numbers are in native byte order,
 * texts have their length (int32) before them. No thread of the library ever enters the JVM:
 * its callbacks put what they have to tell into queues, which threads of the JVM wait for. */
#include <jni.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tolmach.h>

#define NATIVE(type, name) JNIEXPORT type JNICALL Java_io_github_tolmach_Native_##name
#define HANDLE(type, number) ((tolmach_##type *)(intptr_t)(number))

/* ---- bytes in ---- */

typedef struct input {
  jbyteArray array;
  jbyte *bytes;
  size_t len;
} input;

/* NULL for null, and where an exception is pending: ask is_well() before the bytes are used. */
static input take(JNIEnv *env, jbyteArray array) {
  input in = {array, NULL, 0};
  if (array == NULL || (*env)->ExceptionCheck(env)) return in;
  in.len = (size_t)(*env)->GetArrayLength(env, array);
  in.bytes = (*env)->GetByteArrayElements(env, array, NULL);
  return in;
}

static void give_back(JNIEnv *env, input in) {
  if (in.bytes != NULL) (*env)->ReleaseByteArrayElements(env, in.array, in.bytes, JNI_ABORT);
}

static const char *text(input in) { return (const char *)in.bytes; }

static int is_well(JNIEnv *env) { return !(*env)->ExceptionCheck(env); }

/* ---- bytes out ---- */

typedef struct packed {
  char *data;
  size_t len, room;
  int failed;
} packed;

static void put(packed *p, const void *from, size_t len) {
  if (len > INT32_MAX - p->len) p->failed = 1;
  if (p->failed || len == 0) return;
  if (p->len + len > p->room) {
    size_t room = 2 * (p->len + len);
    char *data = realloc(p->data, room);
    if (data == NULL) {
      p->failed = 1;
      return;
    }
    p->data = data;
    p->room = room;
  }
  memcpy(p->data + p->len, from, len);
  p->len += len;
}

static void put_int(packed *p, int32_t number) { put(p, &number, sizeof number); }

static void put_long(packed *p, int64_t number) { put(p, &number, sizeof number); }

static void put_bytes(packed *p, const void *bytes, size_t len) {
  put_int(p, (int32_t)len);
  put(p, bytes, len);
}

static void put_text(packed *p, tolmach_str text) { put_bytes(p, text.ptr, text.len); }

static void throw_out_of_memory(JNIEnv *env) {
  jclass type = (*env)->FindClass(env, "java/lang/OutOfMemoryError");
  if (type != NULL) (*env)->ThrowNew(env, type, "no room for what the library gave out");
}

static jbyteArray array_of(JNIEnv *env, const void *bytes, size_t len) {
  jbyteArray array;
  if (len > INT32_MAX) {
    throw_out_of_memory(env);
    return NULL;
  }
  array = (*env)->NewByteArray(env, (jsize)len);
  if (array != NULL) (*env)->SetByteArrayRegion(env, array, 0, (jsize)len, bytes);
  return array;
}

static jbyteArray pack_up(JNIEnv *env, packed *p) {
  jbyteArray array = NULL;
  if (p->failed)
    throw_out_of_memory(env);
  else
    array = array_of(env, p->data, p->len);
  free(p->data);
  return array;
}

/* Packs and frees an error; null where there is none, or an exception says more. */
static jbyteArray failure(JNIEnv *env, tolmach_error *error) {
  packed p = {0};
  if (error == NULL) return NULL;
  put_int(&p, tolmach_error_status(error));
  put_int(&p, tolmach_error_http_status(error));
  put_long(&p, tolmach_error_retry_after_ms(error));
  put_text(&p, tolmach_error_message(error));
  put_text(&p, tolmach_error_provider_code(error));
  put_text(&p, tolmach_error_request_id(error));
  put_text(&p, tolmach_error_body(error));
  tolmach_error_free(error);
  return pack_up(env, &p);
}

static void give(JNIEnv *env, jlongArray out, const void *handle) {
  jlong number = (jlong)(intptr_t)handle;
  if (handle != NULL) (*env)->SetLongArrayRegion(env, out, 0, 1, &number);
}

/* ---- library ---- */

NATIVE(jbyteArray, version)(JNIEnv *env, jclass self) {
  const char *version = tolmach_version();
  return array_of(env, version, strlen(version));
}

NATIVE(jbyteArray, providers)(JNIEnv *env, jclass self) {
  packed p = {0};
  size_t i, count = tolmach_provider_count();
  put_int(&p, (int32_t)count);
  for (i = 0; i < count; i++) {
    const tolmach_provider *provider = tolmach_provider_get(i);
    put_text(&p, provider->name);
    put_text(&p, provider->label);
    put_text(&p, provider->url);
    put_text(&p, provider->base_url);
    put_text(&p, provider->default_model);
    put_text(&p, provider->api_key_env);
    put_int(&p, provider->capabilities);
  }
  return pack_up(env, &p);
}

/* Lines of the log, until logTake() takes them; a line beyond the first thousand is lost. */
typedef struct line {
  packed text;
  struct line *next;
} line;

static struct {
  pthread_mutex_t lock;
  pthread_cond_t filled;
  line *first, **last;
  int count;
} lines = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, &lines.first, 0};

static void on_log(void *user, int32_t level, uint64_t session, const char *message,
                   size_t length) {
  tolmach_str text = {message, length};
  line *l = calloc(1, sizeof *l);
  (void)user;
  if (l == NULL) return;
  put_int(&l->text, level);
  put_long(&l->text, (int64_t)session);
  put_text(&l->text, text);
  pthread_mutex_lock(&lines.lock);
  if (lines.count < 1000 && !l->text.failed) {
    *lines.last = l;
    lines.last = &l->next;
    lines.count++;
    l = NULL;
    pthread_cond_signal(&lines.filled);
  }
  pthread_mutex_unlock(&lines.lock);
  if (l != NULL) free(l->text.data);
  free(l);
}

NATIVE(void, logSet)(JNIEnv *env, jclass self, jint level) {
  tolmach_log_set(level > 0 ? on_log : NULL, NULL, NULL, level);
}

/* The next line of the log: waits until there is one. */
NATIVE(jbyteArray, logTake)(JNIEnv *env, jclass self) {
  jbyteArray array;
  line *l;
  pthread_mutex_lock(&lines.lock);
  while (lines.first == NULL) pthread_cond_wait(&lines.filled, &lines.lock);
  l = lines.first;
  lines.first = l->next;
  if (lines.first == NULL) lines.last = &lines.first;
  lines.count--;
  pthread_mutex_unlock(&lines.lock);
  array = pack_up(env, &l->text);
  free(l);
  return array;
}

NATIVE(jboolean, isTransient)(JNIEnv *env, jclass self, jint status) {
  return tolmach_status_is_transient(status) != 0;
}

/* The keys that a provider's config has. */
NATIVE(jbyteArray, keys)(JNIEnv *env, jclass self, jbyteArray provider) {
  tolmach_error *error = NULL;
  tolmach_config *config = NULL;
  packed p = {0};
  size_t i, count;
  input name = take(env, provider);
  if (is_well(env)) tolmach_config_new(text(name), &config, &error);
  give_back(env, name);
  if (config == NULL) return failure(env, error);
  count = tolmach_config_key_count(config);
  put_int(&p, TOLMACH_OK);
  put_int(&p, (int32_t)count);
  for (i = 0; i < count; i++) {
    const tolmach_config_key *key = tolmach_config_key_get(config, i);
    put_text(&p, key->name);
    put_int(&p, key->kind);
    put_text(&p, key->default_value);
    put_text(&p, key->choices);
    put_text(&p, key->help);
    put_int(&p, key->is_option);
  }
  tolmach_config_free(config);
  return pack_up(env, &p);
}

/* ---- client ---- */

/* `words`: the provider, then keys and values by turns. */
NATIVE(jbyteArray, clientNew)(JNIEnv *env, jclass self, jobjectArray words, jlongArray out) {
  tolmach_error *error = NULL;
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  jsize i, count = (*env)->GetArrayLength(env, words);
  for (i = 0; i < count && error == NULL && is_well(env); i += i ? 2 : 1) {
    jbyteArray first = (*env)->GetObjectArrayElement(env, words, i);
    jbyteArray second = i ? (*env)->GetObjectArrayElement(env, words, i + 1) : NULL;
    input name = take(env, first), value = take(env, second);
    if (is_well(env)) {
      if (i == 0)
        tolmach_config_new(text(name), &config, &error);
      else
        tolmach_config_set(config, text(name), text(value), &error);
    }
    give_back(env, value);
    give_back(env, name);
    (*env)->DeleteLocalRef(env, second);
    (*env)->DeleteLocalRef(env, first);
  }
  if (error == NULL && is_well(env)) tolmach_client_new(config, &client, &error);
  tolmach_config_free(config);
  give(env, out, client);
  return failure(env, error);
}

NATIVE(jbyteArray, clientModels)(JNIEnv *env, jclass self, jlong client, jlong timeout_ms) {
  tolmach_error *error = NULL;
  tolmach_models *models = NULL;
  packed p = {0};
  size_t i, count;
  tolmach_client_models(HANDLE(client, client), timeout_ms, &models, &error);
  if (models == NULL) return failure(env, error);
  count = tolmach_models_count(models);
  put_int(&p, TOLMACH_OK);
  put_int(&p, (int32_t)count);
  for (i = 0; i < count; i++) {
    const tolmach_model *model = tolmach_models_get(models, i);
    put_text(&p, model->id);
    put_text(&p, model->owner);
    put_text(&p, model->json);
    put_long(&p, model->context_length);
    put_int(&p, model->capabilities);
  }
  tolmach_models_free(models);
  return pack_up(env, &p);
}

NATIVE(void, clientCancelAll)(JNIEnv *env, jclass self, jlong client) {
  tolmach_client_cancel_all(HANDLE(client, client));
}

NATIVE(void, clientFree)(JNIEnv *env, jclass self, jlong client) {
  tolmach_client_free(HANDLE(client, client));
}

/* ---- request ---- */

NATIVE(jbyteArray, requestNew)(JNIEnv *env, jclass self, jbyteArray model, jlongArray out) {
  tolmach_error *error = NULL;
  tolmach_request *request = NULL;
  input name = take(env, model);
  if (is_well(env)) tolmach_request_new(text(name), &request, &error);
  give_back(env, name);
  give(env, out, request);
  return failure(env, error);
}

NATIVE(jbyteArray, requestFromJson)(JNIEnv *env, jclass self, jbyteArray json, jlongArray out) {
  tolmach_error *error = NULL;
  tolmach_request *request = NULL;
  input whole = take(env, json);
  if (is_well(env)) tolmach_request_from_json(text(whole), whole.len, &request, &error);
  give_back(env, whole);
  give(env, out, request);
  return failure(env, error);
}

NATIVE(jbyteArray, requestMessage)
(JNIEnv *env, jclass self, jlong request, jbyteArray role, jbyteArray said) {
  tolmach_error *error = NULL;
  input name = take(env, role), words = take(env, said);
  if (is_well(env))
    tolmach_request_message(HANDLE(request, request), text(name), text(words), words.len, &error);
  give_back(env, words);
  give_back(env, name);
  return failure(env, error);
}

NATIVE(jbyteArray, requestAttach)
(JNIEnv *env, jclass self, jlong request, jbyteArray file, jbyteArray mime) {
  tolmach_error *error = NULL;
  input bytes = take(env, file), type = take(env, mime);
  if (is_well(env))
    tolmach_request_attach(HANDLE(request, request), bytes.bytes, bytes.len, text(type), &error);
  give_back(env, type);
  give_back(env, bytes);
  return failure(env, error);
}

NATIVE(jbyteArray, requestAttachUrl)(JNIEnv *env, jclass self, jlong request, jbyteArray url) {
  tolmach_error *error = NULL;
  input place = take(env, url);
  if (is_well(env)) tolmach_request_attach_url(HANDLE(request, request), text(place), &error);
  give_back(env, place);
  return failure(env, error);
}

NATIVE(jbyteArray, requestToolResult)
(JNIEnv *env, jclass self, jlong request, jbyteArray call, jbyteArray result) {
  tolmach_error *error = NULL;
  input id = take(env, call), words = take(env, result);
  if (is_well(env))
    tolmach_request_tool_result(HANDLE(request, request), text(id), text(words), words.len, &error);
  give_back(env, words);
  give_back(env, id);
  return failure(env, error);
}

NATIVE(jbyteArray, requestSet)
(JNIEnv *env, jclass self, jlong request, jbyteArray field, jbyteArray json) {
  tolmach_error *error = NULL;
  input name = take(env, field), value = take(env, json);
  if (is_well(env))
    tolmach_request_set(HANDLE(request, request), text(name), text(value), value.len, &error);
  give_back(env, value);
  give_back(env, name);
  return failure(env, error);
}

NATIVE(jbyteArray, requestSetString)
(JNIEnv *env, jclass self, jlong request, jbyteArray field, jbyteArray said) {
  tolmach_error *error = NULL;
  input name = take(env, field), words = take(env, said);
  if (is_well(env))
    tolmach_request_set_string(HANDLE(request, request), text(name), text(words), words.len,
                               &error);
  give_back(env, words);
  give_back(env, name);
  return failure(env, error);
}

NATIVE(jbyteArray, requestOption)
(JNIEnv *env, jclass self, jlong request, jbyteArray key, jbyteArray setting) {
  tolmach_error *error = NULL;
  input name = take(env, key), value = take(env, setting);
  if (is_well(env))
    tolmach_request_option(HANDLE(request, request), text(name), text(value), &error);
  give_back(env, value);
  give_back(env, name);
  return failure(env, error);
}

NATIVE(jbyteArray, requestTool)
(JNIEnv *env, jclass self, jlong request, jbyteArray tool, jbyteArray about, jbyteArray json) {
  tolmach_error *error = NULL;
  input name = take(env, tool), description = take(env, about), schema = take(env, json);
  if (is_well(env))
    tolmach_request_tool(HANDLE(request, request), text(name), text(description), text(schema),
                         schema.len, &error);
  give_back(env, schema);
  give_back(env, description);
  give_back(env, name);
  return failure(env, error);
}

NATIVE(jbyteArray, requestClone)(JNIEnv *env, jclass self, jlong request, jlongArray out) {
  tolmach_error *error = NULL;
  tolmach_request *copy = NULL;
  tolmach_request_clone(HANDLE(request, request), &copy, &error);
  give(env, out, copy);
  return failure(env, error);
}

NATIVE(jlong, requestCount)(JNIEnv *env, jclass self, jlong request) {
  return (jlong)tolmach_request_count(HANDLE(request, request));
}

NATIVE(jbyteArray, requestTruncate)(JNIEnv *env, jclass self, jlong request, jlong count) {
  tolmach_error *error = NULL;
  tolmach_request_truncate(HANDLE(request, request), (size_t)count, &error);
  return failure(env, error);
}

NATIVE(jbyteArray, requestReply)(JNIEnv *env, jclass self, jlong request, jlong session) {
  tolmach_error *error = NULL;
  tolmach_request_reply(HANDLE(request, request), HANDLE(session, session), &error);
  return failure(env, error);
}

NATIVE(jbyteArray, requestJson)(JNIEnv *env, jclass self, jlong request) {
  tolmach_str json = tolmach_request_json(HANDLE(request, request));
  return array_of(env, json.ptr, json.len);
}

NATIVE(void, requestFree)(JNIEnv *env, jclass self, jlong request) {
  tolmach_request_free(HANDLE(request, request));
}

/* ---- session ---- */

/* Who is told that a session is ready: queued at most once, until sessionTake() takes it. */
typedef struct waiter {
  jlong id;
  struct waiter *next;
  int queued, released;
} waiter;

static struct {
  pthread_mutex_t lock;
  pthread_cond_t filled;
  waiter *first, **last;
} ready = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, &ready.first};

static void on_ready(void *user) {
  waiter *w = user;
  pthread_mutex_lock(&ready.lock);
  if (!w->queued) {
    w->queued = 1;
    w->next = NULL;
    *ready.last = w;
    ready.last = &w->next;
    pthread_cond_signal(&ready.filled);
  }
  pthread_mutex_unlock(&ready.lock);
}

static void on_release(void *user) {
  waiter *w = user;
  int queued;
  pthread_mutex_lock(&ready.lock);
  w->released = 1;
  queued = w->queued;
  pthread_mutex_unlock(&ready.lock);
  if (!queued) free(w);
}

/* Gives out a session that was opened, once it tells when it is ready. */
static jbyteArray opened(JNIEnv *env, tolmach_session *session, tolmach_error *error, jlong id,
                         jlongArray out) {
  waiter *w = session == NULL ? NULL : calloc(1, sizeof *w);
  if (session == NULL) return failure(env, error);
  if (w == NULL) {
    tolmach_session_free(session);
    throw_out_of_memory(env);
    return NULL;
  }
  w->id = id;
  if (tolmach_session_on_ready(session, on_ready, w, on_release, &error) != TOLMACH_OK) {
    tolmach_session_free(session);
    session = NULL;
    free(w);
  }
  give(env, out, session);
  return failure(env, error);
}

NATIVE(jbyteArray, sessionOpen)
(JNIEnv *env, jclass self, jlong client, jlong request, jlong id, jlongArray out) {
  tolmach_error *error = NULL;
  tolmach_session *session = NULL;
  tolmach_session_open(HANDLE(client, client), HANDLE(request, request), &session, &error);
  return opened(env, session, error, id, out);
}

NATIVE(jbyteArray, sessionOpenModels)
(JNIEnv *env, jclass self, jlong client, jlong id, jlongArray out) {
  tolmach_error *error = NULL;
  tolmach_session *session = NULL;
  tolmach_session_open_models(HANDLE(client, client), &session, &error);
  return opened(env, session, error, id, out);
}

NATIVE(jbyteArray, sessionOpenRaw)
(JNIEnv *env, jclass self, jlong client, jbyteArray verb, jbyteArray place_, jbyteArray type,
 jbyteArray sent, jlong id, jlongArray out) {
  tolmach_error *error = NULL;
  tolmach_session *session = NULL;
  input method = take(env, verb), path = take(env, place_), mime = take(env, type);
  input body = take(env, sent);
  if (is_well(env))
    tolmach_session_open_raw(HANDLE(client, client), text(method), text(path), text(mime),
                             body.bytes, body.len, &session, &error);
  give_back(env, body);
  give_back(env, mime);
  give_back(env, path);
  give_back(env, method);
  return opened(env, session, error, id, out);
}

/* The id of the next session that is ready: waits until there is one. */
NATIVE(jlong, sessionTake)(JNIEnv *env, jclass self) {
  waiter *w;
  jlong id;
  int released;
  pthread_mutex_lock(&ready.lock);
  while (ready.first == NULL) pthread_cond_wait(&ready.filled, &ready.lock);
  w = ready.first;
  ready.first = w->next;
  if (ready.first == NULL) ready.last = &ready.first;
  w->queued = 0;
  id = w->id;
  released = w->released;
  pthread_mutex_unlock(&ready.lock);
  if (released) free(w);
  return id;
}

/* Where a text begins in the memory of its batch, and its length. */
static void place(int32_t *to, tolmach_str memory, tolmach_str text) {
  to[0] = text.len > 0 ? (int32_t)(text.ptr - memory.ptr) : 0;
  to[1] = (int32_t)text.len;
}

static const tolmach_chunk *chunk_of(const tolmach_batch *batch, size_t i) {
  return (const tolmach_chunk *)((const char *)batch->chunks + i * batch->chunk_size);
}

/* What Batch.java reads of each chunk. */
enum { NUMBERS = 13 };

/* A chunk of usage has its six counts as its bytes. */
static tolmach_str bytes_of(const tolmach_chunk *chunk) {
  tolmach_str bytes = {(const char *)chunk->bytes, chunk->bytes_len};
  tolmach_str counts = {(const char *)&chunk->usage, 6 * sizeof(int64_t)};
  return chunk->kind == TOLMACH_CHUNK_USAGE ? counts : bytes;
}

static jintArray numbers_of(JNIEnv *env, const tolmach_batch *batch) {
  size_t i;
  jintArray array = (*env)->NewIntArray(env, (jsize)(batch->count * NUMBERS));
  jint *begin = array == NULL ? NULL : (*env)->GetPrimitiveArrayCritical(env, array, NULL);
  if (begin == NULL) return NULL;
  for (i = 0; i < batch->count; i++) {
    const tolmach_chunk *chunk = chunk_of(batch, i);
    jint *numbers = begin + i * NUMBERS;
    numbers[0] = chunk->kind;
    numbers[1] = chunk->choice;
    numbers[2] = chunk->index;
    numbers[3] = chunk->flags;
    place(numbers + 4, batch->memory, chunk->text);
    place(numbers + 6, batch->memory, chunk->id);
    place(numbers + 8, batch->memory, chunk->name);
    place(numbers + 10, batch->memory, chunk->mime);
    numbers[12] = (jint)bytes_of(chunk).len;
  }
  (*env)->ReleasePrimitiveArrayCritical(env, array, begin, 0);
  return array;
}

/* The bytes of all chunks; null where there are none. */
static jbyteArray all_bytes_of(JNIEnv *env, const tolmach_batch *batch) {
  size_t i, size = 0;
  jbyteArray array;
  for (i = 0; i < batch->count; i++) size += bytes_of(chunk_of(batch, i)).len;
  if (size == 0) return NULL;
  array = size > INT32_MAX ? NULL : (*env)->NewByteArray(env, (jsize)size);
  if (array == NULL) {
    if (is_well(env)) throw_out_of_memory(env);
    return NULL;
  }
  for (size = i = 0; i < batch->count; i++) {
    tolmach_str bytes = bytes_of(chunk_of(batch, i));
    if (bytes.len > 0)
      (*env)->SetByteArrayRegion(env, array, (jsize)size, (jsize)bytes.len,
                                 (const jbyte *)bytes.ptr);
    size += bytes.len;
  }
  return array;
}

/* Without waiting: null for nothing yet, no numbers for the end or an error, which `out` has,
 * else the numbers of chunks, and in `out` the memory of their texts, and their bytes. */
NATIVE(jintArray, sessionPollMany)(JNIEnv *env, jclass self, jlong session, jobjectArray out) {
  tolmach_error *error = NULL;
  const tolmach_batch *batch = NULL;
  jbyteArray first, second = NULL;
  tolmach_status status =
      tolmach_session_poll_many(HANDLE(session, session), 0, &batch, &error);
  if (status == TOLMACH_PENDING) return NULL;
  first = batch == NULL ? failure(env, error)
                        : array_of(env, batch->memory.ptr, batch->memory.len);
  if (batch != NULL && is_well(env)) second = all_bytes_of(env, batch);
  if (!is_well(env)) return NULL;
  (*env)->SetObjectArrayElement(env, out, 0, first);
  (*env)->SetObjectArrayElement(env, out, 1, second);
  return batch == NULL ? (*env)->NewIntArray(env, 0) : numbers_of(env, batch);
}

/* Null where there is no memory for it. */
NATIVE(jbyteArray, sessionInfo)(JNIEnv *env, jclass self, jlong session) {
  const tolmach_session_info *info = tolmach_session_info_get(HANDLE(session, session));
  packed p = {0};
  if (info == NULL) {
    throw_out_of_memory(env);
    return NULL;
  }
  put_long(&p, (int64_t)info->id);
  put_long(&p, info->attempts);
  put_text(&p, info->changed);
  put_text(&p, info->request_id);
  put_text(&p, info->model);
  put_text(&p, info->provider);
  return pack_up(env, &p);
}

/* Null where there is no such header. */
NATIVE(jbyteArray, sessionHeader)(JNIEnv *env, jclass self, jlong session, jbyteArray header) {
  input name = take(env, header);
  tolmach_str value = {NULL, 0};
  if (is_well(env)) value = tolmach_session_header(HANDLE(session, session), text(name));
  give_back(env, name);
  return value.ptr == NULL ? NULL : array_of(env, value.ptr, value.len);
}

NATIVE(void, sessionCancel)(JNIEnv *env, jclass self, jlong session) {
  tolmach_session_cancel(HANDLE(session, session));
}

NATIVE(jbyteArray, sessionReply)(JNIEnv *env, jclass self, jlong session) {
  tolmach_str reply = tolmach_session_reply(HANDLE(session, session));
  return array_of(env, reply.ptr, reply.len);
}

/* Those that are complete. */
NATIVE(jbyteArray, sessionToolCalls)(JNIEnv *env, jclass self, jlong session) {
  packed p = {0};
  const tolmach_session *of = HANDLE(session, session);
  size_t i, count = tolmach_session_tool_call_count(of);
  put_int(&p, (int32_t)count);
  for (i = 0; i < count; i++) {
    const tolmach_tool_call *call = tolmach_session_tool_call_get(of, i);
    if (call == NULL) {
      p.failed = 1;
      break;
    }
    put_text(&p, call->id);
    put_text(&p, call->name);
    put_text(&p, call->arguments);
  }
  return pack_up(env, &p);
}

NATIVE(void, sessionFree)(JNIEnv *env, jclass self, jlong session) {
  tolmach_session_free(HANDLE(session, session));
}
