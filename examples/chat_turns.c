/* A conversation in the terminal: chat_turns PROVIDER [KEY=VALUE ...]
 *
 * Ctrl-C cancels the answer and keeps the conversation. Ctrl-D ends it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <tolmach.h>

/* The session that Ctrl-C cancels; NULL while the program waits for the next line. */
static tolmach_session *volatile answering;

static void on_interrupt(int signal_number) {
  (void)signal_number;
  tolmach_session_cancel(answering); /* allowed in a signal handler; NULL does nothing */
}

static void report(tolmach_error *error) {
  long retry_after_ms = (long)tolmach_error_retry_after_ms(error);
  fprintf(stderr, "chat_turns: %s\n", tolmach_error_message(error).ptr);
  if (retry_after_ms >= 0) fprintf(stderr, "Try again in %ld s.\n", (retry_after_ms + 999) / 1000);
  tolmach_error_free(error);
}

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

/* Prints the answer to `request` as it arrives, and appends it to the request. */
static tolmach_status answer(tolmach_client *client, tolmach_request *request,
                             tolmach_error **error) {
  const tolmach_chunk *chunk = NULL;
  tolmach_session *session = NULL;
  tolmach_status status = tolmach_session_open(client, request, &session, error);
  answering = session;
  while (status == TOLMACH_OK) {
    status = tolmach_session_poll(session, -1, &chunk, error);
    if (status == TOLMACH_OK && chunk->kind == TOLMACH_CHUNK_TEXT) {
      fwrite(chunk->text.ptr, 1, chunk->text.len, stdout);
      fflush(stdout);
    }
  }
  /* A cancelled answer stays in the conversation as far as it came. */
  if (status == TOLMACH_END || status == TOLMACH_E_CANCELLED)
    tolmach_request_reply(request, session, NULL);
  answering = NULL;
  tolmach_session_free(session);
  return status;
}

static char *next_line(char *line, int size) {
  printf("> ");
  fflush(stdout);
  return fgets(line, size, stdin);
}

int main(int argc, char **argv) {
  struct sigaction interrupt;
  tolmach_error *error = NULL;
  tolmach_client *client = NULL;
  tolmach_request *request = NULL;
  tolmach_status status;
  char line[4096];

  if (argc < 2) return fprintf(stderr, "usage: chat_turns PROVIDER [KEY=VALUE ...]\n"), 2;
  status = open_client(argv[1], argv + 2, &client, &error);
  if (status == TOLMACH_OK) status = tolmach_request_new(NULL, &request, &error);
  if (status != TOLMACH_OK) report(error);

  memset(&interrupt, 0, sizeof interrupt);
  interrupt.sa_handler = on_interrupt;
  interrupt.sa_flags = SA_RESTART; /* fgets() goes on after Ctrl-C */
  sigaction(SIGINT, &interrupt, NULL);

  while (status == TOLMACH_OK && next_line(line, sizeof line)) {
    size_t before = tolmach_request_count(request);
    tolmach_status turn;
    error = NULL;
    turn = tolmach_request_message(request, "user", line, strcspn(line, "\n"), &error);
    if (turn == TOLMACH_OK) turn = answer(client, request, &error);
    putchar('\n');
    if (turn < 0) report(error);
    /* A question without an answer is taken back, so that the next one can be sent. */
    if (tolmach_request_count(request) == before + 1)
      tolmach_request_truncate(request, before, NULL);
  }
  tolmach_request_free(request);
  tolmach_client_free(client);
  return status == TOLMACH_OK ? 0 : 1;
}
