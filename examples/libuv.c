/* Asks a model from a libuv loop: libuv PROVIDER PROMPT [KEY=VALUE ...]
 *
 * The loop watches the session's descriptor, and nothing in it ever blocks. Ctrl-C cancels.
 * Build with: cc libuv.c -ltolmach $(pkg-config --cflags --libs libuv) */
#include <stdio.h>
#include <string.h>
#include <tolmach.h>
#include <uv.h>

struct chat {
  tolmach_session *session;
  tolmach_error *error;
  tolmach_status status;
  uv_poll_t readable;
  uv_signal_t interrupt;
};

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

/* The session has something to poll: a chunk, its end or its error. */
static void on_readable(uv_poll_t *handle, int status, int events) {
  struct chat *chat = handle->data;
  const tolmach_chunk *chunk = NULL;
  (void)status, (void)events;
  for (;;) {
    chat->status = tolmach_session_poll(chat->session, 0, &chunk, &chat->error);
    if (chat->status != TOLMACH_OK) break;
    if (chunk->kind == TOLMACH_CHUNK_TEXT) fwrite(chunk->text.ptr, 1, chunk->text.len, stdout);
  }
  fflush(stdout);
  if (chat->status == TOLMACH_PENDING) return;
  /* Without handles uv_run() returns. */
  uv_close((uv_handle_t *)&chat->readable, NULL);
  uv_close((uv_handle_t *)&chat->interrupt, NULL);
}

static void on_interrupt(uv_signal_t *handle, int signal_number) {
  struct chat *chat = handle->data;
  (void)signal_number;
  tolmach_session_cancel(chat->session); /* the descriptor becomes readable */
}

/* Watches the session until it has ended. Returns 0, or an error of libuv. */
static int run(struct chat *chat) {
  uv_loop_t *loop = uv_default_loop();
  int error = uv_poll_init(loop, &chat->readable, tolmach_session_fd(chat->session));
  if (error == 0) error = uv_signal_init(loop, &chat->interrupt);
  chat->readable.data = chat->interrupt.data = chat;
  if (error == 0) error = uv_poll_start(&chat->readable, UV_READABLE, on_readable);
  if (error == 0) error = uv_signal_start(&chat->interrupt, on_interrupt, SIGINT);
  if (error == 0) error = uv_run(loop, UV_RUN_DEFAULT);
  if (error == 0) error = uv_loop_close(loop);
  return error;
}

int main(int argc, char **argv) {
  struct chat chat = {0};
  tolmach_client *client = NULL;
  tolmach_request *request = NULL;
  int error = 0;

  if (argc < 3) return fprintf(stderr, "usage: libuv PROVIDER PROMPT [KEY=VALUE ...]\n"), 2;
  chat.status = open_client(argv[1], argv + 3, &client, &chat.error);
  if (chat.status == TOLMACH_OK) chat.status = tolmach_request_new(NULL, &request, &chat.error);
  if (chat.status == TOLMACH_OK)
    chat.status =
        tolmach_request_message(request, "user", argv[2], TOLMACH_NUL_TERMINATED, &chat.error);
  if (chat.status == TOLMACH_OK)
    chat.status = tolmach_session_open(client, request, &chat.session, &chat.error);
  if (chat.status == TOLMACH_OK) error = run(&chat);
  putchar('\n');
  if (error != 0) fprintf(stderr, "libuv: %s\n", uv_strerror(error));
  if (chat.status < 0) fprintf(stderr, "libuv: %s\n", tolmach_error_message(chat.error).ptr);
  tolmach_error_free(chat.error);
  tolmach_session_free(chat.session); /* after the loop has stopped watching its descriptor */
  tolmach_request_free(request);
  tolmach_client_free(client);
  return chat.status == TOLMACH_END ? 0 : 1;
}
