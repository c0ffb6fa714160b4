/* meanwhile URL TEXTS: while one thread polls the texts "0,", "1,", and so on, another asks
 * for the reply. It is always what was polled by then: a prefix, neither ahead nor behind. */
#include "check.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER;
static int begun, polled, asks, over; /* polls begun, texts polled, replies asked for */

static tolmach_session *session;

static int read_int(const int *value) {
  int now;
  pthread_mutex_lock(&lock);
  now = *value;
  pthread_mutex_unlock(&lock);
  return now;
}

static void add_one(int *value) {
  pthread_mutex_lock(&lock);
  ++*value;
  pthread_cond_broadcast(&asked);
  pthread_mutex_unlock(&lock);
}

/* How many texts the reply has; they have to be the first ones. */
static int texts_of_reply(void) {
  tolmach_request *request = NULL;
  const char *content;
  char number[16];
  int texts = 0;
  EXPECT(TOLMACH_OK, tolmach_request_new("m", &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_reply(request, session, NULL));
  content = strstr(tolmach_request_json(request).ptr, "\"content\":\"");
  if (content != NULL) {
    for (content += strlen("\"content\":\""); *content != '"'; texts++) {
      int size = sprintf(number, "%d,", texts);
      CHECK(strncmp(content, number, (size_t)size) == 0);
      content += size;
    }
  }
  tolmach_request_free(request);
  return texts;
}

static void *ask_for_replies(void *unused) {
  while (!read_int(&over)) {
    int least = read_int(&polled);
    int texts = texts_of_reply();
    CHECK(texts >= least);
    CHECK(texts <= read_int(&begun));
    add_one(&asks);
  }
  return unused;
}

/* Waits until the reply was asked for once more. */
static void wait_for_ask(void) {
  int before;
  pthread_mutex_lock(&lock);
  for (before = asks; asks == before;) pthread_cond_wait(&asked, &lock);
  pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
  int wanted = atoi(argv[argc - 1]);
  tolmach_client *client = client_at(argv[1]);
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  pthread_t asker;

  session = ask(client, "Hi");
  CHECK(pthread_create(&asker, NULL, ask_for_replies, NULL) == 0);
  for (;;) {
    add_one(&begun);
    status = tolmach_session_poll(session, -1, &chunk, NULL);
    if (status != TOLMACH_OK) break;
    if (chunk->kind == TOLMACH_CHUNK_TEXT) add_one(&polled);
    if (polled % 100 == 50) wait_for_ask();
  }
  EXPECT(TOLMACH_END, status);
  wait_for_ask();
  add_one(&over);
  CHECK(pthread_join(asker, NULL) == 0);
  CHECK(polled == wanted && texts_of_reply() == wanted);
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
