/* idle URL: a session that waits, and a program that waits for it, wake up nobody. Prints
 * how often the process's threads were woken in a while. */
#include "check.h"

#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

/* This thread, the one that polls, the session's worker, and the one that cancels. */
enum { THREADS = 4 };

/* How often all threads but this one have waited; how many threads there are, in `threads`. */
static long switches(int *threads) {
  char path[300], line[256];
  long sum = 0;
  struct dirent *task;
  DIR *folder = opendir("/proc/self/task");
  CHECK(folder != NULL);
  *threads = 1;
  while ((task = readdir(folder))) {
    FILE *file;
    /* This thread counts: it is not to be counted. */
    if (atol(task->d_name) <= 0 || atol(task->d_name) == (long)getpid()) continue;
    ++*threads;
    sprintf(path, "/proc/self/task/%.20s/status", task->d_name);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
      if (!strncmp(line, "voluntary_ctxt_switches:", 24)) sum += atol(line + 24);
    if (file) fclose(file);
  }
  closedir(folder);
  return sum;
}

static void *wait_for_ever(void *session) {
  const tolmach_chunk *chunk;
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(session, -1, &chunk, NULL));
  return NULL;
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *session = ask(client, "Hi");
  struct timespec second = {1, 0};
  const tolmach_chunk *chunk;
  pthread_t thread;
  long before, after;
  int i, threads;

  for (i = 0; i < 2; i++) EXPECT(TOLMACH_OK, tolmach_session_poll(session, -1, &chunk, NULL));
  CHECK(pthread_create(&thread, NULL, wait_for_ever, session) == 0);
  do { /* until the helper that connected, and has nothing more to do, has ended */
    nanosleep(&second, NULL);
    before = switches(&threads);
  } while (threads > THREADS);
  for (i = 0; i < 5; i++) nanosleep(&second, NULL);
  after = switches(&threads);
  CHECK(threads == THREADS);
  printf("%ld\n", after - before);
  tolmach_session_cancel(session);
  CHECK(pthread_join(thread, NULL) == 0);
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
