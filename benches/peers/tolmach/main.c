/* flood|paced URL PROVIDER KEY=VALUE ...: reads an answer by Tolmach's C ABI. */
#include "open.h"

int main(int argc, char **argv) {
  tolmach_error *error = NULL;
  tolmach_client *client;
  tolmach_session *session;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  measure m;
  if (argc < 4) fail("usage: tolmach flood|paced URL PROVIDER KEY=VALUE ...");
  measure_start(&m, argv[1]);
  client = client_at(argv[3], argv[2], argv + 4, argc - 4);
  session = ask(client);
  while ((status = tolmach_session_poll(session, -1, &chunk, &error)) == TOLMACH_OK) {
    m.chunks++;
    if (chunk->kind == TOLMACH_CHUNK_TEXT) measure_text(&m, chunk->text.ptr, chunk->text.len);
  }
  check(status, &error);
  tolmach_session_free(session);
  tolmach_client_free(client);
  measure_end(&m);
  return 0;
}
