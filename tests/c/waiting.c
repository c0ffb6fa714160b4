/* waiting URL SESSIONS: sessions that have got some text and wait for more. Prints how many
 * KiB of memory each of them takes; once it is told to go on, reads them to their end. */
#include "check.h"

static long resident_kib(void) {
  char line[256];
  long kib = -1;
  FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
  while (rollup && fgets(line, sizeof line, rollup)) sscanf(line, "Rss: %ld", &kib);
  if (rollup) fclose(rollup);
  return kib;
}

static tolmach_session *waiting(const tolmach_client *client) {
  tolmach_session *session = ask(client, "Hi");
  const tolmach_chunk *chunk;
  do EXPECT(TOLMACH_OK, tolmach_session_poll(session, -1, &chunk, NULL));
  while (chunk->kind != TOLMACH_CHUNK_TEXT);
  return session;
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  int i, count = atoi(argv[argc - 1]);
  tolmach_session **sessions = calloc((size_t)count, sizeof *sessions);
  struct timespec moment = {0, 200 * 1000 * 1000};
  const tolmach_chunk *chunk;
  tolmach_status status;
  char line[64];
  long before;

  /* What is needed once is not counted. */
  sessions[0] = waiting(client);
  nanosleep(&moment, NULL);
  before = resident_kib();
  for (i = 1; i < count; i++) sessions[i] = waiting(client);
  nanosleep(&moment, NULL);
  sprintf(line, "%ld", before < 0 ? -1 : (resident_kib() - before) / (count - 1));
  await_line(line);
  for (i = 0; i < count; i++) {
    while ((status = tolmach_session_poll(sessions[i], -1, &chunk, NULL)) == TOLMACH_OK) {}
    CHECK(status == TOLMACH_END);
    tolmach_session_free(sessions[i]);
  }
  free(sessions);
  tolmach_client_free(client);
  return 0;
}
