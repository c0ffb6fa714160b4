/* scarce URL THREADS: what is too large for the memory there is ends in a status of its own,
 * and everything else goes on working, in many threads at once. */
#include "check.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static tolmach_client *client;
static pthread_barrier_t start;

/* Lets the process have `more` bytes beyond what it has. */
static void limit_memory(size_t more) {
  struct rlimit limit;
  unsigned long pages = 0;
  FILE *statm = fopen("/proc/self/statm", "r");
  CHECK(statm && fscanf(statm, "%lu", &pages) == 1);
  fclose(statm);
  CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
  limit.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + more;
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

/* How a session that asks `text` ends. */
static tolmach_status end_of(const char *text) {
  tolmach_session *session = ask(client, text);
  const tolmach_chunk *chunk = NULL;
  tolmach_error *error = NULL;
  tolmach_status status;
  tolmach_str reply;
  while ((status = tolmach_session_poll(session, -1, &chunk, &error)) == TOLMACH_OK) continue;
  CHECK((error != NULL) == (status < 0));
  if (error) CHECK(tolmach_error_status(error) == status && tolmach_error_message(error).len > 0);
  tolmach_error_free(error);
  reply = tolmach_session_reply(session);
  if (strcmp(text, "long") == 0) CHECK(reply.len == 0 || strstr(reply.ptr, "\"incomplete\":true"));
  tolmach_session_free(session);
  return status;
}

static void *talk(void *unused) {
  int i;
  pthread_barrier_wait(&start);
  for (i = 0; i < 3; i++) {
    EXPECT(TOLMACH_E_NO_MEMORY, end_of("event"));
    EXPECT(TOLMACH_END, end_of("small"));
  }
  return unused;
}

int main(int argc, char **argv) {
  static const char *const kinds[] = {"image/png", "audio/mpeg", "application/pdf"};
  int count = atoi(argv[argc - 1]), i;
  size_t size = 1024 * MIB;
  char *huge = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  tolmach_config *config = NULL;
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  tolmach_error *error = NULL;
  tolmach_status status;
  pthread_t threads[64];
  size_t before;

  CHECK(huge != MAP_FAILED && count <= 64);
  EXPECT(TOLMACH_OK, tolmach_config_new("openai", &config, NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "base_url", argv[1], NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "api_key", "test-key-secret", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "proxy", "direct", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "max_retries", "0", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "max_event_bytes", "1073741824", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "max_error_bytes", "1073741824", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "max_reply_bytes", "1073741824", NULL));
  EXPECT(TOLMACH_OK, tolmach_client_new(config, &client, NULL));
  tolmach_config_free(config);
  EXPECT(TOLMACH_END, end_of("small"));
  /* Before the limit: their stacks are large. */
  CHECK(pthread_barrier_init(&start, NULL, (unsigned)count + 1) == 0);
  for (i = 0; i < count; i++) CHECK(pthread_create(&threads[i], NULL, talk, NULL) == 0);
  limit_memory(64 * MIB);

  /* What the program gives. */
  EXPECT(TOLMACH_OK, tolmach_request_new("test-model", &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "small", 5, NULL));
  before = tolmach_request_json(request).len;
  for (i = 0; i < 3; i++) {
    EXPECT(TOLMACH_E_NO_MEMORY, tolmach_request_attach(request, huge, size, kinds[i], &error));
    CHECK(tolmach_error_status(error) == TOLMACH_E_NO_MEMORY);
    tolmach_error_free(error);
  }
  EXPECT(TOLMACH_E_NO_MEMORY, tolmach_request_message(request, "user", huge, 256 * MIB, NULL));
  EXPECT(TOLMACH_E_NO_MEMORY, tolmach_request_tool_result(request, "c1", huge, 256 * MIB, NULL));
  EXPECT(TOLMACH_E_NO_MEMORY, tolmach_request_set(request, "tools", huge, 256 * MIB, NULL));
  CHECK(tolmach_request_json(request).len == before);
  EXPECT(TOLMACH_OK, tolmach_request_attach(request, huge, 30 * MIB, "image/png", NULL));
  CHECK(tolmach_request_json(request).len == 0); /* no room for a second copy */
  EXPECT(TOLMACH_E_NO_MEMORY, tolmach_session_open(client, request, &session, NULL));
  CHECK(session == NULL);
  tolmach_request_free(request);
  EXPECT(TOLMACH_E_NO_MEMORY, tolmach_request_from_json(huge, 256 * MIB, &request, NULL));
  CHECK(request == NULL);

  /* What the server gives. */
  EXPECT(TOLMACH_E_NO_MEMORY, end_of("event"));
  EXPECT(TOLMACH_E_NO_MEMORY, end_of("lines"));
  EXPECT(TOLMACH_E_NO_MEMORY, end_of("packed"));
  EXPECT(TOLMACH_E_SERVER, end_of("error"));
  EXPECT(TOLMACH_E_PROTOCOL, end_of("page"));
  EXPECT(TOLMACH_E_NO_MEMORY, end_of("told"));
  EXPECT(TOLMACH_E_NO_MEMORY, end_of("named"));
  status = end_of("signed"); /* its copies may just fit */
  CHECK(status == TOLMACH_E_NO_MEMORY || status == TOLMACH_END);
  /* More than the reply may take, and than a thread's arena of the allocator, which may come now. */
  limit_memory(128 * MIB);
  EXPECT(TOLMACH_END, end_of("long"));
  EXPECT(TOLMACH_END, end_of("small"));
  pthread_barrier_wait(&start);
  for (i = 0; i < count; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  EXPECT(TOLMACH_END, end_of("small"));
  tolmach_client_free(client);
  munmap(huge, size);
  return 0;
}
