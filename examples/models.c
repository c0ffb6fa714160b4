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

int main(int argc, char **argv) {
  tolmach_error *error = NULL;
  tolmach_client *client = NULL;
  tolmach_models *models = NULL;
  tolmach_status status;
  size_t i;

  if (argc < 2) return fprintf(stderr, "usage: models PROVIDER [KEY=VALUE ...]\n"), 2;
  status = open_client(argv[1], argv + 2, &client, &error);
  if (status == TOLMACH_OK) status = tolmach_client_models(client, -1, &models, &error);
  if (status == TOLMACH_OK) printf("%-40s %-20s %10s\n", "MODEL", "OWNER", "CONTEXT");
  for (i = 0; i < tolmach_models_count(models); i++) {
    const tolmach_model *model = tolmach_models_get(models, i);
    printf("%-40s %-20s", model->id.ptr, model->owner.len > 0 ? model->owner.ptr : "-");
    if (model->context_length < 0) printf(" %10s\n", "-");
    else printf(" %10ld\n", (long)model->context_length);
  }
  if (status < 0) fprintf(stderr, "models: %s\n", tolmach_error_message(error).ptr);
  tolmach_error_free(error);
  tolmach_models_free(models);
  tolmach_client_free(client);
  return status == TOLMACH_OK ? 0 : 1;
}
