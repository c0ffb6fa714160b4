/* sessions URL COUNT: waits for several sessions at once. The server at URL answers "go" at
 * once, sends the start alone to "stall", and answers numbers in their order: one more for each
 * line on standard output. */
#include "check.h"

#include <poll.h>
#include <pthread.h>

enum { THREADS = 4 };

static tolmach_client *client;

static size_t wait_for(tolmach_session **sessions, size_t count) {
  size_t index = count;
  EXPECT(TOLMACH_OK,
         tolmach_sessions_wait((const tolmach_session *const *)sessions, count, -1, &index, NULL));
  CHECK(index < count && sessions[index] != NULL);
  return index;
}

static tolmach_status look_at(tolmach_session **sessions, size_t count, int64_t ms, size_t *index) {
  return tolmach_sessions_wait((const tolmach_session *const *)sessions, count, ms, index, NULL);
}

/* A session that has delivered its start and waits for more. */
static tolmach_session *stalled(void) {
  tolmach_session *session = ask(client, "stall");
  const tolmach_chunk *chunk = NULL;
  EXPECT(TOLMACH_OK, tolmach_session_poll(session, -1, &chunk, NULL));
  EXPECT(TOLMACH_PENDING, tolmach_session_poll(session, 0, &chunk, NULL));
  return session;
}

/* Each answer comes when it is told to, from the last session to the first: the wait finds
 * that one, and a poll of it is not pending. */
static void wait_finds_the_one_that_is_ready(void) {
  enum { COUNT = 3 };
  tolmach_session *sessions[COUNT + 2] = {NULL};
  const tolmach_chunk *chunk = NULL;
  size_t i, index = 77;
  char text[20];
  for (i = 0; i < COUNT; i++) {
    sprintf(text, "%d", COUNT - 1 - (int)i);
    sessions[i + 1] = ask(client, text);
  }
  EXPECT(TOLMACH_PENDING, look_at(sessions, COUNT + 2, 0, &index));
  EXPECT(TOLMACH_PENDING, look_at(sessions, COUNT + 2, 20, &index));
  CHECK(index == 77);
  for (i = COUNT; i > 0; i--) {
    printf("next\n");
    fflush(stdout);
    CHECK(wait_for(sessions, COUNT + 2) == i);
    /* It stays ready, whoever looks and however often, until it is polled. */
    CHECK(wait_for(sessions, COUNT + 2) == i);
    EXPECT(TOLMACH_OK, look_at(sessions, COUNT + 2, 0, &index));
    CHECK(index == i);
    while (tolmach_session_poll(sessions[i], -1, &chunk, NULL) == TOLMACH_OK) {}
    EXPECT(TOLMACH_END, tolmach_session_poll(sessions[i], 0, &chunk, NULL));
    /* One that has ended is always ready; a hole in its place is not. */
    CHECK(wait_for(sessions, COUNT + 2) == i);
    tolmach_session_free(sessions[i]);
    sessions[i] = NULL;
  }
}

/* One that has more than it is polled for does not keep the others from their turn. */
static void each_that_is_ready_has_its_turn(void) {
  enum { COUNT = 5 };
  tolmach_session *sessions[COUNT];
  const tolmach_chunk *chunk = NULL;
  int turns[COUNT] = {0}, i, round;
  for (i = 0; i < COUNT; i++) sessions[i] = ask(client, "go");
  for (i = 0; i < COUNT; i++) CHECK(wait_for(&sessions[i], 1) == 0);
  for (round = 0; round < 4; round++) {
    for (i = 0; i < COUNT; i++) turns[wait_for(sessions, COUNT)]++;
    for (i = 0; i < COUNT; i++) CHECK(turns[i] == round + 1);
  }
  /* The first two of them, waited for now and then, lose no turn to the pair in between. */
  for (round = 0; round < 10; round++) {
    CHECK(wait_for(sessions, 2) == (size_t)round % 2);
    CHECK(wait_for(sessions + 2, 2) == (size_t)round % 2);
  }
  for (i = 0; i < COUNT; i++) {
    EXPECT(TOLMACH_OK, tolmach_session_poll(sessions[i], -1, &chunk, NULL));
    tolmach_session_free(sessions[i]);
  }
}

static tolmach_session *shared[THREADS + 1];

static void *wait_for_two(void *number) {
  size_t at = (size_t)((char *)number - (char *)NULL);
  CHECK(wait_for(&shared[at], 2) < 2);
  return NULL;
}

static void *wait_for_all(void *unused) {
  CHECK(wait_for(shared, THREADS + 1) == 2);
  return unused;
}

/* Threads that wait for the same sessions are all woken. */
static void cancel_wakes_every_thread_that_waits(void) {
  pthread_t pairs[THREADS], all;
  struct pollfd fd;
  int i;
  for (i = 0; i <= THREADS; i++) shared[i] = stalled();
  fd.fd = tolmach_session_fd(shared[2]);
  fd.events = POLLIN;
  CHECK(poll(&fd, 1, 0) == 0);
  CHECK(pthread_create(&all, NULL, wait_for_all, NULL) == 0);
  for (i = 0; i < THREADS; i++)
    CHECK(pthread_create(&pairs[i], NULL, wait_for_two, (char *)NULL + i) == 0);
  tolmach_session_cancel(shared[2]);
  CHECK(pthread_join(all, NULL) == 0);
  CHECK(pthread_join(pairs[1], NULL) == 0 && pthread_join(pairs[2], NULL) == 0);
  CHECK(poll(&fd, 1, 60000) == 1);
  for (i = 0; i <= THREADS; i++) tolmach_session_cancel(shared[i]);
  CHECK(pthread_join(pairs[0], NULL) == 0 && pthread_join(pairs[3], NULL) == 0);
  for (i = 0; i <= THREADS; i++) tolmach_session_free(shared[i]);
}

