/* signal URL: a signal handler cancels session after session, whatever the thread that it
 * interrupts is doing: inside a poll, a callback's change, or its own malloc(). */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

enum { ROUNDS = 1000 };

static tolmach_session *volatile session;
static pthread_t polling;
/* The rounds in which there is a session to cancel, and in which it has been. */
static volatile sig_atomic_t armed, handled;

static void handle(int signal_number) {
  int before = errno;
  tolmach_session_cancel(session);
  if (errno != before) _Exit(3);
  ++handled;
  (void)signal_number;
}

static void *interrupt(void *unused) {
  unsigned seed = 1;
  int round, spin;
  for (round = 0; round < ROUNDS; ++round) {
    while (armed == round) sched_yield();
    for (spin = rand_r(&seed) % 20000; spin > 0; --spin) __asm__ volatile("" ::: "memory");
    CHECK(pthread_kill(polling, SIGUSR1) == 0);
    while (handled == round) sched_yield();
  }
  return unused;
}

static void ready(void *unused) { (void)unused; }

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  const tolmach_chunk *chunk = NULL;
  struct sigaction action;
  pthread_t interrupter;
  int round;

  memset(&action, 0, sizeof action);
  action.sa_handler = handle;
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  polling = pthread_self();
  CHECK(pthread_create(&interrupter, NULL, interrupt, NULL) == 0);
  for (round = 0; round < ROUNDS; ++round) {
    int64_t timeout_ms = round % 4 == 0 ? -1 : 0;
    tolmach_status status = TOLMACH_OK;
    session = ask(client, "go on without end");
    ++armed;
    while (status == TOLMACH_OK || status == TOLMACH_PENDING) {
      /* Larger than what malloc() keeps for a thread: it takes its lock. */
      free(malloc(5000));
      CHECK(tolmach_session_fd(session) >= 0);
      EXPECT(TOLMACH_OK, tolmach_session_on_ready(session, ready, NULL, NULL, NULL));
      status = tolmach_session_poll(session, timeout_ms, &chunk, NULL);
    }
    EXPECT(TOLMACH_E_CANCELLED, status);
    while (handled == round) sched_yield();
    /* The handler has returned: it is cancelled at once. */
    EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(session, 0, &chunk, NULL));
    tolmach_session_free(session);
  }
  CHECK(pthread_join(interrupter, NULL) == 0);
  tolmach_client_free(client);
  return 0;
}
