/* flood|paced URL: reads an answer by aimux-ffi. */
#include "../measure.h"

#include <aimux-ffi.h>
#include <cjson/cJSON.h>

static int done;

static void check(aimux_error_t *error) {
  if (error) fail(aimux_error_message(error));
}

/* The library gives each part of the answer as JSON. */
static void on_part(const char *json, void *user) {
  measure *m = (measure *)user;
  cJSON *part = cJSON_Parse(json);
  const cJSON *delta = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(part, "TextDelta"), "delta");
  if (cJSON_IsString(delta)) measure_text(m, delta->valuestring, strlen(delta->valuestring));
  cJSON_Delete(part);
  m->chunks++;
}

static void on_done(void *user) {
  (void)user;
  done = 1;
}

int main(int argc, char **argv) {
  uint64_t model = 0;
  measure m;
  if (argc < 3) fail("usage: aimux-ffi flood|paced URL");
  measure_start(&m, argv[1]);
  check(aimux_openai_new_with_base("key", "m", argv[2], &model));
  check(aimux_stream_text(model, "\"Hello\"", NULL, on_part, on_done, &m));
  if (!done) fail("the answer stopped before its end");
  aimux_drop_handle(model);
  measure_end(&m);
  return 0;
}
