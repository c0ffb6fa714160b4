/* Asks from child processes: fork PROVIDER PROMPT [KEY=VALUE ...]
 *
 * After fork() a child makes clients and sessions of its own. Those of its parent are of no
 * use to it: they return TOLMACH_E_ARGUMENT, and their free does nothing. Configs, requests
 * and errors remain good. A server that forks its workers makes its config and its requests
 * before the fork, and its clients after it. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <tolmach.h>
#include <unistd.h>

enum { CHILDREN = 3 };

/* Prints the error, if there is one, behind `who`, and frees it. */
static void report(const char *who, tolmach_error *error) {
  if (error != NULL) fprintf(stderr, "%s: %s\n", who, tolmach_error_message(error).ptr);
  tolmach_error_free(error);
}

/* Prints an answer in a line that begins with `who`. Returns 1 if it came whole. */
static int ask(const char *who, const tolmach_client *client, const tolmach_request *request) {
  tolmach_error *error = NULL;
  tolmach_session *session = NULL;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status = tolmach_session_open(client, request, &session, &error);
  while (status == TOLMACH_OK) status = tolmach_session_poll(session, -1, &chunk, &error);
  if (status == TOLMACH_END) printf("%s: %s\n", who, tolmach_session_text(session).ptr);
  report(who, error);
  tolmach_session_free(session);
  return status == TOLMACH_END;
}

/* What each child does. Returns its exit code. */
static int child(const tolmach_config *config, const tolmach_request *request,
                 const tolmach_client *parents) {
  tolmach_error *error = NULL;
  tolmach_client *client = NULL;
  tolmach_session *session = NULL;
  char who[32];
  int answered = 0;

  snprintf(who, sizeof who, "child %ld", (long)getpid());
  /* Wrong, to show what happens: the client belongs to the parent's process. */
  if (tolmach_session_open(parents, request, &session, &error) == TOLMACH_E_ARGUMENT)
    report(who, error);
  error = NULL;
  /* Right: a client of its own, made of the config, and the request as it is. */
  if (tolmach_client_new(config, &client, &error) != TOLMACH_OK) report(who, error);
  else answered = ask(who, client, request);
  tolmach_client_free(client);
  return fflush(stdout) == 0 && answered ? 0 : 1;
}

int main(int argc, char **argv) {
  tolmach_error *error = NULL;
  tolmach_config *config = NULL;
  tolmach_client *client = NULL;
  tolmach_request *request = NULL;
  tolmach_status status;
  int failures = 0, i, outcome;

  if (argc < 3) return fprintf(stderr, "usage: fork PROVIDER PROMPT [KEY=VALUE ...]\n"), 2;
  status = tolmach_config_new(argv[1], &config, &error);
  for (i = 3; i < argc && status == TOLMACH_OK; i++) {
    char *value = strchr(argv[i], '=');
    if (value != NULL) *value++ = '\0';
    status = tolmach_config_set(config, argv[i], value, &error);
  }
  if (status == TOLMACH_OK) status = tolmach_request_new(NULL, &request, &error);
  if (status == TOLMACH_OK)
    status = tolmach_request_message(request, "user", argv[2], TOLMACH_NUL_TERMINATED, &error);
  if (status == TOLMACH_OK) status = tolmach_client_new(config, &client, &error);
  report("fork", error);

  failures += status != TOLMACH_OK || !ask("parent", client, request);
  for (i = 0; i < CHILDREN && failures == 0; i++) {
    pid_t id;
    fflush(stdout); /* or each child would print it again */
    id = fork();
    if (id == 0) _exit(child(config, request, client));
    if (id < 0) perror("fork");
    failures += id < 0;
  }
  while (wait(&outcome) > 0) failures += !WIFEXITED(outcome) || WEXITSTATUS(outcome) != 0;
  /* What the children did has changed nothing here. */
  failures += failures == 0 && !ask("parent", client, request);
  tolmach_request_free(request);
  tolmach_client_free(client);
  tolmach_config_free(config);
  return failures == 0 ? 0 : 1;
}
