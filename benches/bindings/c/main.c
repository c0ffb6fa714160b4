/* PROGRAM BASE_URL MODEL: reads an answer twice by the C ABI, a poll for each chunk. Prints
 * the CPU microseconds of the second reading, and its chunks. */
#include <tolmach.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static tolmach_error *error;

static void check(tolmach_status status) {
  if (status >= 0) return;
  fprintf(stderr, "%s\n", tolmach_error_message(error).ptr);
  exit(1);
}

static long long cpu_now(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static unsigned long long chunks;
static size_t text, characters;

/* The text of a chunk is touched: its characters are counted as a program's string would. */
static void touch(tolmach_str piece) {
  size_t i;
  text += piece.len;
  for (i = 0; i < piece.len; i++) characters += (piece.ptr[i] & 0xc0) != 0x80;
}

static void read_once(const tolmach_client *client, const char *model) {
  const tolmach_chunk *chunk = NULL;
  tolmach_request *request = NULL;
  tolmach_session *session = NULL;
  tolmach_status status;
  check(tolmach_request_new(model, &request, &error));
  check(tolmach_request_message(request, "user", "Hello", TOLMACH_NUL_TERMINATED, &error));
  check(tolmach_session_open(client, request, &session, &error));
  chunks = 0;
  while ((status = tolmach_session_poll(session, -1, &chunk, &error)) == TOLMACH_OK) {
    chunks++;
    if (chunk->kind == TOLMACH_CHUNK_TEXT) touch(chunk->text);
  }
  check(status);
  tolmach_session_free(session);
  tolmach_request_free(request);
}

int main(int argc, char **argv) {
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  long long begin;
  if (argc != 3) {
    fprintf(stderr, "usage: %s BASE_URL MODEL\n", argv[0]);
    return 2;
  }
  check(tolmach_config_new("openai", &config, &error));
  check(tolmach_config_set(config, "base_url", argv[1], &error));
  check(tolmach_client_new(config, &client, &error));
  read_once(client, argv[2]);
  begin = cpu_now();
  read_once(client, argv[2]);
  printf("%lld %llu\n", cpu_now() - begin, chunks);
  tolmach_client_free(client);
  tolmach_config_free(config);
  return text == 0 || characters > text;
}
