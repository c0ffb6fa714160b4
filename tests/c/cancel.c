/* cancel URL [BYTES] CHUNKS: asks with a message of so many bytes; a thread cancels the session while this one waits for what comes
 * after CHUNKS pieces of text, once there is a line of input. Says so, and frees it when there is another
 * line, or no more of them: what closes before has not been closed by the free or by this program's end.
 * Prints how long the poll took to return, from the cancel, and how long the free took, in
 * microseconds. */
#include "check.h"

#include <pthread.h>

static tolmach_session *session;
static int64_t cancelled_at;

static void *cancel(void *unused) {
  struct timespec moment = {0, 100 * 1000 * 1000};
  await_line("waiting");
  nanosleep(&moment, NULL); /* as a rule the other thread is inside poll by then */
  cancelled_at = now_us(CLOCK_MONOTONIC);
  tolmach_session_cancel(session);
  tolmach_session_cancel(session);
  return unused;
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  int64_t returned_at, freed_at;
  pthread_t thread;
  int texts = atoi(argv[argc - 1]);
  size_t bytes = argc > 3 ? (size_t)atoi(argv[2]) : 2;
  char *message = malloc(bytes + 1);

  memset(message, 'H', bytes);
  message[bytes] = '\0';
  session = ask(client, message);
  free(message);
  while (texts > 0) {
    EXPECT(TOLMACH_OK, tolmach_session_poll(session, -1, &chunk, NULL));
    texts -= chunk->kind == TOLMACH_CHUNK_TEXT;
  }
  CHECK(pthread_create(&thread, NULL, cancel, NULL) == 0);
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(session, -1, &chunk, &error));
  returned_at = now_us(CLOCK_MONOTONIC);
  CHECK(chunk == NULL && tolmach_error_status(error) == TOLMACH_E_CANCELLED);
  tolmach_error_free(error);
  CHECK(pthread_join(thread, NULL) == 0);
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(session, 0, &chunk, NULL));
  await_line("cancelled");
  freed_at = now_us(CLOCK_MONOTONIC);
  tolmach_session_free(session);
  printf("%lld %lld\n", (long long)(returned_at - cancelled_at),
         (long long)(now_us(CLOCK_MONOTONIC) - freed_at));
  tolmach_client_free(client);
  return 0;
}
