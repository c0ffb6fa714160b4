/* Gets an answer as JSON of a given form: json PROVIDER REVIEW [KEY=VALUE ...]
 *
 * Such as: json openai "The soup was cold, but what a view!" model=gpt-5.6-luna */
#include <stdio.h>
#include <string.h>
#include <tolmach.h>

static const char schema[] =
    "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"verdict\",\"strict\":true,\"schema\":"
    "{\"type\":\"object\",\"properties\":{"
    "\"mood\":{\"type\":\"string\",\"enum\":[\"good\",\"mixed\",\"bad\"]},"
    "\"stars\":{\"type\":\"integer\"}},"
    "\"required\":[\"mood\",\"stars\"],\"additionalProperties\":false}}}";

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

/* Reads {"mood":"good","stars":5}. A strict answer has the keys in the order of the schema, so
 * that this is enough here; use a JSON parser where there are strings of any text. */
static int read_verdict(const char *json, char mood[8], int *stars) {
  int end = 0;
  sscanf(json, " { \"mood\" : \"%7[a-z]\" , \"stars\" : %d } %n", mood, stars, &end);
  return end > 0 && json[end] == '\0' && *stars >= 1 && *stars <= 5 &&
         (!strcmp(mood, "good") || !strcmp(mood, "mixed") || !strcmp(mood, "bad"));
}

int main(int argc, char **argv) {
  static const char task[] = "Judge the review: its mood, and 1 to 5 stars. Answer in JSON.";
  tolmach_error *error = NULL;
  tolmach_client *client = NULL;
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  char mood[8] = "";
  int stars = 0, valid = 0;

  if (argc < 3) return fprintf(stderr, "usage: json PROVIDER REVIEW [KEY=VALUE ...]\n"), 2;
  status = open_client(argv[1], argv + 3, &client, &error);
  if (status == TOLMACH_OK) status = tolmach_request_new(NULL, &request, &error);
  if (status == TOLMACH_OK)
    status = tolmach_request_set(request, "response_format", schema, sizeof schema - 1, &error);
  if (status == TOLMACH_OK)
    status = tolmach_request_message(request, "system", task, TOLMACH_NUL_TERMINATED, &error);
  if (status == TOLMACH_OK)
    status = tolmach_request_message(request, "user", argv[2], TOLMACH_NUL_TERMINATED, &error);
  if (status == TOLMACH_OK) status = tolmach_session_open(client, request, &session, &error);
  while (status == TOLMACH_OK) {
    status = tolmach_session_poll(session, -1, &chunk, &error);
    if (status != TOLMACH_OK) break;
    if (chunk->kind == TOLMACH_CHUNK_REFUSAL) fputs(chunk->text.ptr, stderr);
    if (chunk->kind == TOLMACH_CHUNK_FINISH && strcmp(chunk->text.ptr, "stop") != 0)
      fprintf(stderr, "json: the answer ended early: %s\n", chunk->text.ptr);
  }
  if (status == TOLMACH_END) {
    const char *answer = tolmach_session_text(session).ptr;
    valid = read_verdict(answer, mood, &stars);
    if (valid) printf("%s, %d of 5 stars\n", mood, stars);
    else fprintf(stderr, "json: not a verdict: %s\n", answer);
  }
  if (status < 0) fprintf(stderr, "json: %s\n", tolmach_error_message(error).ptr);
  tolmach_error_free(error);
  tolmach_session_free(session);
  tolmach_request_free(request);
  tolmach_client_free(client);
  return valid ? 0 : 1;
}
