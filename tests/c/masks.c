/* masks URL: while a session waits, every thread of the library blocks every signal that
 * can be blocked. Prints how many threads there are. */
#include "check.h"

#include <dirent.h>
#include <signal.h>

int main(int argc, char **argv) {
  tolmach_client *client = client_at(argv[argc - 1]);
  tolmach_session *session = ask(client, "Hi");
  unsigned long all = 0x7fffffffUL & ~(1UL << (SIGKILL - 1)) & ~(1UL << (SIGSTOP - 1));
  struct dirent *task;
  DIR *folder;
  int threads = 0;

  await_line("asked");
  folder = opendir("/proc/self/task");
  CHECK(folder != NULL);
  while ((task = readdir(folder))) {
    char path[300], line[256];
    FILE *file;
    int ours = 0;
    sprintf(path, "/proc/self/task/%.20s/status", task->d_name);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
      if (!strncmp(line, "Name:\ttolmach", 13)) ours = 1;
      if (ours && !strncmp(line, "SigBlk:", 7)) {
        CHECK((strtoul(line + 7, NULL, 16) & all) == all);
        threads++;
      }
    }
    if (file) fclose(file);
  }
  closedir(folder);
  printf("%d\n", threads);
  tolmach_session_free(session);
  tolmach_client_free(client);
  return 0;
}
