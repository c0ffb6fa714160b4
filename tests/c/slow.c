/* slow URL CHUNKS: reads an answer of CHUNKS pieces of text, with a long pause after the
 * first, until there is a line of input, and short ones now and then. Prints how many there
 * were and the process's highest resident memory in KiB. */
#include "check.h"

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  tolmach_session *session = ask(client, "Hi");
  struct timespec moment = {0, 20 * 1000 * 1000};
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  char line[64];
  long texts = 0;

  while ((status = tolmach_session_poll(session, -1, &chunk, NULL)) == TOLMACH_OK) {
    if (chunk->kind != TOLMACH_CHUNK_TEXT) continue;
    if (++texts == 1) CHECK(fgets(line, sizeof line, stdin) != NULL);
    if (texts % 10000 == 0) nanosleep(&moment, NULL);
  }
  EXPECT(TOLMACH_END, status);
  CHECK(texts == atol(argv[argc - 1]));
  printf("%ld %ld\n", texts, peak_kib());
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
