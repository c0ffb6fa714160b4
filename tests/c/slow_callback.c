/* slow_callback URL: the callback of one session waits for the program; cancelling another
 * session does not wait for that callback. The server says nothing. */
#include "check.h"

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

static void *poll(void *session) {
  const tolmach_chunk *chunk = NULL;
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(session, -1, &chunk, NULL));
  return NULL;
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *slow = ask(client, "Hi"), *other = ask(client, "Hi");
  const tolmach_chunk *chunk = NULL;
  pthread_t thread;
  char byte;

  CHECK(pipe(entered) == 0);
  EXPECT(TOLMACH_OK, tolmach_session_on_ready(slow, ready, NULL, release, NULL));
  pthread_mutex_lock(&lock); /* the callback waits from here on ... */
  tolmach_session_cancel(slow);
  /* Freed before it is called, a session calls nothing and is released right here. */
  CHECK(read(entered[0], &byte, 1) == 1);
  CHECK(pthread_create(&thread, NULL, poll, other) == 0);
  tolmach_session_cancel(other);
  CHECK(pthread_join(thread, NULL) == 0);
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(slow, -1, &chunk, NULL));
  tolmach_session_free(slow);
  tolmach_session_free(other);
  while (!released) pthread_cond_wait(&changed, &lock); /* ... to here */
  CHECK(called);
  pthread_mutex_unlock(&lock);
  tolmach_client_free(client);
  return 0;
}
