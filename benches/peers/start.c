/* tolmach|libcurl LIBRARY URL: the time from dlopen() until the server has the request, and
 * the same for a second request on the connection that is open then. The server says when
 * it had the request, in the text of its answer. */
#include "measure.h"

#include <tolmach.h>

#ifdef __has_include
#if __has_include(<curl/curl.h>)
#define HAS_LIBCURL 1
#include <curl/curl.h>
#endif
#endif

static void *library;

static void *function(const char *name) {
  void *found = dlsym(library, name);
  if (!found) fail(name);
  return found;
}

/* Declares a variable of the function's own name and type. */
#define LOAD(name) __typeof__(&name) load_##name = (__typeof__(&name))function(#name)

static void tolmach(const char *url, int64_t stamps[2], int64_t starts[2]) {
  LOAD(tolmach_config_new);
  LOAD(tolmach_config_set);
  LOAD(tolmach_client_new);
  LOAD(tolmach_request_new);
  LOAD(tolmach_request_message);
  LOAD(tolmach_session_open);
  LOAD(tolmach_session_poll);
  LOAD(tolmach_session_free);
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  int i;
  if (load_tolmach_config_new("openai", &config, NULL) || load_tolmach_config_set(config, "base_url", url, NULL) ||
      load_tolmach_config_set(config, "proxy", "direct", NULL) || load_tolmach_config_set(config, "api_key", "key", NULL) ||
      load_tolmach_client_new(config, &client, NULL))
    fail("no client");
  for (i = 0; i < 2; i++) {
    tolmach_request *request = NULL;
    tolmach_session *session = NULL;
    const tolmach_chunk *chunk = NULL;
    if (i > 0) starts[i] = now_ns();
    if (load_tolmach_request_new("m", &request, NULL) ||
        load_tolmach_request_message(request, "user", "Hello", TOLMACH_NUL_TERMINATED, NULL) ||
        load_tolmach_session_open(client, request, &session, NULL))
      fail("no session");
    while (load_tolmach_session_poll(session, -1, &chunk, NULL) == TOLMACH_OK)
      if (chunk->kind == TOLMACH_CHUNK_TEXT) stamps[i] = atoll(chunk->text.ptr);
    load_tolmach_session_free(session);
  }
}

#ifdef HAS_LIBCURL
typedef struct body {
  char text[4096];
  size_t len;
} body;

static size_t on_body(char *bytes, size_t size, size_t len, void *user) {
  body *b = (body *)user;
  (void)size;
  if (b->len + len >= sizeof b->text) return 0;
  memcpy(b->text + b->len, bytes, len);
  b->len += len;
  b->text[b->len] = '\0';
  return len;
}

static void libcurl(const char *url, int64_t stamps[2], int64_t starts[2]) {
  LOAD(curl_global_init);
  LOAD(curl_easy_init);
  LOAD(curl_easy_setopt);
  LOAD(curl_easy_perform);
  LOAD(curl_slist_append);
  struct curl_slist *headers = NULL;
  char whole[512];
  CURL *curl;
  int i;
  snprintf(whole, sizeof whole, "%s/chat/completions", url);
  load_curl_global_init(CURL_GLOBAL_DEFAULT);
  curl = load_curl_easy_init();
  headers = load_curl_slist_append(headers, "Content-Type: application/json");
  headers = load_curl_slist_append(headers, "Accept: text/event-stream");
  headers = load_curl_slist_append(headers, "Authorization: Bearer key");
  (load_curl_easy_setopt)(curl, CURLOPT_URL, whole);
  (load_curl_easy_setopt)(curl, CURLOPT_PROXY, "");
  (load_curl_easy_setopt)(curl, CURLOPT_HTTPHEADER, headers);
  (load_curl_easy_setopt)(curl, CURLOPT_FAILONERROR, 1L);
  (load_curl_easy_setopt)(curl, CURLOPT_WRITEFUNCTION, on_body);
  for (i = 0; i < 2; i++) {
    body answer = {"", 0};
    const char *text;
    if (i > 0) starts[i] = now_ns();
    (load_curl_easy_setopt)(curl, CURLOPT_POSTFIELDS,
                            "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],\"stream\":true}");
    (load_curl_easy_setopt)(curl, CURLOPT_WRITEDATA, &answer);
    if (load_curl_easy_perform(curl) != CURLE_OK) fail("no answer");
    for (text = answer.text; (text = strstr(text, "\"content\":\"")) != NULL;) {
      text += strlen("\"content\":\"");
      if (atoll(text) > 0) stamps[i] = atoll(text);
    }
  }
}

#else
static void libcurl(const char *url, int64_t stamps[2], int64_t starts[2]) {
  (void)url, (void)stamps, (void)starts;
  fail("it was not installed when this was compiled");
}
#endif

int main(int argc, char **argv) {
  int64_t stamps[2] = {0, 0}, starts[2];
  if (argc < 4) fail("usage: start tolmach|libcurl LIBRARY URL");
  starts[0] = now_ns();
  library = dlopen(argv[2], RTLD_NOW);
  if (!library) fail(dlerror());
  (strcmp(argv[1], "tolmach") == 0 ? tolmach : libcurl)(argv[3], stamps, starts);
  if (!stamps[0] || !stamps[1]) fail("no stamp");
  printf("first=%lld second=%lld\n", (long long)(stamps[0] - starts[0]), (long long)(stamps[1] - starts[1]));
  return 0;
}
