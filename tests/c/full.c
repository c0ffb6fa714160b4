/* full URL: reads one piece of text and no more; cancels when a line of input says that
 * the worker can go no further, and frees at the next line. Prints how long the poll after
 * the cancel and the free took, in microseconds. */
#include "check.h"

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *session = ask(client, "Hi");
  const tolmach_chunk *chunk = NULL;
  int64_t cancelled_at, returned_at, freed_at;

  do EXPECT(TOLMACH_OK, tolmach_session_poll(session, -1, &chunk, NULL));
  while (chunk->kind != TOLMACH_CHUNK_TEXT);
  await_line("reading no more");
  cancelled_at = now_us(CLOCK_MONOTONIC);
  tolmach_session_cancel(session);
  /* Chunks are waiting, but nobody wants them any more. */
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(session, -1, &chunk, NULL));
  returned_at = now_us(CLOCK_MONOTONIC);
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(session, 0, &chunk, NULL));
  await_line("cancelled");
  freed_at = now_us(CLOCK_MONOTONIC);
  tolmach_session_free(session);
  printf("%lld %lld\n", (long long)(returned_at - cancelled_at),
         (long long)(now_us(CLOCK_MONOTONIC) - freed_at));
  tolmach_client_free(client);
  return 0;
}
