/* settings URL: configs of JSON, single headers, and the keys that a config has. */
#include "check.h"

#define ALL TOLMACH_NUL_TERMINATED

static void refused(const char *json, const char *part) {
  tolmach_config *config = (tolmach_config *)&config;
  tolmach_error *error = NULL;
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_from_json(json, ALL, &config, &error));
  CHECK(config == NULL);
  if (!strstr(tolmach_error_message(error).ptr, part)) {
    fprintf(stderr, "%s: %s\n", json, tolmach_error_message(error).ptr);
    exit(1);
  }
  tolmach_error_free(error);
}

static void wrong_json_is_refused(void) {
  tolmach_config *config = NULL;
  refused("", "JSON");
  refused("[]", "JSON object");
  refused("{}", "\"provider\"");
  refused("{\"provider\":7}", "\"provider\"");
  refused("{\"provider\":\"nobody\"}", "openai");
  refused("{\"provider\":\"openai\",\"apikey\":\"k\"}", "api_key");
  refused("{\"provider\":\"openai\",\"max_retries\":-1}", "max_retries");
  refused("{\"provider\":\"openai\",\"max_retries\":true}", "max_retries");
  refused("{\"provider\":\"openai\",\"headers\":{\"A\":7}}", "headers");
  refused("{\"provider\":\"openai\",\"headers\":[]}", "headers");
  refused("{\"provider\":\"openai\",\"fallback_models\":[\"a\"]}", "\"fallback_models\"");
  refused("{\"provider\":\"openai\",\"api_key\":{\"a\":\"b\"}}", "\"api_key\"");
  refused("{\"provider\":\"openai\"} x", "not JSON");
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_from_json(NULL, 0, &config, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_from_json("{}", 2, NULL, NULL));
}

static const tolmach_config_key *key_of(const tolmach_config *config, const char *name) {
  size_t i;
  for (i = 0; i < tolmach_config_key_count(config); i++)
    if (!strcmp(tolmach_config_key_get(config, i)->name.ptr, name)) return tolmach_config_key_get(config, i);
  return NULL;
}

static void keys_say_what_they_are(void) {
  tolmach_config *config = NULL;
  const tolmach_config_key *key;
  size_t i;
  EXPECT(TOLMACH_OK, tolmach_config_new("gigachat", &config, NULL));
  CHECK(tolmach_config_key_count(config) > 30 && tolmach_config_key_count(NULL) == 0);
  CHECK(tolmach_config_key_get(config, tolmach_config_key_count(config)) == NULL);
  CHECK(tolmach_config_key_get(config, SIZE_MAX) == NULL && tolmach_config_key_get(NULL, 0) == NULL);
  for (i = 0; i < tolmach_config_key_count(config); i++) {
    key = tolmach_config_key_get(config, i);
    CHECK(key->kind >= TOLMACH_KEY_TEXT && key->kind <= TOLMACH_KEY_CHOICE && key->help.len > 0);
    CHECK(key->help.ptr[key->help.len] == 0 && strlen(key->name.ptr) == key->name.len);
    /* Every default is a value, and NULL takes every key back. */
    if (key->default_value.len)
      EXPECT(TOLMACH_OK, tolmach_config_set(config, key->name.ptr, key->default_value.ptr, NULL));
    EXPECT(TOLMACH_OK, tolmach_config_set(config, key->name.ptr, NULL, NULL));
  }
  CHECK(key_of(config, "api_key")->kind == TOLMACH_KEY_SECRET && key_of(config, "endpoint") == NULL);
  CHECK(key_of(config, "base_url")->kind == TOLMACH_KEY_URL && key_of(config, "base_url")->default_value.len > 8);
  key = key_of(config, "auth_scheme");
  CHECK(key->kind == TOLMACH_KEY_CHOICE && !strcmp(key->choices.ptr, "basic,bearer"));
  CHECK(!strcmp(key->default_value.ptr, "basic") && !key->is_option);
  key = key_of(config, "idle_timeout_ms");
  CHECK(key->kind == TOLMACH_KEY_MILLISECONDS && !strcmp(key->default_value.ptr, "120000") && key->is_option);
  CHECK(key_of(config, "tls_verify")->kind == TOLMACH_KEY_BOOLEAN && key_of(config, "headers")->kind == TOLMACH_KEY_JSON);
  CHECK(key_of(config, "max_retries")->kind == TOLMACH_KEY_NUMBER && key_of(config, "ca_file")->kind == TOLMACH_KEY_FILE);
  tolmach_config_free(config);
}

static void answer(const tolmach_config *config) {
  tolmach_client *client = NULL;
  tolmach_session *session;
  const tolmach_chunk *chunk;
  EXPECT(TOLMACH_OK, tolmach_client_new(config, &client, NULL));
  session = ask(client, "headers");
  while (tolmach_session_poll(session, -1, &chunk, NULL) == TOLMACH_OK)
    if (chunk->kind == TOLMACH_CHUNK_TEXT) printf("%s\n", chunk->text.ptr);
  tolmach_session_free(session);
  tolmach_client_free(client);
}

int main(int argc, char **argv) {
  tolmach_config *config = NULL;
  char json[512];
  CHECK(argc == 2);
  wrong_json_is_refused();
  keys_say_what_they_are();
  snprintf(json, sizeof json,
           "{\"api_key\":\"\",\"headers\":{\"X-Own\":\"of-json\"},\"provider\":\"openai\",\"base_url\":\"%s\","
           "\"max_retries\":0,\"heal\":false,\"proxy\":\"direct\",\"model\":null,\"tls_verify\":true} and more",
           argv[1]);
  EXPECT(TOLMACH_OK, tolmach_config_from_json(json, strlen(json) - strlen(" and more"), &config, NULL));
  answer(config);
  EXPECT(TOLMACH_OK, tolmach_config_header(config, "x-own", "of-header", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_header(config, "X-Tenant", "added", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_header(config, "Content-Length", "7", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_header(config, "X Y", "7", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_header(config, "X Y", NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_header(config, "X-Y", "a\r\nb", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_header(config, NULL, "a", NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_config_header(NULL, "a", "a", NULL));
  answer(config);
  EXPECT(TOLMACH_OK, tolmach_config_header(config, "X-OWN", NULL, NULL));
  answer(config);
  tolmach_config_free(config);
  return 0;
}
