/* Compares lines by their meaning: embeddings PROVIDER [KEY=VALUE ...] < LINES
 *
 * Prints how close each line is to the first one; 1 is the same. Needs -lm. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tolmach.h>

enum { LINES = 100, LENGTH = 1000 };

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

/* The number at `index` of an embedding: four bytes, the lowest first. */
static double number(const uint8_t *bytes, size_t index) {
  const uint8_t *b = bytes + 4 * index;
  uint32_t bits = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* The cosine of the angle between two embeddings of `len` bytes. */
static double similarity(const uint8_t *a, const uint8_t *b, size_t len) {
  double dot = 0, aa = 0, bb = 0;
  size_t i;
  for (i = 0; i < len / 4; i++) {
    dot += number(a, i) * number(b, i);
    aa += number(a, i) * number(a, i);
    bb += number(b, i) * number(b, i);
  }
  return dot / sqrt(aa * bb);
}

int main(int argc, char **argv) {
  static char lines[LINES][LENGTH];
  tolmach_error *error = NULL;
  tolmach_client *client = NULL;
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  uint8_t *first = NULL; /* a copy: a chunk lives until the next poll */
  size_t first_len = 0;
  int count = 0;

  if (argc < 2) return fprintf(stderr, "usage: embeddings PROVIDER [KEY=VALUE ...] < LINES\n"), 2;
  status = open_client(argv[1], argv + 2, &client, &error);
  if (status == TOLMACH_OK) status = tolmach_request_new(NULL, &request, &error);
  for (; status == TOLMACH_OK && count < LINES && fgets(lines[count], LENGTH, stdin); count++) {
    lines[count][strcspn(lines[count], "\n")] = '\0';
    status = tolmach_request_input(request, lines[count], TOLMACH_NUL_TERMINATED, &error);
  }
  if (status == TOLMACH_OK && count > 0)
    status = tolmach_session_open(client, request, &session, &error);
  while (status == TOLMACH_OK && session != NULL) {
    status = tolmach_session_poll(session, -1, &chunk, &error);
    if (status != TOLMACH_OK || chunk->kind != TOLMACH_CHUNK_EMBEDDING) continue;
    if (first == NULL && (first = malloc(chunk->bytes_len)) != NULL)
      memcpy(first, chunk->bytes, first_len = chunk->bytes_len);
    if (first != NULL && chunk->bytes_len == first_len && chunk->index < count)
      printf("%5.2f  %s\n", similarity(first, chunk->bytes, first_len), lines[chunk->index]);
  }
  if (session == NULL && status == TOLMACH_OK) fprintf(stderr, "embeddings: there are no lines\n");
  if (status < 0) fprintf(stderr, "embeddings: %s\n", tolmach_error_message(error).ptr);
  free(first);
  tolmach_error_free(error);
  tolmach_session_free(session);
  tolmach_request_free(request);
  tolmach_client_free(client);
  return status == TOLMACH_END ? 0 : 1;
}
