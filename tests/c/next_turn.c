/* next_turn URL: a turn that fails, or is cancelled at its second tool call, and the turn
 * after it. Prints the first reply and the request as it was sent the second time. */
#include "check.h"

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;

  EXPECT(TOLMACH_OK, tolmach_request_new("test-model", &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "Hi", 2, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_open(client, request, &session, NULL));
  while ((status = tolmach_session_poll(session, -1, &chunk, NULL)) == TOLMACH_OK)
    if (chunk->kind == TOLMACH_CHUNK_TOOL_CALL && chunk->index == 1) tolmach_session_cancel(session);
  printf("%s\n%s\n", tolmach_status_name(status), tolmach_session_reply(session).ptr);
  EXPECT(TOLMACH_OK, tolmach_request_reply(request, session, &error));
  CHECK(error == NULL);
  tolmach_session_free(session);

  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "Go on", 5, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_open(client, request, &session, NULL));
  while ((status = tolmach_session_poll(session, -1, &chunk, NULL)) == TOLMACH_OK) continue;
  EXPECT(TOLMACH_END, status);
  printf("%s\n", tolmach_request_json(request).ptr);
  tolmach_session_free(session);
  tolmach_request_free(request);
  tolmach_client_free(client);
  return 0;
}
