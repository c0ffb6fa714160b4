/* descriptors URL ...: a process without file descriptors is told so, for each URL, and its
 * sessions have none to give. */
#include "check.h"

#include <sys/resource.h>
#include <unistd.h>

static tolmach_client *impatient_client_at(const char *url) {
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  EXPECT(TOLMACH_OK, tolmach_config_new("openai", &config, NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "base_url", url, NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "api_key", "k", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "proxy", "direct", NULL));
  EXPECT(TOLMACH_OK, tolmach_config_set(config, "max_retries", "0", NULL));
  EXPECT(TOLMACH_OK, tolmach_client_new(config, &client, NULL));
  tolmach_config_free(config);
  return client;
}

int main(int argc, char **argv) {
  struct rlimit limit;
  int i, next = dup(0);
  CHECK(next >= 0 && close(next) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
  for (i = 1; i < argc; i++) {
    tolmach_client *client = impatient_client_at(argv[i]);
    tolmach_session *session;
    const tolmach_chunk *chunk = NULL;
    tolmach_error *error = NULL;
    /* The first session of a process takes a descriptor for all that follow. */
    if (i == 1) tolmach_session_free(ask(client, "Hi"));
    limit.rlim_cur = (rlim_t)next;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    session = ask(client, "Hi");
    CHECK(tolmach_session_fd(session) == -1);
    CHECK(tolmach_session_poll(session, -1, &chunk, &error) < 0);
    print_error(error);
    tolmach_session_free(session);
    tolmach_client_free(client);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  return 0;
}
