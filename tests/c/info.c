/* info URL: asks, and prints what the session knows of itself before its first chunk and at its
 * end. */
#include "check.h"

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *session = ask(client, "Hi");
  const tolmach_session_info *info = tolmach_session_info_get(session);
  const tolmach_chunk *chunk = NULL;

  CHECK(info != NULL && tolmach_session_info_get(NULL) == NULL);
  CHECK(tolmach_session_info_get(session) == info);
  printf("model=%s changed=%s\n", info->model.ptr, info->changed.ptr);
  while (tolmach_session_poll(session, -1, &chunk, NULL) == TOLMACH_OK) continue;
  info = tolmach_session_info_get(session);
  printf("model=%s changed=%s request_id=%s attempts=%d\n", info->model.ptr, info->changed.ptr,
         info->request_id.ptr, (int)info->attempts);
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
