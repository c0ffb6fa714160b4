/* open URL: says that the session is open before it polls it to its end. */
#include "check.h"

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *session = ask(client, "Hi");
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;

  printf("open\n");
  fflush(stdout);
  while ((status = tolmach_session_poll(session, -1, &chunk, NULL)) == TOLMACH_OK)
    print_chunk(chunk);
  EXPECT(TOLMACH_END, status);
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
