/* ready URL: the descriptor is readable exactly while a poll would not be pending, and
 * the callback comes whenever that begins. Tells its server, by lines on standard output,
 * what it has seen. */
#include "check.h"

#include <poll.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t called = PTHREAD_COND_INITIALIZER;
static int calls, releases;

static void ready(void *user) {
  pthread_mutex_lock(&lock);
  ++*(int *)user;
  pthread_cond_signal(&called);
  pthread_mutex_unlock(&lock);
}

static void release(void *user) {
  CHECK(user == &calls);
  pthread_mutex_lock(&lock);
  ++releases;
  pthread_cond_signal(&called);
  pthread_mutex_unlock(&lock);
}

/* The library's own thread may be the last to let go of a callback. */
static void wait_for_releases(int wanted) {
  pthread_mutex_lock(&lock);
  while (releases < wanted) pthread_cond_wait(&called, &lock);
  CHECK(releases == wanted);
  pthread_mutex_unlock(&lock);
}

static int readable(int fd, int timeout_ms) {
  struct pollfd wanted;
  wanted.fd = fd;
  wanted.events = POLLIN;
  return poll(&wanted, 1, timeout_ms) == 1;
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *session = ask(client, "Hi");
  const tolmach_chunk *chunk = NULL;
  tolmach_status status = TOLMACH_OK;
  int fd = tolmach_session_fd(session);

  CHECK(fd >= 0 && tolmach_session_fd(session) == fd);
  CHECK(!readable(fd, 0));
  EXPECT(TOLMACH_OK, tolmach_session_on_ready(session, ready, &calls, release, NULL));
  CHECK(calls == 0);
  while (status != TOLMACH_END) {
    printf("waiting\n"); /* the server sends more, and nothing before */
    fflush(stdout);
    CHECK(readable(fd, 60000));
    pthread_mutex_lock(&lock);
    while (calls == 0) pthread_cond_wait(&called, &lock);
    CHECK(calls == 1);
    calls = 0;
    pthread_mutex_unlock(&lock);
    do {
      CHECK(readable(fd, 0));
      status = tolmach_session_poll(session, 0, &chunk, NULL);
      if (status == TOLMACH_OK) print_chunk(chunk);
    } while (status == TOLMACH_OK && readable(fd, 0));
    if (status == TOLMACH_OK) EXPECT(TOLMACH_PENDING, tolmach_session_poll(session, 0, &chunk, NULL));
  }
  CHECK(readable(fd, 0)); /* for ever */
  wait_for_releases(0);
  EXPECT(TOLMACH_OK, tolmach_session_on_ready(session, NULL, NULL, NULL, NULL));
  wait_for_releases(1);
  calls = 0;
  EXPECT(TOLMACH_OK, tolmach_session_on_ready(session, ready, &calls, release, NULL));
  CHECK(calls == 1); /* at once: the session is ready */
  tolmach_session_free(session);
  wait_for_releases(2);
  CHECK(calls == 1);
  tolmach_client_free(client);
  printf("done\n");
  return 0;
}
