/* stream URL [KEY=VALUE ...] [@REQUEST_JSON]: prints every chunk of an answer, how it
 * ended and the reply. The request "@-" is read from standard input. */
#include "check.h"

static const char *read_input(void) {
  static char text[8 << 20];
  text[fread(text, 1, sizeof text - 1, stdin)] = '\0';
  return text;
}

int main(int argc, char **argv) {
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  const char *provider = getenv("TEST_PROVIDER");
  const char *json = "{\"model\":\"test-model\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}";
  int i;

  EXPECT(TOLMACH_OK, tolmach_config_new(provider ? provider : "openai", &config, NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "base_url", argv[1], NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "proxy", "direct", NULL));
  if (!getenv("TEST_NO_KEY")) tolmach_config_set(config, "api_key", "test-key-secret", NULL);
  for (i = 2; i < argc; i++) {
    char *value = strchr(argv[i], '=');
    if (argv[i][0] == '@') {
      json = strcmp(argv[i], "@-") ? argv[i] + 1 : read_input();
      continue;
    }
    *value++ = '\0';
    if (tolmach_config_set(config, argv[i], value, &error) != TOLMACH_OK) {
      print_error(error);
      tolmach_config_free(config);
      return 0;
    }
  }
  status = tolmach_client_new(config, &client, &error);
  tolmach_config_free(config);
  if (status == TOLMACH_OK)
    status = tolmach_request_from_json(json, TOLMACH_NUL_TERMINATED, &request, &error);
  if (status == TOLMACH_OK) status = tolmach_session_open(client, request, &session, &error);
  tolmach_client_free(client);
  tolmach_request_free(request);
  while (status == TOLMACH_OK) {
    status = tolmach_session_poll(session, -1, &chunk, &error);
    if (status == TOLMACH_OK) print_chunk(chunk);
  }
  if (status == TOLMACH_END) {
    printf("end\n");
    EXPECT(TOLMACH_END, tolmach_session_poll(session, -1, &chunk, NULL));
    CHECK(chunk == NULL);
  } else {
    print_error(error);
    if (session) EXPECT(status, tolmach_session_poll(session, 0, &chunk, NULL));
  }
  if (session) {
    printf("reply %s\n", tolmach_session_reply(session).ptr);
    CHECK(tolmach_session_reply(session).ptr == tolmach_session_reply(session).ptr);
  }
  tolmach_session_free(session);
  return 0;
}
