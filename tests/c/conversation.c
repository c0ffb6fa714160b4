/* conversation URL: three turns with a tool call, and a request built piece by piece. */
#include "check.h"

/* Reads a session to its end; keeps the id of the last tool call in `call_id`. */
static void read_on(tolmach_session *session, char *call_id) {
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  while ((status = tolmach_session_poll(session, -1, &chunk, NULL)) == TOLMACH_OK)
    if (chunk->kind == TOLMACH_CHUNK_TOOL_CALL && chunk->id.len) strcpy(call_id, chunk->id.ptr);
  EXPECT(TOLMACH_END, status);
}

int main(int argc, char **argv) {
  static const char tools[] =
      "[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":{\"type\":\"object\"}}}]";
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  char call_id[256] = "";

  EXPECT(TOLMACH_OK, tolmach_request_new("test-model", &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_set(request, "tools", tools, TOLMACH_NUL_TERMINATED, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "system", "Be brief.", 9, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "Weather in Oslo?", 16, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_open(client, request, &session, NULL));
  read_on(session, call_id);
  CHECK(call_id[0] != '\0');
  EXPECT(TOLMACH_OK, tolmach_request_reply(request, session, NULL));
  tolmach_session_free(session);

  EXPECT(TOLMACH_OK, tolmach_request_tool_result(request, call_id, "{\"temp\":3}", 10, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_open(client, request, &session, NULL));
  read_on(session, call_id);
  EXPECT(TOLMACH_OK, tolmach_request_reply(request, session, NULL));
  tolmach_session_free(session);

  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "And this?", 9, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_attach(request, "GIF89a", 6, NULL, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_set(request, "temperature", "0.5", 3, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_open(client, request, &session, NULL));
  read_on(session, call_id);
  EXPECT(TOLMACH_OK, tolmach_request_reply(request, session, NULL));
  tolmach_session_free(session);
  printf("%s\n", tolmach_request_json(request).ptr);
  tolmach_request_free(request);
  tolmach_client_free(client);
  return 0;
}
