/* What Tolmach's programs share: a client and a session of it. */
#ifndef OPEN_H
#define OPEN_H

#include "../measure.h"

#include <tolmach.h>

static inline void check(tolmach_status status, tolmach_error **error) {
  if (status < 0) fail(tolmach_error_message(*error).ptr);
}

/* A client of `provider` at `url`, with settings KEY=VALUE. */
static inline tolmach_client *client_at(const char *provider, const char *url, char **settings, int count) {
  tolmach_error *error = NULL;
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  int i;
  check(tolmach_config_new(provider, &config, &error), &error);
  check(tolmach_config_set(config, "base_url", url, &error), &error);
  check(tolmach_config_set(config, "proxy", "direct", &error), &error);
  for (i = 0; i < count; i++) {
    char *value = strchr(settings[i], '=');
    if (!value) fail("KEY=VALUE is missing its value");
    *value = '\0';
    check(tolmach_config_set(config, settings[i], value + 1, &error), &error);
    *value = '=';
  }
  check(tolmach_client_new(config, &client, &error), &error);
  tolmach_config_free(config);
  return client;
}

static inline tolmach_session *ask(const tolmach_client *client) {
  tolmach_error *error = NULL;
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  check(tolmach_request_new("m", &request, &error), &error);
  check(tolmach_request_message(request, "user", "Hello", TOLMACH_NUL_TERMINATED, &error), &error);
  check(tolmach_session_open(client, request, &session, &error), &error);
  tolmach_request_free(request);
  return session;
}

/* Polls the first text of an answer. */
static inline void first_text(tolmach_session *session) {
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  do {
    status = tolmach_session_poll(session, -1, &chunk, &error);
    check(status, &error);
    if (status == TOLMACH_END) fail("no text");
  } while (chunk->kind != TOLMACH_CHUNK_TEXT);
}

#endif
