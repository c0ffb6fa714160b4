/* freed URL SESSIONS: no callback of a session comes after its free and its release. The
 * first session waits for its server, which says nothing, when it is freed; of the others
 * some have chunks coming in just then. */
#include "check.h"

#include <pthread.h>
#include <sched.h>

struct watch {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int calls, released;
};

static void ready(void *user) {
  struct watch *watch = user;
  pthread_mutex_lock(&watch->lock);
  CHECK(!watch->released);
  watch->calls++;
  pthread_cond_signal(&watch->changed);
  pthread_mutex_unlock(&watch->lock);
}

static void release(void *user) {
  struct watch *watch = user;
  pthread_mutex_lock(&watch->lock);
  CHECK(!watch->released);
  watch->released = 1;
  pthread_cond_signal(&watch->changed);
  pthread_mutex_unlock(&watch->lock);
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  int count = atoi(argv[argc - 1]), i;
  struct watch *watches = calloc((size_t)count, sizeof *watches);

  for (i = 0; i < count; i++) {
    struct watch *watch = &watches[i];
    tolmach_session *session = ask(client, i ? "stream" : "wait");
    CHECK(pthread_mutex_init(&watch->lock, NULL) == 0 && pthread_cond_init(&watch->changed, NULL) == 0);
    EXPECT(TOLMACH_OK, tolmach_session_on_ready(session, ready, watch, release, NULL));
    if (i == 0) await_line("waiting");
    if (i % 2) sched_yield();
    if (i > 0 && i % 3 == 0) { /* in the midst of its chunks */
      pthread_mutex_lock(&watch->lock);
      while (watch->calls == 0) pthread_cond_wait(&watch->changed, &watch->lock);
      pthread_mutex_unlock(&watch->lock);
    }
    tolmach_session_free(session);
    if (i == 0) CHECK(watch->calls == 0);
  }
  for (i = 0; i < count; i++) {
    pthread_mutex_lock(&watches[i].lock);
    while (!watches[i].released) pthread_cond_wait(&watches[i].changed, &watches[i].lock);
    pthread_mutex_unlock(&watches[i].lock);
  }
  CHECK(watches[0].calls == 0); /* its end was nobody's business any more */
  tolmach_client_free(client);
  free(watches);
  return 0;
}
