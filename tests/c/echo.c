/* echo URL: prints each piece of text, and waits for a line of input after each. */
#include "check.h"

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *session = ask(client, "Hi");
  const tolmach_chunk *chunk = NULL;

  while (tolmach_session_poll(session, -1, &chunk, NULL) == TOLMACH_OK) {
    if (chunk->kind != TOLMACH_CHUNK_TEXT) continue;
    await_line(chunk->text.ptr);
  }
  EXPECT(TOLMACH_END, tolmach_session_poll(session, -1, &chunk, NULL));
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
