/* flood|paced URL: reads an answer by liter-llm-ffi. */
#define LITERLLM_FEATURE_NATIVE_HTTP 1
#include "../measure.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <liter_llm.h>

static void check(LITERLLMAlefHandle handle) {
  if (!handle) fail(literllm_last_error_context() ? literllm_last_error_context() : "liter-llm-ffi failed");
}

int main(int argc, char **argv) {
  LITERLLMAlefHandle client, request, stream, chunk;
  int finished = 0;
  measure m;
  if (argc < 3) fail("usage: liter-llm-ffi flood|paced URL");
  measure_start(&m, argv[1]);
  client = literllm_create_client("key", argv[2], 600, 0, NULL);
  check(client);
  request = literllm_chat_completion_request_from_json(
      "{\"model\":\"openai/m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],\"stream\":true}");
  check(request);
  stream = literllm_default_client_chat_stream_start(client, request);
  check(stream);
  while ((chunk = literllm_default_client_chat_stream_next(stream))) {
    /* The library gives a chunk's choices as JSON. */
    char *json = literllm_chat_completion_chunk_choices(chunk);
    cJSON *choices = cJSON_Parse(json ? json : "[]"), *choice;
    cJSON_ArrayForEach(choice, choices) {
      const cJSON *delta = cJSON_GetObjectItemCaseSensitive(choice, "delta");
      const cJSON *content = cJSON_GetObjectItemCaseSensitive(delta, "content");
      if (cJSON_IsString(content)) measure_text(&m, content->valuestring, strlen(content->valuestring));
      if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(choice, "finish_reason"))) finished = 1;
    }
    cJSON_Delete(choices);
    literllm_free_string(json);
    literllm_chat_completion_chunk_free(chunk);
    m.chunks++;
  }
  if (literllm_last_error_code() != 0) fail(literllm_last_error_context());
  if (!finished) fail("the answer stopped before its end");
  literllm_default_client_chat_stream_free(stream);
  literllm_chat_completion_request_free(request);
  literllm_default_client_free(client);
  measure_end(&m);
  return 0;
}
