/* soak URL CYCLES: opens, cancels and frees sessions in turns, some before they are under
 * way and some amid their answer; nothing may grow: threads, descriptors, memory. */
#include "check.h"

#include <dirent.h>

static long status(const char *name) {
  char line[256];
  long value = -1;
  size_t length = strlen(name);
  FILE *file = fopen("/proc/self/status", "r");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file))
    if (!strncmp(line, name, length)) value = atol(line + length + 1);
  fclose(file);
  return value;
}

static long descriptors(void) {
  long count = 0;
  DIR *folder = opendir("/proc/self/fd");
  CHECK(folder != NULL);
  while (readdir(folder)) count++;
  closedir(folder);
  return count;
}

static void cycles(const tolmach_client *client, int count) {
  const tolmach_chunk *chunk;
  int i;
  for (i = 0; i < count; i++) {
    tolmach_session *session = ask(client, "Hi");
    if (i % 3 == 0) CHECK(tolmach_session_poll(session, -1, &chunk, NULL) == TOLMACH_OK);
    if (i % 2 == 0) tolmach_session_cancel(session);
    if (i % 5 == 0) CHECK(tolmach_session_fd(session) >= 0);
    tolmach_session_free(session);
  }
}

/* Waits until what was freed has gone: threads and sockets end a moment later. */
static void settle_at(long threads, long files) {
  struct timespec moment = {0, 10 * 1000 * 1000};
  int patience = 6000;
  while ((status("Threads:") > threads || descriptors() > files) && patience-- > 0) nanosleep(&moment, NULL);
}

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[1]);
  int count = atoi(argv[argc - 1]);
  long threads, files, kib;

  cycles(client, count / 10);
  settle_at(24, 64);
  threads = status("Threads:");
  files = descriptors();
  kib = status("VmRSS:");
  cycles(client, count);
  settle_at(threads, files);
  printf("threads %ld then %ld, descriptors %ld then %ld, KiB %ld then %ld\n", threads,
         status("Threads:"), files, descriptors(), kib, status("VmRSS:"));
  CHECK(status("Threads:") <= threads + 4);
  CHECK(descriptors() <= files + 4);
  CHECK(status("VmRSS:") <= kib + 8 * 1024);
  tolmach_client_free(client);
  return 0;
}
