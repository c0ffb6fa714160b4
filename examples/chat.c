/* Asks a model and prints its answer as it arrives: chat PROVIDER PROMPT [KEY=VALUE ...] */
#include <stdio.h>
#include <string.h>
#include <tolmach.h>

static int failed(tolmach_error *error) {
  fprintf(stderr, "chat: %s\n", tolmach_error_message(error).ptr);
  tolmach_error_free(error);
  return 1;
}

int main(int argc, char **argv) {
  tolmach_error *error = NULL;
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  int i;

  if (argc < 3) return fprintf(stderr, "usage: chat PROVIDER PROMPT [KEY=VALUE ...]\n"), 2;
  status = tolmach_config_new(argv[1], &config, &error);
  for (i = 3; i < argc && status == TOLMACH_OK; i++) {
    char *value = strchr(argv[i], '=');
    if (value) *value++ = '\0';
    status = tolmach_config_set(config, argv[i], value, &error);
  }
  if (status == TOLMACH_OK) status = tolmach_client_new(config, &client, &error);
  if (status == TOLMACH_OK) status = tolmach_request_new(NULL, &request, &error);
  if (status == TOLMACH_OK)
    status = tolmach_request_message(request, "user", argv[2], TOLMACH_NUL_TERMINATED, &error);
  if (status == TOLMACH_OK) status = tolmach_session_open(client, request, &session, &error);
  while (status == TOLMACH_OK) {
    status = tolmach_session_poll(session, -1, &chunk, &error);
    if (status == TOLMACH_OK && chunk->kind == TOLMACH_CHUNK_TEXT) {
      fwrite(chunk->text.ptr, 1, chunk->text.len, stdout);
      fflush(stdout);
    }
  }
  putchar('\n');
  tolmach_session_free(session);
  tolmach_request_free(request);
  tolmach_client_free(client);
  tolmach_config_free(config);
  return status == TOLMACH_END ? 0 : failed(error);
}
