/* dialects URL MODEL: one conversation, the same for every dialect: a system prompt, an image,
 * reasoning, two tools that are called at once, three turns. Prints what each turn came to.
 * TEST_PROVIDER names the dialect. */
#include "check.h"

/* A black pixel. */
static const uint8_t pixel[] = {
    0x89, 'P',  'N',  'G',  0x0d, 0x0a, 0x1a, 0x0a, 0,    0,    0,    0x0d, 'I',  'H',
    'D',  'R',  0,    0,    0,    1,    0,    0,    0,    1,    8,    0,    0,    0,
    0,    0x3a, 0x7e, 0x9b, 0x55, 0,    0,    0,    0x0a, 'I',  'D',  'A',  'T',  0x78,
    0x9c, 0x63, 0x60, 0,    0,    0,    2,    0,    1,    0x48, 0xaf, 0xa4, 0x71, 0,
    0,    0,    0,    'I',  'E',  'N',  'D',  0xae, 0x42, 0x60, 0x82};

static const char tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"The weather\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},"
    "\"required\":[\"city\"]}}},"
    "{\"type\":\"function\",\"function\":{\"name\":\"get_time\",\"description\":\"The time\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},"
    "\"required\":[\"city\"]}}}]";

struct call {
  char id[256], name[64], arguments[256];
};

static void append(char *to, size_t size, tolmach_str more) {
  size_t used = strlen(to);
  CHECK(used + more.len < size);
  memcpy(to + used, more.ptr, more.len);
  to[used + more.len] = 0;
}

/* Asks `request`, prints the answer and adds it to `request`. Returns how many calls it made. */
static int turn(const tolmach_client *client, tolmach_request *request, struct call *calls) {
  tolmach_session *session = NULL;
  tolmach_error *error = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  int count = 0, i, starts = 0, usages = 0;
  char text[1024] = "", reasoning[1024] = "", finish[64] = "";
  memset(calls, 0, 4 * sizeof *calls);
  EXPECT(TOLMACH_OK, tolmach_session_open(client, request, &session, NULL));
  while ((status = tolmach_session_poll(session, -1, &chunk, &error)) == TOLMACH_OK) {
    CHECK(finish[0] == 0);
    switch (chunk->kind) {
      case TOLMACH_CHUNK_START: starts++; break;
      case TOLMACH_CHUNK_TEXT: append(text, sizeof text, chunk->text); break;
      case TOLMACH_CHUNK_REASONING: append(reasoning, sizeof reasoning, chunk->text); break;
      case TOLMACH_CHUNK_TOOL_CALL:
        CHECK(chunk->index >= 0 && chunk->index < 4);
        if (chunk->index >= count) count = chunk->index + 1;
        append(calls[chunk->index].id, sizeof calls->id, chunk->id);
        append(calls[chunk->index].name, sizeof calls->name, chunk->name);
        append(calls[chunk->index].arguments, sizeof calls->arguments, chunk->text);
        break;
      case TOLMACH_CHUNK_USAGE: usages += chunk->usage.input > 0 && chunk->usage.output > 0; break;
      case TOLMACH_CHUNK_FINISH: append(finish, sizeof finish, chunk->text); break;
    }
  }
  if (status != TOLMACH_END) {
    printf("%s: %s\n", tolmach_status_name(status), tolmach_error_message(error).ptr);
    exit(1);
  }
  CHECK(starts == 1 && usages == 1);
  if (reasoning[0]) printf("reasoning %s\n", reasoning);
  if (text[0]) printf("text %s\n", text);
  for (i = 0; i < count; i++) printf("call %s %s\n", calls[i].name, calls[i].arguments);
  printf("finish %s\n", finish);
  EXPECT(TOLMACH_OK, tolmach_request_reply(request, session, NULL));
  tolmach_session_free(session);
  return count;
}

int main(int argc, char **argv) {
  tolmach_client *client;
  tolmach_request *request = NULL;
  struct call calls[4];
  CHECK(argc == 3);
  client = client_at(argv[1]);
  EXPECT(TOLMACH_OK, tolmach_request_new(argv[2], &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "system", "You are brief.",
                                             TOLMACH_NUL_TERMINATED, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "What is it like in this city?",
                                             TOLMACH_NUL_TERMINATED, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_attach(request, pixel, sizeof pixel, NULL, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_set(request, "tools", tools, TOLMACH_NUL_TERMINATED, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_set(request, "reasoning_effort", "\"medium\"",
                                         TOLMACH_NUL_TERMINATED, NULL));
  CHECK(turn(client, request, calls) == 2);
  EXPECT(TOLMACH_OK, tolmach_request_tool_result(request, calls[0].id, "{\"degrees\":3}",
                                                 TOLMACH_NUL_TERMINATED, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_tool_result(request, calls[1].id, "noon",
                                                 TOLMACH_NUL_TERMINATED, NULL));
  CHECK(turn(client, request, calls) == 0);
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "Thank you.",
                                             TOLMACH_NUL_TERMINATED, NULL));
  CHECK(turn(client, request, calls) == 0);
  tolmach_request_free(request);
  tolmach_client_free(client);
  return 0;
}
