/* embed URL [JSON]: asks for the embeddings of three texts, or what JSON asks for, and prints the
 * chunks, and the floats of each. */
#include "check.h"

#define BAD "\xff\xfe"

/* A request for embeddings takes no messages, and the other way round. */
static void wrong_use(void) {
  tolmach_request *request = NULL, *copy = NULL;
  tolmach_error *error = NULL;
  EXPECT(TOLMACH_OK, tolmach_request_new("m", &request, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_input(NULL, "a", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_input(request, NULL, 0, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_input(request, NULL, TOLMACH_NUL_TERMINATED, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_input(request, BAD, 2, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_input(request, "a", SIZE_MAX - 1, NULL));
  CHECK(tolmach_request_count(request) == 0);
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "Hi", 2, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_input(request, "a", 1, &error));
  CHECK(strstr(tolmach_error_message(error).ptr, "embeddings") != NULL);
  tolmach_error_free(error);
  EXPECT(TOLMACH_OK, tolmach_request_truncate(request, 0, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_input(request, "a", 1, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_input(request, "", 0, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_message(request, "user", "Hi", 2, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_clone(request, &copy, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_truncate(copy, 1, NULL));
  CHECK(tolmach_request_count(request) == 2 && tolmach_request_count(copy) == 1);
  CHECK(!strcmp(tolmach_request_json(copy).ptr, "{\"model\":\"m\",\"input\":[\"a\"]}"));
  tolmach_request_free(copy);
  tolmach_request_free(request);
}

static void print_floats(const tolmach_chunk *chunk) {
  size_t i;
  CHECK(chunk->bytes_len % 4 == 0);
  for (i = 0; i < chunk->bytes_len; i += 4) {
    const unsigned char *b = chunk->bytes + i;
    uint32_t bits = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    float number;
    memcpy(&number, &bits, 4);
    printf("%s%g", i ? " " : "", (double)number);
  }
  printf("\n");
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;

  wrong_use();
  if (argc > 2) {
    EXPECT(TOLMACH_OK, tolmach_request_from_json(argv[2], TOLMACH_NUL_TERMINATED, &request, NULL));
  } else {
    EXPECT(TOLMACH_OK, tolmach_request_new("embedder", &request, NULL));
    EXPECT(TOLMACH_OK, tolmach_request_input(request, "one", TOLMACH_NUL_TERMINATED, NULL));
    EXPECT(TOLMACH_OK, tolmach_request_input(request, "two", 3, NULL));
    EXPECT(TOLMACH_OK, tolmach_request_input(request, "three", 5, NULL));
    EXPECT(TOLMACH_OK, tolmach_request_set(request, "dimensions", "2", 1, NULL));
  }
  EXPECT(TOLMACH_OK, tolmach_session_open(client, request, &session, NULL));
  tolmach_request_free(request);
  while ((status = tolmach_session_poll(session, -1, &chunk, &error)) == TOLMACH_OK) {
    print_chunk(chunk);
    if (chunk->kind == TOLMACH_CHUNK_EMBEDDING) print_floats(chunk);
  }
  if (error != NULL) print_error(error);
  CHECK(tolmach_session_reply(session).len == 0);
  printf("%s %s\n", tolmach_status_name(status), tolmach_session_info_get(session)->model.ptr);
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
