/* peak URL: reads an answer to its end. Prints how it ended, how many bytes of text there
 * were, the process's highest resident memory in KiB, and the end of the reply. */
#include "check.h"

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *session = ask(client, "Hi");
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  tolmach_str reply;
  size_t texts = 0;

  while ((status = tolmach_session_poll(session, -1, &chunk, &error)) == TOLMACH_OK)
    if (chunk->kind == TOLMACH_CHUNK_TEXT) texts += chunk->text.len;
  printf("%s %lu %ld ", tolmach_status_name(status), (unsigned long)texts, peak_kib());
  reply = tolmach_session_reply(session);
  printf("%s ", reply.ptr + (reply.len > 20 ? reply.len - 20 : 0));
  printf("%s\n", error ? tolmach_error_message(error).ptr : "");
  tolmach_error_free(error);
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
