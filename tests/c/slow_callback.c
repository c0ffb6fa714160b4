/* slow_callback URL: the callback of one session waits for the program; cancelling another
 * session does not wait for that callback. The server begins both answers and says no more. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int called, released;
static int entered[2]; /* a pipe: a byte tells that the callback has begun */

static void ready(void *user) {
  (void)user;
  CHECK(write(entered[1], "", 1) == 1);
  pthread_mutex_lock(&lock);
  called = 1;
  pthread_mutex_unlock(&lock);
}

static void release(void *user) {
  (void)user;
  pthread_mutex_lock(&lock);
  released = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *slow = ask(client, "Hi"), *other = ask(client, "Hi");
  const tolmach_chunk *chunk = NULL;
  struct pollfd ready_to_poll = {tolmach_session_fd(other), POLLIN, 0};
  char byte;

  CHECK(pipe(entered) == 0);
  /* Their workers wait for the server from here on. */
  EXPECT(TOLMACH_OK, tolmach_session_poll(slow, -1, &chunk, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_poll(other, -1, &chunk, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_on_ready(slow, ready, NULL, release, NULL));
  pthread_mutex_lock(&lock); /* the callback waits from here on ... */
  tolmach_session_cancel(slow);
  /* Freed before it is called, a session calls nothing and is released right here. */
  CHECK(read(entered[0], &byte, 1) == 1);
  tolmach_session_cancel(other);
  CHECK(poll(&ready_to_poll, 1, -1) == 1); /* which no flag does, but the end of the session */
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(other, -1, &chunk, NULL));
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(slow, -1, &chunk, NULL));
  tolmach_session_free(slow);
  tolmach_session_free(other);
  while (!released) pthread_cond_wait(&changed, &lock); /* ... to here */
  CHECK(called);
  pthread_mutex_unlock(&lock);
  tolmach_client_free(client);
  return 0;
}
