/* raw URL METHOD PATH [CONTENT_TYPE [BODY]]: makes a raw call; prints its chunks, and the bytes of
 * their bodies in hexadecimal. A content type of "-" is NULL, and a body of "@" some bytes that
 * are no text. */
#include "check.h"

static const unsigned char binary[] = {0, 1, 0xff, 0xfe, '\r', '\n', 0, 0x1f, 0x8b};

static void wrong_use(const tolmach_client *client) {
  tolmach_session *session = (tolmach_session *)&session;
  tolmach_error *error = NULL;
  static const char *const paths[] = {"",         "x",      "//evil.org/x", "http://evil.org/", "/\\evil.org",
                                      "/a\r\nX: y", "/a b",   "/..",          "/%2e./x",          "/a#b",
                                      "@evil.org",  ":80/x",  "/\xc3\xa9",    "/\xff"};
  size_t i;
  for (i = 0; i < sizeof paths / sizeof *paths; i++) {
    EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "GET", paths[i], NULL, NULL, 0, &session, &error));
    CHECK(session == NULL && tolmach_error_message(error).len > 0);
    tolmach_error_free(error);
    error = NULL;
  }
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(NULL, "GET", "/x", NULL, NULL, 0, &session, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, NULL, "/x", NULL, NULL, 0, &session, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "GET", NULL, NULL, NULL, 0, &session, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "GET", "/x", NULL, NULL, 0, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "GET", "/x", NULL, "x", 1, &session, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "get", "/x", NULL, NULL, 0, &session, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "\xff", "/x", NULL, NULL, 0, &session, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "POST", "/x", NULL, NULL, 1, &session, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "POST", "/x", NULL, NULL, TOLMACH_NUL_TERMINATED, &session, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "POST", "/x", NULL, "x", SIZE_MAX - 1, &session, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "POST", "/x", "a\r\nX: y", "x", 1, &session, NULL));
  CHECK(session == NULL);
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  tolmach_session *session = NULL;
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  const char *type = argc > 4 && strcmp(argv[4], "-") ? argv[4] : NULL;
  const void *body = argc > 5 ? argv[5] : NULL;
  size_t len = body ? TOLMACH_NUL_TERMINATED : 0, total = 0, i;
  tolmach_status status;

  wrong_use(client);
  if (body && !strcmp(body, "@")) body = binary, len = sizeof binary;
  EXPECT(TOLMACH_OK, tolmach_session_open_raw(client, argv[2], argv[3], type, body, len, &session, &error));
  tolmach_client_free(client);
  while ((status = tolmach_session_poll(session, -1, &chunk, &error)) == TOLMACH_OK) {
    CHECK(chunk->kind == TOLMACH_CHUNK_BODY && chunk->text.len == 0);
    if (total == 0) printf("%s ", chunk->mime.ptr);
    for (i = 0; i < chunk->bytes_len && total + i < 64; i++) printf("%02x", chunk->bytes[i]);
    total += chunk->bytes_len;
    if (getenv("TEST_STEPS")) {
      printf("\n");
      await_line("piece");
    }
  }
  printf("\n");
  if (error != NULL) print_error(error);
  CHECK(tolmach_session_reply(session).len == 0);
  printf("%s %lu bytes, attempts=%d\n", tolmach_status_name(status), (unsigned long)total,
         (int)tolmach_session_info_get(session)->attempts);
  tolmach_session_free(session);
  return 0;
}
