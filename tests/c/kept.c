/* kept URL: asks for the models, and then a question over the same connection. Prints what
 * became of it. */
#include "check.h"

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_models *models = NULL;
  tolmach_session *session;
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;

  EXPECT(TOLMACH_OK, tolmach_client_models(client, -1, &models, NULL));
  tolmach_models_free(models);
  session = ask(client, "Hi");
  do status = tolmach_session_poll(session, -1, &chunk, &error);
  while (status == TOLMACH_OK);
  if (error) print_error(error);
  else printf("%s\n", tolmach_status_name(status));
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
