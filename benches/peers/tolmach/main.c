/* flood|paced URL [PROVIDER KEY=VALUE ...]: reads an answer by Tolmach's C ABI. */
#include "../measure.h"

#include <tolmach.h>

static void check(tolmach_status status, tolmach_error **error) {
  if (status < 0) fail(tolmach_error_message(*error).ptr);
}

int main(int argc, char **argv) {
  tolmach_error *error = NULL;
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  measure m;
  int i;
  if (argc < 3) fail("usage: tolmach flood|paced URL [PROVIDER KEY=VALUE ...]");
  measure_start(&m, argv[1]);
  check(tolmach_config_new(argc > 3 ? argv[3] : "openai", &config, &error), &error);
  check(tolmach_config_set(config, "base_url", argv[2], &error), &error);
  check(tolmach_config_set(config, "proxy", "direct", &error), &error);
  if (argc <= 3) check(tolmach_config_set(config, "api_key", "key", &error), &error);
  for (i = 4; i < argc; i++) {
    char *value = strchr(argv[i], '=');
    if (!value) fail("KEY=VALUE is missing its value");
    *value++ = '\0';
    check(tolmach_config_set(config, argv[i], value, &error), &error);
  }
  check(tolmach_client_new(config, &client, &error), &error);
  check(tolmach_request_new("m", &request, &error), &error);
  check(tolmach_request_message(request, "user", "Hello", TOLMACH_NUL_TERMINATED, &error), &error);
  check(tolmach_session_open(client, request, &session, &error), &error);
  while ((status = tolmach_session_poll(session, -1, &chunk, &error)) == TOLMACH_OK) {
    m.chunks++;
    if (chunk->kind == TOLMACH_CHUNK_TEXT) measure_text(&m, chunk->text.ptr, chunk->text.len);
  }
  check(status, &error);
  tolmach_session_free(session);
  tolmach_request_free(request);
  tolmach_client_free(client);
  tolmach_config_free(config);
  measure_end(&m);
  return 0;
}
