/* Fifty answers at once in one thread, by epoll: epoll PROVIDER [KEY=VALUE ...] */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <tolmach.h>
#include <unistd.h>

enum { SESSIONS = 50 };

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

/* Opens the session of a number, and adds its descriptor to `events`. */
static tolmach_status open_session(tolmach_client *client, int events, int number,
                                   tolmach_session **session, tolmach_error **error) {
  tolmach_request *request = NULL;
  struct epoll_event event = {0};
  char text[64];
  tolmach_status status = tolmach_request_new(NULL, &request, error);
  snprintf(text, sizeof text, "What is %d times %d? Answer with the number.", number, number);
  if (status == TOLMACH_OK)
    status = tolmach_request_message(request, "user", text, TOLMACH_NUL_TERMINATED, error);
  if (status == TOLMACH_OK) status = tolmach_session_open(client, request, session, error);
  tolmach_request_free(request);
  if (status != TOLMACH_OK) return status;
  event.events = EPOLLIN;
  event.data.u32 = (uint32_t)number;
  if (epoll_ctl(events, EPOLL_CTL_ADD, tolmach_session_fd(*session), &event) == 0) return status;
  perror("epoll_ctl");
  return TOLMACH_E_NO_MEMORY;
}

/* Polls what is there. Returns TOLMACH_PENDING while the session goes on. */
static tolmach_status drain(int number, tolmach_session *session) {
  const tolmach_chunk *chunk = NULL;
  tolmach_error *error = NULL;
  tolmach_status status;
  while ((status = tolmach_session_poll(session, 0, &chunk, &error)) == TOLMACH_OK) {
  }
  if (status == TOLMACH_END) printf("%d: %s\n", number, tolmach_session_text(session).ptr);
  if (status < 0) fprintf(stderr, "epoll: %d: %s\n", number, tolmach_error_message(error).ptr);
  tolmach_error_free(error);
  return status;
}

int main(int argc, char **argv) {
  struct epoll_event ready[SESSIONS];
  tolmach_session *sessions[SESSIONS] = {NULL};
  tolmach_error *error = NULL;
  tolmach_client *client = NULL;
  tolmach_status status;
  int events = epoll_create1(EPOLL_CLOEXEC), open = 0, answered = 0, count = 0, i;

  if (argc < 2) return fprintf(stderr, "usage: epoll PROVIDER [KEY=VALUE ...]\n"), 2;
  if (events < 0) return perror("epoll_create1"), 1;
  status = open_client(argv[1], argv + 2, &client, &error);
  for (; status == TOLMACH_OK && open < SESSIONS; open++)
    status = open_session(client, events, open, &sessions[open], &error);
  if (status != TOLMACH_OK) fprintf(stderr, "epoll: %s\n", tolmach_error_message(error).ptr);
  tolmach_error_free(error);

  while (status == TOLMACH_OK && open > 0 && (count >= 0 || errno == EINTR)) {
    count = epoll_wait(events, ready, SESSIONS, -1);
    for (i = 0; i < count; i++) {
      int number = (int)ready[i].data.u32;
      tolmach_status outcome = drain(number, sessions[number]);
      if (outcome == TOLMACH_PENDING) continue;
      answered += outcome == TOLMACH_END;
      epoll_ctl(events, EPOLL_CTL_DEL, tolmach_session_fd(sessions[number]), NULL);
      tolmach_session_free(sessions[number]);
      sessions[number] = NULL;
      open--;
    }
  }
  for (i = 0; i < SESSIONS; i++) tolmach_session_free(sessions[i]);
  tolmach_client_free(client);
  close(events);
  return answered == SESSIONS ? 0 : 1;
}
