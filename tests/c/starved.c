/* starved URL [descriptors]: asks where the system has no more threads, or descriptors.
 * With "descriptors", asks once more when there are some again. */
#include "check.h"

#include <sys/resource.h>
#include <unistd.h>

/* Prints what becomes of a session. */
static void run(const tolmach_client *client, const tolmach_request *request) {
  tolmach_session *session = NULL;
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status = tolmach_session_open(client, request, &session, &error);
  CHECK((status == TOLMACH_OK) == (session != NULL));
  while (status == TOLMACH_OK) status = tolmach_session_poll(session, -1, &chunk, &error);
  if (error) print_error(error);
  else printf("%s\n", tolmach_status_name(status));
  tolmach_session_free(session);
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  tolmach_request *request = NULL;
  struct rlimit usual, limit;
  int next = dup(0);

  EXPECT(TOLMACH_OK, tolmach_request_new("test-model", &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "Hi", 2, NULL));
  CHECK(next >= 0 && close(next) == 0 && getrlimit(RLIMIT_NOFILE, &usual) == 0);
  limit = usual;
  if (argc > 2) limit.rlim_cur = (rlim_t)next;
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  run(client, request);
  CHECK(setrlimit(RLIMIT_NOFILE, &usual) == 0);
  if (argc > 2) run(client, request);
  tolmach_request_free(request);
  tolmach_client_free(client);
  return 0;
}
