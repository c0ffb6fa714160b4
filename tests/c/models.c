/* models URL TIMEOUT_MS: prints the models of a server, or what went wrong. */
#include "check.h"

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  tolmach_models *models = NULL;
  tolmach_error *error = NULL;
  size_t i;

  if (tolmach_client_models(client, atol(argv[argc - 1]), &models, &error) != TOLMACH_OK) {
    CHECK(models == NULL);
    print_error(error);
    tolmach_client_free(client);
    return 0;
  }
  tolmach_client_free(client);
  for (i = 0; i < tolmach_models_count(models); i++) {
    const tolmach_model *model = tolmach_models_get(models, i);
    print_quoted(model->id);
    printf(" owner=");
    print_quoted(model->owner);
    printf(" context=%ld capabilities=%d json=", (long)model->context_length, (int)model->capabilities);
    print_quoted(model->json);
    printf("\n");
  }
  CHECK(tolmach_models_get(models, i) == NULL);
  tolmach_models_free(models);
  return 0;
}
