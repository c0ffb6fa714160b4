/* What the programs with many sessions share: what the process holds, and the report. */
#ifndef MANY_H
#define MANY_H

#include "measure.h"

#include <dirent.h>
#include <unistd.h>

typedef struct held {
  long kilobytes, threads, descriptors;
} held;

static inline long held_entries(const char *folder) {
  DIR *entries = opendir(folder);
  long count = -2; /* . and .. */
  if (!entries) fail(folder);
  while (readdir(entries)) count++;
  closedir(entries);
  return count;
}

/* Resident memory, threads and descriptors of this process. */
static inline held held_now(void) {
  held h = {0, held_entries("/proc/self/task"), held_entries("/proc/self/fd")};
  char line[256];
  FILE *file = fopen("/proc/self/smaps_rollup", "r");
  if (!file) fail("no /proc/self/smaps_rollup");
  while (fgets(line, sizeof line, file)) sscanf(line, "Rss: %ld", &h.kilobytes);
  fclose(file);
  return h;
}

/* What each of `sessions` holds beyond `before`. */
static inline void held_report(held before, int sessions) {
  held h = held_now();
  printf("memory=%f threads=%f descriptors=%f\n", (double)(h.kilobytes - before.kilobytes) / sessions,
         (double)(h.threads - before.threads) / sessions, (double)(h.descriptors - before.descriptors) / sessions);
}

/* As many descriptors as the system lets a process have. */
static inline void more_descriptors(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

#endif
