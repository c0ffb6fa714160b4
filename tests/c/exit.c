/* exit URL: ends, having asked, while a destructor of its own that a thread of the library runs
 * waits for it: a virtual machine that the thread was attached to does so. */
#include "check.h"

#include <pthread.h>

static pthread_key_t key;
static pthread_mutex_t ending = PTHREAD_MUTEX_INITIALIZER;

static void wait_for_the_end(void *unused) {
  (void)unused;
  pthread_mutex_lock(&ending);
  pthread_mutex_unlock(&ending);
}

static void attach(void *user, int32_t level, uint64_t session, const char *message, size_t len) {
  (void)user, (void)level, (void)session, (void)message, (void)len;
  pthread_setspecific(key, &key);
}

int main(int argc, char **argv) {
  tolmach_client *client;
  tolmach_session *session;
  const tolmach_chunk *chunk;
  tolmach_status status;

  CHECK(argc == 2 && pthread_key_create(&key, wait_for_the_end) == 0);
  tolmach_log_set(attach, NULL, NULL, 5);
  client = client_at(argv[1]);
  session = ask(client, "Hi");
  do status = tolmach_session_poll(session, -1, &chunk, NULL);
  while (status == TOLMACH_OK);
  EXPECT(TOLMACH_END, status);
  tolmach_session_free(session);
  tolmach_client_free(client);
  pthread_mutex_lock(&ending);
  return 0;
}
