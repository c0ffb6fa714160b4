/* misuse URL: wrong arguments of every kind get the documented status. The server at URL
 * answers requests at once, but those without messages never. */
#include "check.h"

#include <pthread.h>

#define BAD "\xff\xfe"

static void *poll_for_ever(void *session) {
  const tolmach_chunk *chunk;
  tolmach_status status;
  do { /* the other thread may be inside at the moment */
    status = tolmach_session_poll(session, -1, &chunk, NULL);
  } while (status == TOLMACH_E_BUSY);
  EXPECT(TOLMACH_E_CANCELLED, status);
  return NULL;
}

/* What a call that failed must not call. */
static void never(void *user) {
  CHECK(user == &user);
}

/* A failed call gives an error that says something, and takes the handle back. */
static void failed(tolmach_error **error, const void *handle) {
  CHECK(handle == NULL);
  CHECK(*error != NULL && tolmach_error_message(*error).len > 0);
  CHECK(tolmach_error_status(*error) == TOLMACH_E_ARGUMENT);
  CHECK(tolmach_error_http_status(*error) == 0 && tolmach_error_retry_after_ms(*error) == -1);
  tolmach_error_free(*error);
  *error = NULL;
}

static void status_names_are_known(void) {
  tolmach_status status;
  for (status = -22; status <= 2; status++) CHECK(!strncmp(tolmach_status_name(status), "TOLMACH_", 8));
  CHECK(!strcmp(tolmach_status_name(-23), "unknown status"));
  CHECK(!strcmp(tolmach_status_name(TOLMACH_E_TIMEOUT), "TOLMACH_E_TIMEOUT"));
}

static void null_errors_and_objects_say_nothing(void) {
  CHECK(tolmach_error_status(NULL) == TOLMACH_OK && tolmach_error_http_status(NULL) == 0);
  CHECK(tolmach_error_message(NULL).len == 0 && tolmach_error_message(NULL).ptr[0] == '\0');
  CHECK(tolmach_error_provider_code(NULL).len == 0 && tolmach_error_request_id(NULL).len == 0);
  CHECK(tolmach_error_body(NULL).len == 0 && tolmach_error_retry_after_ms(NULL) == -1);
  CHECK(tolmach_models_count(NULL) == 0 && tolmach_models_get(NULL, 0) == NULL);
  CHECK(tolmach_request_json(NULL).len == 0 && tolmach_session_reply(NULL).len == 0);
  CHECK(tolmach_session_text(NULL).len == 0 && tolmach_session_text(NULL).ptr[0] == '\0');
  CHECK(tolmach_session_tool_call_count(NULL) == 0 && tolmach_session_tool_call_get(NULL, 0) == NULL);
  CHECK(tolmach_session_info_get(NULL) == NULL);
  CHECK(tolmach_session_header(NULL, "date").ptr == NULL && tolmach_session_header(NULL, NULL).len == 0);
  CHECK(tolmach_session_fd(NULL) == -1);
  tolmach_session_cancel(NULL);
  tolmach_error_free(NULL);
  tolmach_config_free(NULL);
  tolmach_client_free(NULL);
  tolmach_models_free(NULL);
  tolmach_request_free(NULL);
  tolmach_session_free(NULL);
  tolmach_log_set(NULL, NULL, NULL, 5);
}

static void providers_are_found_by_name(void) {
  const tolmach_provider *openai = tolmach_provider_find("openai");
  CHECK(tolmach_provider_count() >= 1 && openai != NULL);
  CHECK(!strcmp(openai->base_url.ptr, "https://api.openai.com/v1"));
  CHECK(openai->capabilities & TOLMACH_CAN_STREAM);
  CHECK(tolmach_provider_get(0) != NULL && tolmach_provider_get(tolmach_provider_count()) == NULL);
  CHECK(tolmach_provider_get(SIZE_MAX) == NULL);
  CHECK(tolmach_provider_find("nobody") == NULL && tolmach_provider_find(NULL) == NULL);
  CHECK(tolmach_provider_find(BAD) == NULL);
}

