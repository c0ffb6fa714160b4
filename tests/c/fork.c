/* fork URL FORKS: forks again and again beside threads that are busy in the library. Every
 * child makes clients of its own and is answered, and gets a status, not a hang, for what
 * is its parent's. */
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, PATIENCE_S = 120 };

static const char *url;
static volatile int over;

static tolmach_client *client_of(const char *provider) {
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  EXPECT(TOLMACH_OK, tolmach_config_new(provider, &config, NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "base_url", url, NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "api_key", "test-key-secret", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "proxy", "direct", NULL));
  EXPECT(TOLMACH_OK, tolmach_client_new(config, &client, NULL));
  tolmach_config_free(config);
  return client;
}

static void be_answered(tolmach_client *client) {
  tolmach_session *session = ask(client, "Hi");
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  while ((status = tolmach_session_poll(session, -1, &chunk, NULL)) == TOLMACH_OK) {
  }
  EXPECT(TOLMACH_END, status);
  tolmach_session_free(session);
}

static void take_line(void *user, int32_t level, uint64_t session, const char *message, size_t len) {
  (void)user, (void)level, (void)session, (void)message, (void)len;
}

static void *be_busy(void *asks) {
  tolmach_client *client = client_of("openai");
  while (!over) {
    tolmach_client_free(client_of("gigachat"));
    tolmach_client_free(client_of("openai"));
    tolmach_log_set(take_line, NULL, NULL, 5);
    CHECK(tolmach_provider_count() > 0);
    if (asks != NULL) be_answered(client);
  }
  tolmach_client_free(client);
  return NULL;
}

static void refuse(tolmach_client *client, tolmach_session *session, tolmach_request *request) {
  tolmach_session *own = NULL;
  tolmach_models *models = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_error *error = NULL;
  size_t index = 0;
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open(client, request, &own, &error));
  CHECK(own == NULL && strstr(tolmach_error_message(error).ptr, "fork()") != NULL);
  tolmach_error_free(error);
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_models(client, &own, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_open_raw(client, "GET", "/x", NULL, NULL, 0, &own, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_client_models(client, -1, &models, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_poll(session, -1, &chunk, NULL));
  EXPECT(TOLMACH_E_ARGUMENT,
         tolmach_sessions_wait((const tolmach_session *const *)&session, 1, -1, &index, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_session_on_ready(session, NULL, NULL, NULL, NULL));
  EXPECT(TOLMACH_E_ARGUMENT, tolmach_request_reply(request, session, NULL));
  CHECK(tolmach_session_fd(session) == -1);
  CHECK(tolmach_session_reply(session).len == 0 && tolmach_session_text(session).len == 0);
  CHECK(tolmach_session_tool_call_count(session) == 0);
  CHECK(tolmach_session_tool_call_get(session, 0) == NULL);
  CHECK(tolmach_session_info_get(session) == NULL);
  CHECK(tolmach_session_header(session, "content-type").ptr == NULL);
  tolmach_session_cancel(session);
  tolmach_client_cancel_all(client);
  tolmach_session_free(session);
  tolmach_client_free(client);
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  tolmach_client *client, *own;
  tolmach_session *session;
  tolmach_request *request = NULL;
  const tolmach_chunk *chunk = NULL;
  int forks = atoi(argv[argc - 1]), number, status;
  pid_t child;

  url = argv[1];
  client = client_of("openai");
  session = ask(client, "stall");
  EXPECT(TOLMACH_OK, tolmach_session_poll(session, -1, &chunk, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_new(NULL, &request, NULL));
  EXPECT(TOLMACH_OK, tolmach_request_message(request, "user", "Hi", 2, NULL));
  for (number = 0; number < THREADS; ++number)
    CHECK(pthread_create(&threads[number], NULL, be_busy, number ? threads : NULL) == 0);
  for (number = 0; number < forks; ++number) {
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      alarm(PATIENCE_S); /* ends a child that hangs, by SIGALRM */
      tolmach_client_free(client_of("gigachat"));
      own = client_of("openai");
      tolmach_log_set(take_line, NULL, NULL, 5);
      refuse(client, session, request);
      be_answered(own);
      tolmach_client_free(own);
      tolmach_request_free(request);
      exit(0); /* with the library's own work at the end of a process */
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      fprintf(stderr, "child %d: status %x\n", number, status);
      return 1;
    }
  }
  over = 1;
  for (number = 0; number < THREADS; ++number) CHECK(pthread_join(threads[number], NULL) == 0);
  /* The children have harmed nothing of their parent's. */
  EXPECT(TOLMACH_PENDING, tolmach_session_poll(session, 0, &chunk, NULL));
  tolmach_session_free(session);
  tolmach_request_free(request);
  tolmach_client_free(client);
  return 0;
}
