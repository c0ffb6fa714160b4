/* Prints the models of a provider as a table: models PROVIDER [KEY=VALUE ...] */
#include <stdio.h>
#include <string.h>
#include <tolmach.h>

static tolmach_status open_client(const char *provider, char **settings, tolmach_client **client,
                                  tolmach_error **error) {
  tolmach_config *config = NULL;
  tolmach_status status = tolmach_config_new(provider, &config, error);
  for (; *settings != NULL && status == TOLMACH_OK; settings++) {
    char *value = strchr(*settings, '=');
    if (value != NULL) *value++ = '\0';
    status = tolmach_config_set(config, *settings, value, error);
  }
  if (status == TOLMACH_OK) status = tolmach_client_new(config, client, error);
  tolmach_config_free(config);
  return status;
}

/* Prints a row: what is not said of a model is a dash. */
static void print(const tolmach_chunk *model) {
  const tolmach_capabilities can = model->flags;
  printf("%-40s %-16s", model->id.ptr, model->name.len > 0 ? model->name.ptr : "-");
  if (model->usage.total < 0) printf(" %10s ", "-");
  else printf(" %10ld ", (long)model->usage.total);
  if (can & TOLMACH_CAN_TOOLS) printf(" tools");
  if (can & TOLMACH_CAN_VISION) printf(" vision");
  if (can & TOLMACH_CAN_IMAGES) printf(" images");
  putchar('\n');
}

int main(int argc, char **argv) {
  tolmach_error *error = NULL;
  tolmach_client *client = NULL;
  tolmach_session *session = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  int rows = 0;

  if (argc < 2) return fprintf(stderr, "usage: models PROVIDER [KEY=VALUE ...]\n"), 2;
  status = open_client(argv[1], argv + 2, &client, &error);
  if (status == TOLMACH_OK) status = tolmach_session_open_models(client, &session, &error);
  while (status == TOLMACH_OK) {
    status = tolmach_session_poll(session, -1, &chunk, &error);
    if (status != TOLMACH_OK || chunk->kind != TOLMACH_CHUNK_MODEL) continue;
    if (rows++ == 0) printf("%-40s %-16s %10s  %s\n", "MODEL", "OWNER", "CONTEXT", "CAN");
    print(chunk);
  }
  if (status < 0) fprintf(stderr, "models: %s\n", tolmach_error_message(error).ptr);
  tolmach_error_free(error);
  tolmach_session_free(session);
  tolmach_client_free(client);
  return status == TOLMACH_END ? 0 : 1;
}