static void wrong_configs_are_refused(void) {
  static char deep[100001];
  tolmach_config *config = (tolmach_config *)&config;
  tolmach_client *client = (tolmach_client *)&client;
  tolmach_error *error = NULL;
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_new(NULL, &config, &error));
  failed(&error, config);
  config = (tolmach_config *)&config;
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_new("nobody", &config, &error));
  failed(&error, config);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_new(BAD, &config, &error));
  failed(&error, config);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_new("openai", NULL, NULL));
  memset(deep, '[', sizeof deep - 1);
  EXPECT(TOLMACH_OK, tolmach_config_new("openai", &config, &error));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_set(config, "no_such_key", "1", &error));
  CHECK(strstr(tolmach_error_message(error).ptr, "api_key") != NULL);
  failed(&error, NULL);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_set(config, NULL, "1", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_set(NULL, "model", "1", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_set(config, BAD, "1", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_set(config, "headers", deep, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_set(config, "model", BAD, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_set(config, "idle_timeout_ms", "0", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_set(config, "headers", "{\"A\":\"b\\r\\nC: d\"}", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "model", NULL, NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "ca_file", "/no/such/file", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "api_key", "k", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_client_new(config, &client, &error));
  failed(&error, client);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_client_new(NULL, &client, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_client_new(config, NULL, NULL));
  tolmach_config_free(config);
}

static void wrong_requests_are_refused(void) {
  tolmach_request *request = (tolmach_request *)&request;
  tolmach_error *error = NULL;
  char *deep = malloc(100001);
  memset(deep, '[', 100000);
  deep[100000] = '\0';
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_new(BAD, &request, &error));
  failed(&error, request);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_new("m", NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_from_json("[]", 2, &request, &error));
  failed(&error, request);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_from_json("{\"messages\":", TOLMACH_NUL_TERMINATED, &request, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_from_json("{\"messages\":[1]}", TOLMACH_NUL_TERMINATED, &request, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_from_json(NULL, 5, &request, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_from_json(NULL, 0, &request, &error));
  CHECK(strstr(tolmach_error_message(error).ptr, "NULL") != NULL);
  failed(&error, request);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_from_json(NULL, TOLMACH_NUL_TERMINATED, &request, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_from_json(BAD, 2, &request, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_from_json(deep, 100000, &request, &error));
  failed(&error, request);

  EXPECT(TOLMACH_OK, tolmach_request_new(NULL, &request, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach(request, "\x89PNG\r\n\x1a\n", 8, NULL, &error));
  failed(&error, NULL);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_message(NULL, "user", "x", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_message(request, NULL, "x", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_message(request, "usr", "x", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_message(request, "user", NULL, 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_message(request, "user", BAD, 2, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_message(request, "user", "x", SIZE_MAX - 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_message(request, "user", NULL, 0, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_message(request, "user", NULL, TOLMACH_NUL_TERMINATED, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "", 0, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "a\0b", 3, NULL));
  CHECK(strstr(tolmach_request_json(request).ptr, "a\\u0000b") != NULL);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach(request, "????", 4, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach(request, NULL, 4, "image/png", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach(request, NULL, 0, "image/png", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach(request, "", 0, "image/png", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach(request, "x", 1, "text/plain", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach_url(request, "file:///etc/passwd", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach_url(request, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach_url(request, "https://", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach_url(request, "data:image/png;base64,", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_tool_result(request, "", "x", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_tool_result(request, NULL, "x", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_tool_result(request, "id", NULL, 0, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_tool_result(request, "id", "", 0, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_set(request, "temperature", "warm", 4, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_set(request, "temperature", NULL, 0, &error));
  CHECK(strstr(tolmach_error_message(error).ptr, "NULL") != NULL);
  failed(&error, NULL);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_set(request, "tool_choice", "auto", 4, &error));
  CHECK(strstr(tolmach_error_message(error).ptr, "\"\\\"auto\\\"\"") != NULL);
  failed(&error, NULL);
  EXPECT(TOLMACH_OK, tolmach_request_set(request, "tool_choice", "\"auto\"", 6, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_set(request, "", "1", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_set(request, "tools", deep, 100000, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_reply(request, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_set(request, NULL, "1", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_set(NULL, "n", "1", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach(NULL, "GIF89a", 6, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach_url(NULL, "https://a.b/c.png", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_attach_url(request, "https://a.b/" BAD, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_tool_result(NULL, "id", "x", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_tool_result(request, BAD, "x", 1, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_from_json("{}", 2, NULL, NULL));
  tolmach_request_free(request);
  free(deep);
}

static void sessions_are_for_one_thread_at_a_time(const char *url) {
  tolmach_client *client = client_at(url);
  tolmach_request *request = NULL;
  tolmach_session *session = (tolmach_session *)&session;
  tolmach_error *error = NULL;
  const tolmach_batch *batch = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_models *models = (tolmach_models *)&models;
  struct timespec moment = {0, 1000 * 1000};
  tolmach_status status;
  pthread_t thread;

  EXPECT(TOLMACH_OK, tolmach_request_new("m", &request, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open(NULL, request, &session, &error));
  failed(&error, session);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open(client, NULL, &session, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open(client, request, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_client_models(NULL, -1, &models, &error));
  failed(&error, models);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_client_models(client, -5, &models, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_client_models(client, -1, NULL, NULL));

  session = (tolmach_session *)&session;
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_models(NULL, &session, &error));
  failed(&error, session);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_models(client, NULL, &error));
  failed(&error, NULL);

  EXPECT(TOLMACH_OK, tolmach_session_open(client, request, &session, NULL));
  EXPECT(TOLMACH_PENDING, tolmach_session_poll(session, 0, &chunk, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_poll(session, -2, &chunk, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_poll(session, 0, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_poll(NULL, 0, &chunk, NULL));
  EXPECT(TOLMACH_PENDING, tolmach_session_poll_many(session, 0, &batch, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_poll_many(session, -2, &batch, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_poll_many(session, 0, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_poll_many(NULL, 0, &batch, &error));
  failed(&error, batch);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_on_ready(NULL, NULL, NULL, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_on_ready(NULL, never, NULL, never, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_reply(NULL, session, NULL));
  CHECK(pthread_create(&thread, NULL, poll_for_ever, session) == 0);
  do { /* until the other thread is inside */
    nanosleep(&moment, NULL);
    status = tolmach_session_poll(session, 0, &chunk, &error);
  } while (status == TOLMACH_PENDING);
  CHECK(status == TOLMACH_E_BUSY && tolmach_error_status(error) == TOLMACH_E_BUSY);
  tolmach_error_free(error);
  EXPECT(TOLMACH_E_BUSY, tolmach_session_poll_many(session, 0, &batch, NULL));
  CHECK(tolmach_session_reply(session).len == 0 && tolmach_session_text(session).len == 0);
  CHECK(tolmach_session_tool_call_get(session, 0) == NULL);
  CHECK(tolmach_session_tool_call_get(session, SIZE_MAX) == NULL);
  CHECK(tolmach_session_header(session, NULL).ptr == NULL);
  CHECK(tolmach_session_header(session, BAD).ptr == NULL);
  CHECK(tolmach_session_header(session, "content-type").ptr == NULL);
  tolmach_session_cancel(session);
  CHECK(pthread_join(thread, NULL) == 0);
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll(session, -1, &chunk, NULL));
  EXPECT(TOLMACH_E_CANCELLED, tolmach_session_poll_many(session, -1, &batch, NULL));
  CHECK(batch == NULL);
  tolmach_session_free(session);
  tolmach_request_free(request);
  tolmach_client_free(client);
}

/* Everything may be freed while the session runs, and in any order. */
static void the_order_of_frees_is_irrelevant(const char *url) {
  tolmach_client *client = client_at(url);
  tolmach_session *first = ask(client, "Hi");
  tolmach_session *second = ask(client, "Hi");
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_client_free(client);
  tolmach_session_free(first);
  while (tolmach_session_poll(second, -1, &chunk, &error) == TOLMACH_OK) CHECK(chunk != NULL);
  CHECK(error == NULL && chunk == NULL);
  EXPECT(TOLMACH_END, tolmach_session_poll(second, -1, &chunk, NULL));
  tolmach_session_cancel(second); /* too late to matter */
  EXPECT(TOLMACH_END, tolmach_session_poll(second, -1, &chunk, NULL));
  tolmach_session_free(second);
}

int main(int argc, char **argv) {
  status_names_are_known();
  null_errors_and_objects_say_nothing();
  providers_are_found_by_name();
  wrong_configs_are_refused();
  wrong_requests_are_refused();
  sessions_are_for_one_thread_at_a_time(argv[argc - 1]);
  the_order_of_frees_is_irrelevant(argv[argc - 1]);
  return 0;
}
