/* requests URL: requests that are copied, cut, given tools and options of their own. Prints how
 * each session ended, or its reply. */
#include "check.h"

#define ALL TOLMACH_NUL_TERMINATED

/* A call that fails leaves the request as it was, and says `part` of why. */
#define REFUSED(request, part, call)                                        \
  do {                                                                      \
    tolmach_error *error = NULL;                                            \
    char before[4096];                                                      \
    snprintf(before, sizeof before, "%s", tolmach_request_json(request).ptr); \
    EXPECT(TOLMACH_E_ARGUMENT, call);                                       \
    if (!strstr(tolmach_error_message(error).ptr, part)) {                  \
      fprintf(stderr, "line %d: %s\n", __LINE__, tolmach_error_message(error).ptr); \
      exit(1);                                                              \
    }                                                                       \
    CHECK(!strcmp(before, tolmach_request_json(request).ptr));              \
    tolmach_error_free(error);                                              \
  } while (0)

static tolmach_request *said(const char *text) {
  tolmach_request *request = NULL;
  EXPECT(TOLMACH_OK, tolmach_request_new("m", &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", text, ALL, NULL));
  return request;
}

static int is(const tolmach_request *request, const char *json) {
  return !strcmp(tolmach_request_json(request).ptr, json);
}

static void copies_and_their_originals_are_apart(void) {
  tolmach_request *first = said("a"), *copy = NULL;
  EXPECT(TOLMACH_OK, tolmach_request_clone(first, &copy, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(copy, "user", "b", ALL, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_set_string(first, "model", "n", ALL, NULL));
  CHECK(tolmach_request_count(first) == 1 && tolmach_request_count(copy) == 2);
  CHECK(is(first, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"model\":\"n\"}"));
  CHECK(strstr(tolmach_request_json(copy).ptr, "\"model\":\"m\""));
  tolmach_request_free(first);
  CHECK(tolmach_request_count(copy) == 2);
  tolmach_request_free(copy);
}

static void turns_are_undone(void) {
  tolmach_request *request = said("a");
  size_t before = tolmach_request_count(request);
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "b", ALL, NULL));
  CHECK(strstr(tolmach_request_json(request).ptr, "\"b\""));
  EXPECT(TOLMACH_OK, tolmach_request_truncate(request, 7, NULL));
  CHECK(tolmach_request_count(request) == 2);
  EXPECT(TOLMACH_OK, tolmach_request_truncate(request, before, NULL));
  CHECK(is(request, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"model\":\"m\"}"));
  EXPECT(TOLMACH_OK, tolmach_request_truncate(request, 0, NULL));
  CHECK(tolmach_request_count(request) == 0 && is(request, "{\"messages\":[],\"model\":\"m\"}"));
  tolmach_request_free(request);
}

static void strings_need_no_quotes(void) {
  tolmach_request *request = NULL;
  EXPECT(TOLMACH_OK, tolmach_request_new(NULL, &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_set_string(request, "tool_choice", "auto", ALL, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_set_string(request, "user", "say \"hi\"\n", ALL, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_set_string(request, "user", "a\"\0b", 4, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_set_string(request, "stop", "", 0, NULL));
  CHECK(is(request, "{\"messages\":[],\"tool_choice\":\"auto\",\"user\":\"a\\\"\\u0000b\",\"stop\":\"\"}"));
  REFUSED(request, "\"stream\"", tolmach_request_set_string(request, "stream", "true", ALL, &error));
  REFUSED(request, "\"messages\"", tolmach_request_set_string(request, "messages", "x", ALL, &error));
  REFUSED(request, "name", tolmach_request_set_string(request, "", "x", ALL, &error));
  REFUSED(request, "UTF-8", tolmach_request_set_string(request, "a", "\xff", ALL, &error));
  REFUSED(request, "NULL", tolmach_request_set_string(request, "a", NULL, 0, &error));
  tolmach_request_free(request);
}

static void tools_need_no_json_around_them(void) {
  static const char schema[] = "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}";
  tolmach_request *request = NULL;
  EXPECT(TOLMACH_OK, tolmach_request_new(NULL, &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_tool(request, "weather", "Old.", NULL, 0, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_tool(request, "now", NULL, NULL, 0, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_tool(request, "weather", "The \"weather\".", schema, ALL, NULL));
  CHECK(is(request,
           "{\"messages\":[],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\","
           "\"description\":\"The \\\"weather\\\".\",\"parameters\":{\"type\":\"object\","
           "\"properties\":{\"city\":{\"type\":\"string\"}}}}},{\"type\":\"function\",\"function\":"
           "{\"name\":\"now\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}]}"));
  REFUSED(request, "name of a tool", tolmach_request_tool(request, "", NULL, NULL, 0, &error));
  REFUSED(request, "name of a tool", tolmach_request_tool(request, "a b", NULL, NULL, 0, &error));
  REFUSED(request, "not JSON", tolmach_request_tool(request, "a", NULL, "{", ALL, &error));
  REFUSED(request, "object", tolmach_request_tool(request, "a", NULL, "[]", ALL, &error));
  REFUSED(request, "NULL", tolmach_request_tool(request, NULL, NULL, NULL, 0, &error));
  EXPECT(TOLMACH_OK, tolmach_request_set(request, "tools", "7", ALL, NULL));
  REFUSED(request, "array", tolmach_request_tool(request, "a", NULL, NULL, 0, &error));
  tolmach_request_free(request);
}

static void only_options_of_a_request_are_taken(void) {
  tolmach_request *request = said("a");
  REFUSED(request, "same for all requests", tolmach_request_option(request, "proxy", "direct", &error));
  REFUSED(request, "not an option", tolmach_request_option(request, "api_key", "k", &error));
  REFUSED(request, "idle_timeout_ms", tolmach_request_option(request, "", "1", &error));
  REFUSED(request, "milliseconds", tolmach_request_option(request, "idle_timeout_ms", "0", &error));
  REFUSED(request, "line break", tolmach_request_option(request, "headers", "{\"A\":\"b\\nc\"}", &error));
  REFUSED(request, "NULL", tolmach_request_option(request, NULL, "1", &error));
  EXPECT(TOLMACH_OK, tolmach_request_option(request, "max_retries", "0", NULL));
  CHECK(!strstr(tolmach_request_json(request).ptr, "max_retries"));
  tolmach_request_free(request);
}

static void null_is_an_error(void) {
  tolmach_request *request = (tolmach_request *)&request;
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_clone(NULL, &request, NULL));
  CHECK(request == NULL && tolmach_request_count(NULL) == 0);
  request = said("a");
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_clone(request, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_truncate(NULL, 0, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_set_string(NULL, "a", "b", ALL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_tool(NULL, "a", NULL, NULL, 0, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_option(NULL, "max_retries", "1", NULL));
  tolmach_request_free(request);
}

static void transient_statuses_are_told(void) {
  CHECK(tolmach_status_is_transient(TOLMACH_E_CONNECT) && tolmach_status_is_transient(TOLMACH_E_RATE_LIMITED));
  CHECK(tolmach_status_is_transient(TOLMACH_E_TRUNCATED) && tolmach_status_is_transient(TOLMACH_E_SERVER));
  CHECK(!tolmach_status_is_transient(TOLMACH_OK) && !tolmach_status_is_transient(TOLMACH_PENDING));
  CHECK(!tolmach_status_is_transient(TOLMACH_E_AUTH) && !tolmach_status_is_transient(TOLMACH_E_ARGUMENT));
  CHECK(!tolmach_status_is_transient(TOLMACH_E_BUSY) && !tolmach_status_is_transient(TOLMACH_E_NO_MEMORY));
  CHECK(!tolmach_status_is_transient(TOLMACH_E_CANCELLED) && !tolmach_status_is_transient(-1000));
}

/* Asks `text` with an option, or without one where `key` is NULL. */
static void answer(const tolmach_client *client, const char *text, const char *key, const char *value) {
  tolmach_request *request = said(text), *copy = NULL;
  tolmach_session *session = NULL;
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  int raw = 0;
  if (key) EXPECT(TOLMACH_OK, tolmach_request_option(request, key, value, NULL));
  /* The options of a request are those of its copy as well. */
  EXPECT(TOLMACH_OK, tolmach_request_clone(request, &copy, NULL));
  EXPECT(TOLMACH_OK, tolmach_session_open(client, copy, &session, NULL));
  while ((status = tolmach_session_poll(session, -1, &chunk, &error)) == TOLMACH_OK)
    raw += chunk->kind == TOLMACH_CHUNK_RAW;
  printf("%s %d %s %s\n", tolmach_status_name(status), raw, tolmach_session_reply(session).ptr,
         tolmach_error_message(error).ptr);
  tolmach_error_free(error);
  tolmach_session_free(session);
  tolmach_request_free(copy);
  tolmach_request_free(request);
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  CHECK(argc == 2);
  copies_and_their_originals_are_apart();
  turns_are_undone();
  strings_need_no_quotes();
  tools_need_no_json_around_them();
  only_options_of_a_request_are_taken();
  null_is_an_error();
  transient_statuses_are_told();
  answer(client, "silence", "total_timeout_ms", "200");
  answer(client, "silence", "first_byte_timeout_ms", "200");
  answer(client, "half", "idle_timeout_ms", "200");
  answer(client, "fail", "max_retries", "0");
  answer(client, "fail", "max_retries", "1");
  answer(client, "headers", "headers", "{\"X-Tenant\":\"of-the-request\",\"X-More\":\"secret-of-request\"}");
  answer(client, "headers", NULL, NULL);
  answer(client, "talk", "max_reply_bytes", "3");
  answer(client, "talk", "raw_chunks", "true");
  answer(client, "talk", "raw_chunks", NULL);
  tolmach_client_free(client);
  return 0;
}
