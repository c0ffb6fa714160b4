/* turns URL [KEY=VALUE ...] (models | @REQUEST_JSON)...: asks all of that, one after the
 * other, of one client. Prints what was changed of a request, if anything. */
#include "check.h"

static void list_models(const tolmach_client *client) {
  tolmach_models *models = NULL;
  EXPECT(TOLMACH_OK, tolmach_client_models(client, -1, &models, NULL));
  printf("models %d\n", (int)tolmach_models_count(models));
  tolmach_models_free(models);
}

static void answer(const tolmach_client *client, const char *json) {
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  EXPECT(TOLMACH_OK, tolmach_request_from_json(json, TOLMACH_NUL_TERMINATED, &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_open(client, request, &session, NULL));
  while ((status = tolmach_session_poll(session, -1, &chunk, &error)) == TOLMACH_OK)
    print_chunk(chunk);
  if (status == TOLMACH_END) printf("end\n");
  else print_error(error);
  if (strcmp(tolmach_session_info_get(session)->changed.ptr, "[]"))
    printf("changed %s\n", tolmach_session_info_get(session)->changed.ptr);
  tolmach_session_free(session);
  tolmach_request_free(request);
}

int main(int argc, char **argv) {
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  int i;

  EXPECT(TOLMACH_OK, tolmach_config_new("openai", &config, NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "base_url", argv[1], NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "api_key", "test-key-secret", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "proxy", "direct", NULL));
  for (i = 2; i < argc && argv[i][0] != '@' && strchr(argv[i], '='); i++) {
    char *value = strchr(argv[i], '=');
    *value++ = '\0';
    EXPECT(TOLMACH_OK, tolmach_config_set(config, argv[i], value, NULL));
  }
  EXPECT(TOLMACH_OK, tolmach_client_new(config, &client, NULL));
  tolmach_config_free(config);
  for (; i < argc; i++) {
    if (argv[i][0] == '@') answer(client, argv[i] + 1);
    else list_models(client);
  }
  tolmach_client_free(client);
  return 0;
}
