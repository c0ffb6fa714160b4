/* What the C programs of the tests share. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tolmach.h>
#include <unistd.h>

/* Ends the program, saying where, unless `condition` holds. */
#define CHECK(condition)                                                     \
  do {                                                                       \
    if (!(condition)) {                                                      \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                               \
    }                                                                        \
  } while (0)

/* Ends the program unless `call` returns `status`. */
#define EXPECT(status, call)                                                \
  do {                                                                      \
    tolmach_status got_ = (call);                                           \
    if (got_ != (status)) {                                                 \
      fprintf(stderr, "%s:%d: %s, not %s: %s\n", __FILE__, __LINE__,        \
              tolmach_status_name(got_), #status, #call);                   \
      exit(1);                                                              \
    }                                                                       \
  } while (0)

/* Waits until the library's threads have ended. A leak checker takes the stack of one that is
 * about to end for lost, and at its exit the library does not wait long for them. */
static void settle(void) {
  struct timespec pause = {0, 10000000};
  int threads;
  do {
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;
    if (tasks == NULL) return;
    for (threads = 0; (task = readdir(tasks)) != NULL;) threads += task->d_name[0] != '.';
    closedir(tasks);
    if (threads > 1) nanosleep(&pause, NULL);
  } while (threads > 1);
}

/* Before anything of the library's, so that it comes after it at the exit. */
__attribute__((constructor)) static void settle_at_exit(void) {
  if (getenv("TOLMACH_TEST_SETTLE") != NULL) atexit(settle);
}

static int64_t now_us(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The highest resident memory of the process in KiB; -1 where the system does not tell. */
static long peak_kib(void) {
  char line[256];
  long kib = -1;
  FILE *status = fopen("/proc/self/status", "r");
  while (status && fgets(line, sizeof line, status)) sscanf(line, "VmHWM: %ld", &kib);
  if (status) fclose(status);
  return kib;
}

/* Says `what` to the test, and waits until it says something, or has no more to say. */
static void await_line(const char *what) {
  char line[64];
  printf("%s\n", what);
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) CHECK(feof(stdin));
}

/* Sets what a variable of the environment says, as KEY=VALUE. */
static void set_from_environment(tolmach_config *config, const char *variable) {
  char pair[1024], *value;
  if (getenv(variable) == NULL) return;
  strncpy(pair, getenv(variable), sizeof pair - 1);
  pair[sizeof pair - 1] = 0;
  value = strchr(pair, '=');
  *value++ = 0;
  EXPECT(TOLMACH_OK, tolmach_config_set(config, pair, value, NULL));
}

/* A client at `url`, which reaches it directly: of "openai", unless the test says other. */
static tolmach_client *client_at(const char *url) {
  const char *key = getenv("TEST_KEY") ? getenv("TEST_KEY") : "test-key-secret";
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  tolmach_error *error = NULL;
  const char *provider = getenv("TEST_PROVIDER") ? getenv("TEST_PROVIDER") : "openai";
  EXPECT(TOLMACH_OK, tolmach_config_new(provider, &config, NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "base_url", url, NULL));
  tolmach_config_set(config, "api_key", key, NULL); /* not all want one */
  if (getenv("TEST_AUTH_URL"))
    EXPECT(TOLMACH_OK, tolmach_config_set(config, "auth_url", getenv("TEST_AUTH_URL"), NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "proxy", "direct", NULL));
  set_from_environment(config, "TEST_CONFIG");
  set_from_environment(config, "TEST_CONFIG_2");
  EXPECT(TOLMACH_OK, tolmach_client_new(config, &client, &error));
  tolmach_config_free(config);
  return client;
}

/* A session that asks `text` of `client`, and of the model that the test says. */
static tolmach_session *ask(const tolmach_client *client, const char *text) {
  const char *model = getenv("TEST_MODEL") ? getenv("TEST_MODEL") : "test-model";
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  EXPECT(TOLMACH_OK, tolmach_request_new(model, &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", text, TOLMACH_NUL_TERMINATED, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_open(client, request, &session, NULL));
  tolmach_request_free(request);
  return session;
}

/* Prints `text` as a C string. */
static void print_quoted(tolmach_str text) {
  size_t i;
  putchar('"');
  for (i = 0; i < text.len; i++) {
    unsigned char byte = (unsigned char)text.ptr[i];
    if (byte == '"' || byte == '\\') printf("\\%c", byte);
    else if (byte == '\n') printf("\\n");
    else if (byte < 0x20) printf("\\x%02x", byte);
    else putchar(byte);
  }
  putchar('"');
}

/* One line a chunk, such as: text 0 0 "Hello" */
static void print_chunk(const tolmach_chunk *chunk) {
  static const char *const kinds[] = {"?",     "start",    "text",  "reasoning", "refusal",
                                      "tool",  "image",    "audio", "source",    "progress",
                                      "usage", "finish",   "raw",   "state",     "logprobs",
                                      "model", "embedding",  "retry", "body"};
  int known = chunk->kind > 0 && chunk->kind < (int)(sizeof kinds / sizeof *kinds);
  CHECK(chunk->text.ptr && chunk->text.ptr[chunk->text.len] == '\0');
  CHECK(chunk->id.ptr && chunk->id.ptr[chunk->id.len] == '\0');
  CHECK(chunk->name.ptr && chunk->name.ptr[chunk->name.len] == '\0');
  CHECK(chunk->mime.ptr && chunk->mime.ptr[chunk->mime.len] == '\0');
  CHECK((chunk->bytes != NULL) == (chunk->bytes_len != 0));
  printf("%s %d %d ", kinds[known ? chunk->kind : 0], (int)chunk->choice, (int)chunk->index);
  print_quoted(chunk->text);
  if (chunk->id.len) printf(" id="), print_quoted(chunk->id);
  if (chunk->name.len) printf(" name="), print_quoted(chunk->name);
  if (chunk->mime.len) printf(" mime="), print_quoted(chunk->mime);
  if (chunk->bytes_len) printf(" bytes=%lu", (unsigned long)chunk->bytes_len);
  if (chunk->flags) printf(" flags=%d", (int)chunk->flags);
  if (chunk->kind == TOLMACH_CHUNK_USAGE)
    printf(" input=%ld output=%ld total=%ld cached=%ld reasoning=%ld", (long)chunk->usage.input,
           (long)chunk->usage.output, (long)chunk->usage.total, (long)chunk->usage.cached_input,
           (long)chunk->usage.reasoning);
  if (chunk->kind == TOLMACH_CHUNK_MODEL && chunk->usage.total >= 0)
    printf(" context=%ld", (long)chunk->usage.total);
  /* Few providers tell it. */
  if (chunk->usage.cache_write >= 0) printf(" cache_write=%ld", (long)chunk->usage.cache_write);
  printf("\n");
  fflush(stdout);
}

/* Prints all that an error says, and frees it. */
static void print_error(tolmach_error *error) {
  printf("error %s http=%d retry_after=%ld code=", tolmach_status_name(tolmach_error_status(error)),
         (int)tolmach_error_http_status(error), (long)tolmach_error_retry_after_ms(error));
  print_quoted(tolmach_error_provider_code(error));
  printf(" request_id=");
  print_quoted(tolmach_error_request_id(error));
  printf(" message=");
  print_quoted(tolmach_error_message(error));
  printf(" body=");
  print_quoted(tolmach_error_body(error));
  printf("\n");
  tolmach_error_free(error);
}

/* A program uses what it needs of these. */
static inline void check_h_unused(void) {
  (void)now_us, (void)await_line, (void)client_at, (void)ask, (void)print_chunk;
  (void)print_error, (void)peak_kib;
}

#endif
