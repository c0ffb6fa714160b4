/* list URL [cancel]: opens a session that lists the models, prints its chunks, how it ends and
 * what it knows of itself; waits on its descriptor, and never in a poll. With "cancel", cancels
 * it once the test says so. */
#include "check.h"

#include <poll.h>

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  tolmach_session *session = (tolmach_session *)&session;
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  const tolmach_session_info *info;
  tolmach_status status;
  struct pollfd ready = {-1, POLLIN, 0};

  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_models(NULL, &session, &error));
  CHECK(session == NULL && error != NULL);
  tolmach_error_free(error);
  error = NULL;
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_models(client, NULL, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_open_models(client, &session, &error));
  tolmach_client_free(client);
  if (argc > 2) {
    EXPECT(TOLMACH_PENDING, tolmach_session_poll(session, 0, &chunk, &error));
    await_line("open");
    tolmach_session_cancel(session);
  }
  ready.fd = tolmach_session_fd(session);
  CHECK(ready.fd >= 0);
  for (;;) {
    status = tolmach_session_poll(session, 0, &chunk, &error);
    if (status == TOLMACH_PENDING) {
      CHECK(poll(&ready, 1, -1) == 1);
      continue;
    }
    if (status != TOLMACH_OK) break;
    print_chunk(chunk);
  }
  CHECK(chunk == NULL && (status == TOLMACH_END) == (error == NULL));
  if (error != NULL) print_error(error);
  CHECK(tolmach_session_poll(session, 0, &chunk, NULL) == status);
  CHECK(tolmach_session_reply(session).len == 0);
  info = tolmach_session_info_get(session);
  printf("%s attempts=%d request_id=%s model=%s\n", tolmach_status_name(status), (int)info->attempts,
         info->request_id.ptr, info->model.ptr);
  tolmach_session_free(session);
  return 0;
}
