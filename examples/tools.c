/* A model that calls tools, several at once: tools PROVIDER QUESTION [KEY=VALUE ...]
 * Such as: tools openai "Is it warmer in Oslo or in Bergen?" model=gpt-5.6-luna */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tolmach.h>

enum { ROUNDS = 8 }; /* a model that never stops calling is stopped */
#define SCHEMA "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}"

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

struct job {
  const tolmach_tool_call *call;
  char result[64];
  pthread_t thread;
  int has_thread;
};

/* Does what a call asks for. A wrong call is told to the model, which may try again. */
static void *work(void *argument) {
  struct job *job = argument;
  char city[64];
  if (strcmp(job->call->name.ptr, "weather") == 0 &&
      sscanf(job->call->arguments.ptr, " { \"city\" : \"%63[^\"]\"", city) == 1)
    sprintf(job->result, "%d degrees", (int)strlen(city)); /* a real tool would ask somebody */
  else
    strcpy(job->result, "error: the only tool is weather, and it needs a city");
  return NULL;
}

/* Runs all calls of an answer at once, and appends a result for each. */
static tolmach_status run_tools(const tolmach_session *session, tolmach_request *request,
                                tolmach_error **error) {
  size_t count = tolmach_session_tool_call_count(session), i;
  struct job *jobs = calloc(count, sizeof *jobs);
  tolmach_status status = TOLMACH_OK;
  if (jobs == NULL) return TOLMACH_E_NO_MEMORY;
  for (i = 0; i < count; i++) {
    jobs[i].call = tolmach_session_tool_call_get(session, i);
    jobs[i].has_thread = pthread_create(&jobs[i].thread, NULL, work, &jobs[i]) == 0;
    if (!jobs[i].has_thread) work(&jobs[i]);
  }
  for (i = 0; i < count; i++) {
    if (jobs[i].has_thread) pthread_join(jobs[i].thread, NULL);
    if (status == TOLMACH_OK)
      status = tolmach_request_tool_result(request, jobs[i].call->id.ptr, jobs[i].result,
                                           strlen(jobs[i].result), error);
  }
  return free(jobs), status;
}

int main(int argc, char **argv) {
  tolmach_error *error = NULL;
  tolmach_client *client = NULL;
  tolmach_request *request = NULL;
  tolmach_status status;
  size_t calls = 1, round;

  if (argc < 3) return fprintf(stderr, "usage: tools PROVIDER QUESTION [KEY=VALUE ...]\n"), 2;
  status = open_client(argv[1], argv + 3, &client, &error);
  if (status == TOLMACH_OK) status = tolmach_request_new(NULL, &request, &error);
  if (status == TOLMACH_OK)
    status = tolmach_request_tool(request, "weather", "The weather in a city",
                                  SCHEMA, TOLMACH_NUL_TERMINATED, &error);
  if (status == TOLMACH_OK)
    status = tolmach_request_message(request, "user", argv[2], TOLMACH_NUL_TERMINATED, &error);
  for (round = 0; round < ROUNDS && calls > 0 && status == TOLMACH_OK; round++) {
    tolmach_session *session = NULL;
    const tolmach_chunk *chunk = NULL;
    status = tolmach_session_open(client, request, &session, &error);
    while (status == TOLMACH_OK) status = tolmach_session_poll(session, -1, &chunk, &error);
    if (status == TOLMACH_END) status = tolmach_request_reply(request, session, &error);
    if (status == TOLMACH_OK) fputs(tolmach_session_text(session).ptr, stdout);
    calls = tolmach_session_tool_call_count(session);
    if (status == TOLMACH_OK && calls > 0) status = run_tools(session, request, &error);
    tolmach_session_free(session);
  }
  putchar('\n');
  if (status < 0) fprintf(stderr, "tools: %s\n", tolmach_error_message(error).ptr);
  else if (calls > 0) fprintf(stderr, "tools: no answer after %d rounds\n", ROUNDS);
  tolmach_error_free(error);
  tolmach_request_free(request);
  tolmach_client_free(client);
  return status == TOLMACH_OK && calls == 0 ? 0 : 1;
}
