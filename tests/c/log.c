/* log URL1 URL2: lines of the log name their session, and what a log was given is released once,
 * after its last line. The server at URL1 fails each request once; both fail lists of models. */
#include "check.h"

#include <pthread.h>

enum { SESSIONS = 6, LINES = 1000, CHANGES = 300 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static tolmach_client *clients[2];

static void be_answered(int client) {
  tolmach_session *session = ask(clients[client], "Hi");
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  do status = tolmach_session_poll(session, -1, &chunk, NULL);
  while (status == TOLMACH_OK);
  EXPECT(TOLMACH_END, status);
  tolmach_session_free(session);
}

/* ---- whose a line is ---- */

static struct {
  uint64_t session;
  char text[200];
} lines[LINES];
static int line_count;

static void take_line(void *user, int32_t level, uint64_t session, const char *text, size_t len) {
  CHECK(user == lines && level >= 1 && level <= 5 && strlen(text) == len);
  pthread_mutex_lock(&lock);
  CHECK(line_count < LINES);
  lines[line_count].session = session;
  strncpy(lines[line_count++].text, text, sizeof lines[0].text - 1);
  pthread_mutex_unlock(&lock);
}

/* How many lines of `session` have `text`. */
static int lines_of(uint64_t session, const char *text) {
  int i, count = 0;
  pthread_mutex_lock(&lock);
  for (i = 0; i < line_count; i++)
    count += lines[i].session == session && strstr(lines[i].text, text) != NULL;
  pthread_mutex_unlock(&lock);
  return count;
}


/* The sessions count from 1 in the order in which they were opened; the first client has
 * those with odd numbers. */
static void lines_name_their_session(char **urls) {
  const char *hosts[2];
  const tolmach_chunk *chunk = NULL;
  tolmach_session *sessions[SESSIONS];
  tolmach_models *models = NULL;
  tolmach_status status;
  char asking[2][100], text[20];
  int i;
  tolmach_log_set(take_line, lines, NULL, 5);
  for (i = 0; i < 2; i++) {
    hosts[i] = strstr(urls[i], "//") + 2;
    snprintf(asking[i], sizeof asking[i], "http: asking %s", hosts[i]);
  }
  for (i = 0; i < SESSIONS; i++) {
    snprintf(text, sizeof text, "number %d", i);
    sessions[i] = ask(clients[i % 2], text);
  }
  for (i = 0; i < SESSIONS; i++) {
    do status = tolmach_session_poll(sessions[i], -1, &chunk, NULL);
    while (status == TOLMACH_OK);
    EXPECT(TOLMACH_END, status);
    CHECK(lines_of((uint64_t)i + 1, asking[i % 2]) == (i % 2 ? 1 : 2));
    CHECK(lines_of((uint64_t)i + 1, asking[1 - i % 2]) == 0);
    CHECK(lines_of((uint64_t)i + 1, "retry: ") == (i % 2 ? 0 : 1));
    /* Written by the thread that polls. */
    CHECK(lines_of((uint64_t)i + 1, "reply: ") == 1);
    tolmach_session_free(sessions[i]);
  }
  CHECK(lines_of(0, "") == 0);
  CHECK(tolmach_client_models(clients[1], -1, &models, NULL) < 0);
  /* That was a session as well. */
  CHECK(lines_of(SESSIONS + 1, asking[1]) >= 1 && lines_of(SESSIONS, asking[1]) == 1);
}

/* ---- what is released, and when ---- */

typedef struct {
  int inside, released, may_end, lines;
} gate;

/* Waits in its line until it may end. */
static void wait_inside(void *user, int32_t level, uint64_t session, const char *text, size_t len) {
  gate *own = user;
  (void)level, (void)session, (void)text, (void)len;
  pthread_mutex_lock(&lock);
  CHECK(!own->released);
  own->inside++, own->lines++;
  pthread_cond_broadcast(&changed);
  while (!own->may_end) pthread_cond_wait(&changed, &lock);
  own->inside--;
  pthread_mutex_unlock(&lock);
}

static void release_gate(void *user) {
  gate *own = user;
  pthread_mutex_lock(&lock);
  CHECK(own->inside == 0);
  own->released++;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static int released(gate *own) {
  int count;
  pthread_mutex_lock(&lock);
  count = own->released;
  pthread_mutex_unlock(&lock);
  return count;
}

static void *answer_one(void *unused) {
  be_answered(1);
  return unused;
}

static void line_under_way_comes_before_the_release(void) {
  static gate own, other;
  pthread_t thread;
  tolmach_log_set(wait_inside, &own, release_gate, 5);
  CHECK(pthread_create(&thread, NULL, answer_one, NULL) == 0);
  pthread_mutex_lock(&lock);
  while (!own.inside) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  other.may_end = 1;
  tolmach_log_set(wait_inside, &other, release_gate, 0);
  CHECK(released(&own) == 0);
  tolmach_log_set(NULL, NULL, NULL, 5);
  CHECK(released(&own) == 0 && released(&other) == 1);
  pthread_mutex_lock(&lock);
  own.may_end = 1;
  pthread_cond_broadcast(&changed);
  while (!own.released) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(own.released == 1 && own.lines == 1 && other.lines == 0);
}

static void remove_itself(void *user, int32_t level, uint64_t session, const char *text, size_t len) {
  gate *own = user;
  (void)level, (void)session, (void)text, (void)len;
  pthread_mutex_lock(&lock);
  own->inside++, own->lines++;
  pthread_mutex_unlock(&lock);
  tolmach_log_set(NULL, NULL, NULL, 0);
  pthread_mutex_lock(&lock);
  CHECK(!own->released);
  own->inside--;
  pthread_mutex_unlock(&lock);
}

static void log_may_remove_itself(void) {
  static gate own;
  tolmach_log_set(remove_itself, &own, release_gate, 5);
  be_answered(1);
  pthread_mutex_lock(&lock);
  while (!own.released) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  CHECK(own.lines == 1 && own.released == 1);
}

static gate second;

static void set_another(void *user) {
  (void)user;
  tolmach_log_set(wait_inside, &second, release_gate, 0);
}

static void release_may_set_another(void) {
  static gate own;
  own.may_end = 1;
  tolmach_log_set(wait_inside, &own, set_another, 0);
  tolmach_log_set(NULL, NULL, NULL, 0);
  CHECK(released(&second) == 0);
  tolmach_log_set(NULL, NULL, NULL, 0);
  CHECK(released(&second) == 1);
}

static void nothing_is_set_and_released_at_once(void) {
  static gate own;
  tolmach_log_set(NULL, &own, release_gate, 5);
  CHECK(released(&own) == 1);
}

static int alive, made;

static void use(void *user, int32_t level, uint64_t session, const char *text, size_t len) {
  (void)level, (void)session, (void)text, (void)len;
  CHECK(*(int *)user == 7);
}

static void free_user(void *user) {
  *(int *)user = 0;
  free(user);
  pthread_mutex_lock(&lock);
  alive--;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static void *change_often(void *unused) {
  int i;
  for (i = 0; i < CHANGES; i++) {
    int *user = malloc(sizeof *user);
    *user = 7;
    pthread_mutex_lock(&lock);
    alive++, made++;
    pthread_mutex_unlock(&lock);
    tolmach_log_set(use, user, free_user, 5);
  }
  return unused;
}

static void *answer_often(void *unused) {
  int i;
  for (i = 0; i < 10; i++) be_answered(1);
  return unused;
}

static void each_of_many_is_released_once(void) {
  pthread_t threads[4];
  int i;
  for (i = 0; i < 4; i++)
    CHECK(pthread_create(&threads[i], NULL, i < 2 ? change_often : answer_often, NULL) == 0);
  for (i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  tolmach_log_set(NULL, NULL, NULL, 0);
  pthread_mutex_lock(&lock);
  while (alive > 0) pthread_cond_wait(&changed, &lock);
  CHECK(alive == 0 && made == 2 * CHANGES);
  pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  clients[0] = client_at(argv[1]);
  clients[1] = client_at(argv[2]);
  lines_name_their_session(argv + 1);
  tolmach_log_set(NULL, NULL, NULL, 0);
  line_under_way_comes_before_the_release();
  log_may_remove_itself();
  release_may_set_another();
  nothing_is_set_and_released_at_once();
  each_of_many_is_released_once();
  tolmach_client_free(clients[0]);
  tolmach_client_free(clients[1]);
  return 0;
}
