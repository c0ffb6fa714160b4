/* thread_cancel URL: a thread is cancelled by pthread_cancel() while it polls. The poll
 * goes on to its end, the thread ends at its own next cancellation point, and its session
 * can be used on. The server sends a text when it is told of the cancellation, and the end
 * of the answer when it is told of the end of the thread. */
#include "check.h"

#include <pthread.h>

static tolmach_session *session;
static pthread_barrier_t polls;
static volatile int polled;

static void *poll(void *unused) {
  const tolmach_chunk *chunk = NULL;
  int before;
  EXPECT(TOLMACH_OK, tolmach_session_poll(session, -1, &chunk, NULL));
  CHECK(chunk->kind == TOLMACH_CHUNK_START);
  pthread_barrier_wait(&polls); /* no cancellation point */
  EXPECT(TOLMACH_OK, tolmach_session_poll(session, -1, &chunk, NULL));
  CHECK(chunk->kind == TOLMACH_CHUNK_TEXT);
  polled = 1;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
  CHECK(before == PTHREAD_CANCEL_ENABLE); /* as it was before the call */
  pthread_testcancel();
  polled = 2;
  return unused;
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  const tolmach_chunk *chunk = NULL;
  pthread_t thread;
  void *result = NULL;

  session = ask(client, "Hi");
  CHECK(tolmach_session_fd(session) >= 0); /* polls read from it: a cancellation point */
  CHECK(pthread_barrier_init(&polls, NULL, 2) == 0);
  CHECK(pthread_create(&thread, NULL, poll, NULL) == 0);
  pthread_barrier_wait(&polls);
  CHECK(pthread_cancel(thread) == 0);
  printf("cancelled\n");
  fflush(stdout);
  CHECK(pthread_join(thread, &result) == 0);
  CHECK(polled == 1 && result == PTHREAD_CANCELED);
  printf("ended\n");
  fflush(stdout);
  EXPECT(TOLMACH_OK, tolmach_session_poll(session, -1, &chunk, NULL));
  CHECK(chunk->kind == TOLMACH_CHUNK_FINISH);
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
