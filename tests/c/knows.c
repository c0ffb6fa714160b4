/* knows NAME... URL: asks as often as TEST_ASKS says, one after another, over one client. Prints
 * how each session ended, and what it knows then: its times only as whether there is one ("+") or
 * not ("-"), the longest gap in milliseconds, the named headers, the text and the tool calls. */
#include "check.h"

/* Prints whether a time is known. Those that are come one after another. */
static void print_time(const char *name, int64_t time, int64_t *last) {
  printf(" %s=%c", name, time < 0 ? '-' : '+');
  CHECK(time >= -1 && (time < 0 || time >= *last));
  if (time >= 0) *last = time;
}

static void print_limit(const char *name, const tolmach_rate_limit *limit) {
  printf(" %s=%ld/%ld/%ld", name, (long)limit->remaining, (long)limit->limit,
         (long)limit->reset_ms);
}

static void print_info(const tolmach_session_info *info) {
  int64_t last = 0;
  printf("info provider=%s status=%d attempts=%d reused=%d request_id=%s\ntimes",
         info->provider.ptr, (int)info->http_status, (int)info->attempts,
         (int)info->connection_reused, info->request_id.ptr);
  print_time("resolved", info->resolved, &last);
  print_time("connected", info->connected, &last);
  print_time("tls_done", info->tls_done, &last);
  print_time("sent", info->sent, &last);
  print_time("headers", info->headers, &last);
  print_time("first_chunk", info->first_chunk, &last);
  print_time("ended", info->ended, &last);
  CHECK(info->longest_gap >= -1 && info->longest_gap <= last);
  printf(" longest_gap=%c\ngap_ms %ld\nlimits", info->longest_gap < 0 ? '-' : '+',
         (long)(info->longest_gap / 1000));
  print_limit("requests", &info->requests);
  print_limit("tokens", &info->tokens);
  printf("\n");
}

static void print_text(const char *name, tolmach_str text) {
  printf("%s=", name);
  CHECK(text.ptr[text.len] == '\0');
  print_quoted(text);
}

static void print_calls(const tolmach_session *session) {
  size_t i, count = tolmach_session_tool_call_count(session);
  for (i = 0; i < count; i++) {
    const tolmach_tool_call *call = tolmach_session_tool_call_get(session, i);
    CHECK(call != NULL && call == tolmach_session_tool_call_get(session, i));
    printf("call %d %d ", (int)call->choice, (int)call->index);
    print_text("id", call->id);
    print_text(" name", call->name);
    print_text(" arguments", call->arguments);
    printf("\n");
  }
  CHECK(tolmach_session_tool_call_get(session, count) == NULL);
}

/* Before the first poll. The server may have answered. */
static void check_start(const tolmach_session *session) {
  const tolmach_session_info *info = tolmach_session_info_get(session);
  CHECK(info != NULL && info == tolmach_session_info_get(session));
  CHECK(info->provider.len > 0 && info->model.len == 0);
  CHECK(tolmach_session_text(session).len == 0 && tolmach_session_text(session).ptr[0] == '\0');
  CHECK(tolmach_session_tool_call_count(session) == 0);
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  int asks = getenv("TEST_ASKS") ? atoi(getenv("TEST_ASKS")) : 1, i;
  uint64_t last_id = 0;
  while (asks-- > 0) {
    tolmach_session *session = ask(client, "Hi");
    const tolmach_chunk *chunk = NULL;
    uint64_t id = tolmach_session_info_get(session)->id;
    tolmach_status status;
    char text[4096] = "";
    check_start(session);
    CHECK(id > last_id);
    last_id = id;
    while ((status = tolmach_session_poll(session, -1, &chunk, NULL)) == TOLMACH_OK) {
      tolmach_str known = tolmach_session_text(session);
      CHECK(tolmach_session_info_get(session)->first_chunk >= 0);
      if (chunk->kind == TOLMACH_CHUNK_TEXT && chunk->choice == 0 && !getenv("TEST_CUT")) {
        strncat(text, chunk->text.ptr, sizeof text - strlen(text) - 1);
        CHECK(known.ptr == tolmach_session_text(session).ptr);
        CHECK(strcmp(known.ptr, text) == 0 && known.len == strlen(text));
      }
      if (chunk->kind == TOLMACH_CHUNK_TEXT && getenv("TEST_AWAIT")) {
        await_line("heard");
        unsetenv("TEST_AWAIT");
      }
      if (getenv("TEST_CALLS")) print_calls(session);
    }
    printf("%s\n", tolmach_status_name(status));
    CHECK(tolmach_session_info_get(session)->id == id);
    print_info(tolmach_session_info_get(session));
    for (i = 1; i < argc - 1; i++) {
      tolmach_str value = tolmach_session_header(session, argv[i]);
      CHECK(value.ptr == tolmach_session_header(session, argv[i]).ptr);
      printf("header %s=", argv[i]);
      if (value.ptr) print_text("", value);
      printf("\n");
    }
    print_text("text", tolmach_session_text(session));
    printf("\n");
    print_calls(session);
    tolmach_session_free(session);
  }
  tolmach_client_free(client);
  return 0;
}