/* What was cancelled is ready at once, though another thread does the work of it. */
static void cancelled_session_is_ready_at_once(void) {
  int i;
  for (i = 0; i < 50; i++) {
    const tolmach_chunk *chunk = NULL;
    tolmach_session *session = stalled();
    size_t index = 7;
    tolmach_session_cancel(session);
    EXPECT(TOLMACH_OK, look_at(&session, 1, 0, &index));
    CHECK(index == 0);
    EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(session, 0, &chunk, NULL));
    EXPECT(TOLMACH_OK, look_at(&session, 1, -1, &index));
    tolmach_session_free(session);
  }
}

static void cancel_all_ends_the_sessions_of_one_client(const char *url) {
  enum { COUNT = 4 };
  tolmach_client *own = client, *other = client_at(url);
  tolmach_session *others, *later, *sessions[COUNT];
  const tolmach_chunk *chunk = NULL;
  int i;
  for (i = 0; i < COUNT; i++) sessions[i] = stalled();
  /* One that has told its end has nothing to be cancelled. */
  sessions[0] = (tolmach_session_free(sessions[0]), ask(client, "go"));
  while (tolmach_session_poll(sessions[0], -1, &chunk, NULL) == TOLMACH_OK) {}
  client = other;
  others = stalled();
  client = own;
  tolmach_client_cancel_all(client);
  later = stalled();
  for (i = 1; i < COUNT; i++)
    EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(sessions[i], -1, &chunk, NULL));
  EXPECT(TOLMACH_END, tolmach_session_poll(sessions[0], -1, &chunk, NULL));
  EXPECT(TOLMACH_PENDING, tolmach_session_poll(others, 0, &chunk, NULL));
  EXPECT(TOLMACH_PENDING, tolmach_session_poll(later, 0, &chunk, NULL));
  tolmach_client_cancel_all(other);
  tolmach_client_cancel_all(NULL);
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(others, -1, &chunk, NULL));
  EXPECT(TOLMACH_PENDING, tolmach_session_poll(later, 0, &chunk, NULL));
  for (i = 0; i < COUNT; i++) tolmach_session_free(sessions[i]);
  tolmach_session_free(others);
  tolmach_session_free(later);
  tolmach_client_cancel_all(other);
  tolmach_client_free(other);
}

/* All of them to their end, by waits alone. */
static void many_are_read_to_their_end(size_t count) {
  tolmach_session **sessions = calloc(count, sizeof *sessions);
  size_t i, left = count, waits = 0;
  CHECK(sessions != NULL);
  for (i = 0; i < count; i++) sessions[i] = ask(client, "go");
  while (left > 0) {
    const tolmach_chunk *chunk = NULL;
    tolmach_status status;
    size_t index = wait_for(sessions, count);
    status = tolmach_session_poll(sessions[index], 0, &chunk, NULL);
    CHECK(status != TOLMACH_PENDING);
    waits++;
    while (status == TOLMACH_OK) status = tolmach_session_poll(sessions[index], 0, &chunk, NULL);
    if (status == TOLMACH_PENDING) continue;
    EXPECT(TOLMACH_END, status);
    tolmach_session_free(sessions[index]);
    sessions[index] = NULL;
    left--;
  }
  CHECK(waits >= count);
  free(sessions);
}

static void wrong_waits_are_refused(void) {
  tolmach_session *sessions[2] = {NULL, NULL};
  const tolmach_session *const *given = (const tolmach_session *const *)sessions;
  tolmach_error *error = NULL;
  size_t index = 77;
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_sessions_wait(given, 2, 0, &index, &error));
  CHECK(strstr(tolmach_error_message(error).ptr, "NULL") != NULL);
  tolmach_error_free(error);
  sessions[1] = stalled();
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_sessions_wait(NULL, 2, 0, &index, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_sessions_wait(given, 0, 0, &index, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_sessions_wait(given, SIZE_MAX, 0, &index, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_sessions_wait(given, SIZE_MAX / 2, 0, &index, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_sessions_wait(given, 2, 0, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_sessions_wait(given, 2, -2, &index, NULL));
  EXPECT(TOLMACH_PENDING, tolmach_sessions_wait(given, 2, 0, &index, NULL));
  CHECK(index == 77);
  tolmach_session_free(sessions[1]);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  client = client_at(argv[1]);
  wait_finds_the_one_that_is_ready();
  each_that_is_ready_has_its_turn();
  cancel_wakes_every_thread_that_waits();
  cancelled_session_is_ready_at_once();
  wrong_waits_are_refused();
  cancel_all_ends_the_sessions_of_one_client(argv[1]);
  many_are_read_to_their_end((size_t)atol(argv[2]));
  tolmach_client_free(client);
  return 0;
}
