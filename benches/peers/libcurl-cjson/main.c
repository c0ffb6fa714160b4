/* flood|paced URL: reads an answer by libcurl and cJSON. */
#include "../measure.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>

typedef struct reader {
  measure *m;
  char *data;
  size_t begin, end, room;
  int done, finished;
  const char *error;
} reader;

static void event(reader *r, const char *json, size_t len) {
  cJSON *document = cJSON_ParseWithLength(json, len), *choice, *error;
  if (!document) {
    r->error = "an event is not JSON";
    return;
  }
  error = cJSON_GetObjectItemCaseSensitive(document, "error");
  if (error && !cJSON_IsNull(error)) r->error = "the provider failed";
  cJSON_ArrayForEach(choice, cJSON_GetObjectItemCaseSensitive(document, "choices")) {
    const cJSON *delta = cJSON_GetObjectItemCaseSensitive(choice, "delta");
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(delta, "content");
    if (cJSON_IsString(content)) measure_text(r->m, content->valuestring, strlen(content->valuestring));
    if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(choice, "finish_reason"))) r->finished = 1;
  }
  cJSON_Delete(document);
  r->m->chunks++;
}

static void line(reader *r, const char *text, size_t len) {
  if (len > 0 && text[len - 1] == '\r') len--;
  if (len < 5 || memcmp(text, "data:", 5) != 0) return;
  text += 5, len -= 5;
  if (len > 0 && *text == ' ') text++, len--;
  if (len == 6 && memcmp(text, "[DONE]", 6) == 0) {
    r->done = 1;
  } else {
    event(r, text, len);
  }
}

static size_t on_body(char *bytes, size_t size, size_t len, void *user) {
  reader *r = user;
  char *start, *stop, *next;
  (void)size;
  if (r->end + len > r->room) {
    memmove(r->data, r->data + r->begin, r->end - r->begin);
    r->end -= r->begin, r->begin = 0;
    if (r->end + len > r->room) {
      r->room = 2 * (r->end + len);
      r->data = realloc(r->data, r->room);
    }
  }
  memcpy(r->data + r->end, bytes, len);
  r->end += len;
  start = r->data + r->begin, stop = r->data + r->end;
  while ((next = memchr(start, '\n', (size_t)(stop - start)))) {
    line(r, start, (size_t)(next - start));
    start = next + 1;
  }
  r->begin = (size_t)(start - r->data);
  if (r->begin == r->end) r->begin = r->end = 0;
  return r->error ? 0 : len;
}

int main(int argc, char **argv) {
  char url[512];
  measure m;
  reader r = {.m = &m, .room = 64 * 1024};
  struct curl_slist *headers = NULL;
  CURL *curl;
  CURLcode code;
  if (argc < 3) fail("usage: libcurl-cjson flood|paced URL");
  measure_start(&m, argv[1]);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  r.data = malloc(r.room);
  curl = curl_easy_init();
  snprintf(url, sizeof url, "%s/chat/completions", argv[2]);
  headers = curl_slist_append(headers, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Accept: text/event-stream");
  headers = curl_slist_append(headers, "Authorization: Bearer key");
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                   "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],\"stream\":true}");
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &r);
  code = curl_easy_perform(curl);
  if (r.error) fail(r.error);
  if (code != CURLE_OK) fail(curl_easy_strerror(code));
  if (!r.done || !r.finished) fail("the answer stopped before its end");
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  free(r.data);
  measure_end(&m);
  return 0;
}
