/* crowd URL SESSIONS: many sessions of one client at once, each in a thread of its own, or
 * one after another for a number below 0; with a log that must show neither key nor prompt. */
#include "check.h"

#include <pthread.h>

static tolmach_client *client;

static void *talk(void *unused) {
  tolmach_session *session = ask(client, "a prompt that is secret");
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  long texts = 0;
  while ((status = tolmach_session_poll(session, -1, &chunk, NULL)) == TOLMACH_OK)
    texts += chunk->kind == TOLMACH_CHUNK_TEXT;
  EXPECT(TOLMACH_END, status);
  CHECK(texts == 3);
  tolmach_session_free(session);
  return unused;
}

static void on_log(void *user, int32_t level, uint64_t session, const char *message, size_t len) {
  CHECK(level >= 1 && level <= 5 && len > 0 && strlen(message) == len);
  CHECK(strstr(message, "secret") == NULL);
  CHECK(session > 0);
  *(volatile int *)user = 1;
}

int main(int argc, char **argv) {
  static int logged;
  int count = atoi(argv[argc - 1]), i;
  pthread_t *threads = calloc((size_t)abs(count), sizeof *threads);
  tolmach_log_set(on_log, &logged, NULL, 5);
  client = client_at(argv[1]);
  for (i = 0; i > count; i--) talk(NULL);
  for (i = 0; i < count; i++) CHECK(pthread_create(&threads[i], NULL, talk, NULL) == 0);
  for (i = 0; i < count; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  tolmach_log_set(NULL, NULL, NULL, 0);
  CHECK(logged);
  tolmach_client_free(client);
  free(threads);
  return 0;
}
