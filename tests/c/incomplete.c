/* incomplete URL: prints the reply of a session, and the request that it was appended to. */
#include "check.h"

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *session = ask(client, "Hi");
  tolmach_request *request = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;

  while ((status = tolmach_session_poll(session, -1, &chunk, NULL)) == TOLMACH_OK)
    print_chunk(chunk);
  EXPECT(TOLMACH_END, status);
  printf("%s\n", tolmach_session_reply(session).ptr);
  EXPECT(TOLMACH_OK, tolmach_request_new(NULL, &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_reply(request, session, NULL));
  printf("%s\n", tolmach_request_json(request).ptr);
  tolmach_request_free(request);
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
