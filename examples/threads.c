/* Answers the lines of standard input with four threads: threads PROVIDER [KEY=VALUE ...]
 *
 * One client serves all threads; each has sessions and requests of its own. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <tolmach.h>
#include <unistd.h>

enum { THREADS = 4, TRIES = 3 };

static tolmach_client *client;
static pthread_mutex_t input = PTHREAD_MUTEX_INITIALIZER, output = PTHREAD_MUTEX_INITIALIZER;
static int lines, failures; /* the one belongs to input, the other to output */

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

/* Waits as long as the provider asks for, else some seconds. */
static void wait_after(const tolmach_error *error, int try_number) {
  int64_t ms = tolmach_error_retry_after_ms(error);
  sleep(ms >= 0 ? (unsigned)((ms + 999) / 1000) : 1u << try_number);
}

/* Asks once. The session has the answer, and is the caller's to free. */
static tolmach_status ask(const char *prompt, tolmach_session **session, tolmach_error **error) {
  tolmach_request *request = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status = tolmach_request_new(NULL, &request, error);
  if (status == TOLMACH_OK)
    status = tolmach_request_message(request, "user", prompt, TOLMACH_NUL_TERMINATED, error);
  if (status == TOLMACH_OK) status = tolmach_session_open(client, request, session, error);
  tolmach_request_free(request);
  while (status == TOLMACH_OK) status = tolmach_session_poll(*session, -1, &chunk, error);
  return status;
}

/* Asks, and asks again when the status says that this may help. */
static void answer(int number, const char *prompt) {
  int try_number;
  for (try_number = 1; try_number <= TRIES; try_number++) {
    tolmach_session *session = NULL;
    tolmach_error *error = NULL;
    tolmach_status status = ask(prompt, &session, &error);
    int again = try_number < TRIES && tolmach_status_is_transient(status);
    pthread_mutex_lock(&output);
    if (status == TOLMACH_END) printf("%d: %s\n", number, tolmach_session_text(session).ptr);
    else fprintf(stderr, "threads: %d: %s\n", number, tolmach_error_message(error).ptr);
    failures += status != TOLMACH_END && !again;
    pthread_mutex_unlock(&output);
    tolmach_session_free(session);
    if (again) wait_after(error, try_number);
    tolmach_error_free(error);
    if (!again) return;
  }
}

static void *work(void *unused) {
  char prompt[4096];
  for (;;) {
    int number;
    char *line;
    pthread_mutex_lock(&input);
    line = fgets(prompt, sizeof prompt, stdin);
    number = ++lines;
    pthread_mutex_unlock(&input);
    if (line == NULL) return unused;
    prompt[strcspn(prompt, "\n")] = '\0';
    answer(number, prompt);
  }
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  tolmach_error *error = NULL;
  int started = 0;

  if (argc < 2) return fprintf(stderr, "usage: threads PROVIDER [KEY=VALUE ...]\n"), 2;
  if (open_client(argv[1], argv + 2, &client, &error) != TOLMACH_OK) {
    fprintf(stderr, "threads: %s\n", tolmach_error_message(error).ptr);
    return tolmach_error_free(error), 1;
  }
  while (started < THREADS && pthread_create(&threads[started], NULL, work, NULL) == 0) started++;
  if (started == 0) work(NULL); /* the system has no thread left: this one does it all */
  while (started > 0) pthread_join(threads[--started], NULL);
  tolmach_client_free(client);
  return failures == 0 ? 0 : 1;
}
