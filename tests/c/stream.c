/* stream URL [KEY=VALUE ...] [@REQUEST_JSON]: prints every chunk of an answer, how it
 * ended and the reply. The request "@-" is read from standard input. With TEST_MANY set it
 * takes many chunks at once, and writes how many to standard error. */
#include "check.h"

static const char *read_input(void) {
  static char text[8 << 20];
  text[fread(text, 1, sizeof text - 1, stdin)] = '\0';
  return text;
}

/* Whether `string` lies in the memory of `batch`, as it does where it is not empty. */
static int lies_in(const tolmach_batch *batch, tolmach_str string) {
  const char *end = batch->memory.ptr + batch->memory.len;
  return !string.len || (string.ptr >= batch->memory.ptr && string.ptr + string.len <= end);
}

/* Polls once and prints the chunks of it: one, or with TEST_MANY all that are there. */
static tolmach_status poll_once(tolmach_session *session, tolmach_error **error) {
  const tolmach_chunk *chunk = NULL;
  const tolmach_batch *batch = NULL;
  tolmach_status status;
  size_t i;
  if (!getenv("TEST_MANY")) {
    status = tolmach_session_poll(session, -1, &chunk, error);
    CHECK((status == TOLMACH_OK) == (chunk != NULL));
    if (chunk) print_chunk(chunk);
    return status;
  }
  status = tolmach_session_poll_many(session, -1, &batch, error);
  CHECK((status == TOLMACH_OK) == (batch != NULL));
  if (!batch) return status;
  CHECK(batch->count >= 1 && batch->count <= 256 && batch->chunk_size == sizeof *chunk);
  CHECK(batch->memory.ptr[batch->memory.len] == '\0');
  fprintf(stderr, "%lu\n", (unsigned long)batch->count);
  for (i = 0; i < batch->count; i++) {
    chunk = (const tolmach_chunk *)((const char *)batch->chunks + i * batch->chunk_size);
    CHECK(lies_in(batch, chunk->text) && lies_in(batch, chunk->id));
    CHECK(lies_in(batch, chunk->name) && lies_in(batch, chunk->mime));
    print_chunk(chunk);
  }
  return status;
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
  while (status == TOLMACH_OK) status = poll_once(session, &error);
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
