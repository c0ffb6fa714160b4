/* URL COUNT: cancels sessions that wait for their next chunk. URL is of an `idle` stream,
 * less the token. Reports the time to poll's return, and to the server's seeing the end. */
#include "open.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

static sem_t waiting;
static tolmach_session *session;
static int64_t cancelled;

static void *cancel(void *unused) {
  struct timespec moment = {0, 2000000};
  for (;;) {
    sem_wait(&waiting);
    /* Until the other thread waits in poll. */
    nanosleep(&moment, NULL);
    cancelled = now_ns();
    tolmach_session_cancel(session);
  }
  return unused;
}

/* When the server saw the client of this token leave. */
static int64_t gone(int port, const char *token) {
  char text[512];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  ssize_t count, len = 0;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_port = htons((uint16_t)port);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("no connection");
  count = snprintf(text, sizeof text, "GET /gone/0/%s HTTP/1.1\r\nConnection: close\r\n\r\n", token);
  if (write(fd, text, (size_t)count) != count) fail("not sent");
  while (len < (ssize_t)sizeof text - 1 && (count = read(fd, text + len, sizeof text - 1 - (size_t)len)) > 0) len += count;
  close(fd);
  text[len] = '\0';
  return strstr(text, "\r\n\r\n") ? atoll(strstr(text, "\r\n\r\n") + 4) : 0;
}

int main(int argc, char **argv) {
  char key[] = "api_key=key", *settings[] = {key};
  int64_t *poll_times, *gone_times;
  int count, port, i;
  pthread_t thread;
  if (argc < 3 || sscanf(argv[1], "http://127.0.0.1:%d/", &port) != 1) fail("usage: cancel URL COUNT");
  count = atoi(argv[2]);
  poll_times = (int64_t *)malloc((size_t)count * sizeof *poll_times);
  gone_times = (int64_t *)malloc((size_t)count * sizeof *gone_times);
  sem_init(&waiting, 0, 0);
  if (pthread_create(&thread, NULL, cancel, NULL) != 0) fail("no thread");
  for (i = 0; i < count; i++) {
    const tolmach_chunk *chunk = NULL;
    char url[512], token[64];
    tolmach_client *client;
    tolmach_status status;
    snprintf(token, sizeof token, "%d-%d", (int)getpid(), i);
    snprintf(url, sizeof url, "%s/%s", argv[1], token);
    client = client_at("openai", url, settings, 1);
    session = ask(client);
    first_text(session);
    sem_post(&waiting);
    do status = tolmach_session_poll(session, -1, &chunk, NULL);
    while (status == TOLMACH_OK);
    poll_times[i] = now_ns() - cancelled;
    if (status != TOLMACH_E_CANCELLED) fail(tolmach_status_name(status));
    gone_times[i] = gone(port, token) - cancelled;
    tolmach_session_free(session);
    tolmach_client_free(client);
  }
  qsort(poll_times, (size_t)count, sizeof *poll_times, measure_compare);
  qsort(gone_times, (size_t)count, sizeof *gone_times, measure_compare);
  printf("poll50=%lld poll99=%lld gone50=%lld gone99=%lld\n", (long long)poll_times[count / 2],
         (long long)poll_times[count * 99 / 100], (long long)gone_times[count / 2], (long long)gone_times[count * 99 / 100]);
  return 0;
}
