/* What the C and C++ programs share: a clock, what the process used, and the report. */
#ifndef MEASURE_H
#define MEASURE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* CLOCK_MONOTONIC in nanoseconds: the server stamps chunks with the same clock. */
static inline int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

typedef struct measure {
  int64_t wall, cpu, allocations;
  long switches, caller; /* waits of all threads, and of the one that measures */
  int timed;          /* whether texts are stamps */
  uint64_t text;      /* bytes of text */
  uint64_t chunks;
  int64_t *delays;
  size_t delays_count, delays_room;
} measure;

/* The number of allocations so far, where allocations.c is preloaded. */
static inline int64_t allocations_now(void) {
  int64_t (*count)(void);
  *(void **)&count = dlsym(RTLD_DEFAULT, "bench_allocations");
  return count ? count() : 0;
}

static inline void measure_read(measure *m, int64_t sign) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  m->wall += sign * now_ns();
  m->cpu += sign * ((int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
                    (int64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000);
  m->switches += (long)sign * usage.ru_nvcsw;
  getrusage(RUSAGE_THREAD, &usage);
  m->caller += (long)sign * usage.ru_nvcsw;
  m->allocations += sign * allocations_now();
}

/* Starts. `mode` is "flood" or "paced". */
static inline void measure_start(measure *m, const char *mode) {
  memset(m, 0, sizeof *m);
  m->timed = strcmp(mode, "paced") == 0;
  measure_read(m, -1);
}

static inline void measure_text(measure *m, const char *text, size_t len) {
  m->text += len;
  if (m->timed && len > 0) {
    int64_t stamp = 0;
    const char *end = text + len;
    for (; text < end; text++) stamp = stamp * 10 + (*text - '0');
    if (m->delays_count == m->delays_room) {
      m->delays_room = m->delays_room ? m->delays_room * 2 : 4096;
      m->delays = (int64_t *)realloc(m->delays, m->delays_room * sizeof *m->delays);
    }
    m->delays[m->delays_count++] = now_ns() - stamp;
  }
}

static inline int measure_compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static inline void measure_end(measure *m) {
  measure_read(m, 1);
  printf("wall=%lld cpu=%lld switches=%ld caller=%ld allocations=%lld text=%llu chunks=%llu", (long long)m->wall,
         (long long)m->cpu, m->switches, m->caller, (long long)m->allocations, (unsigned long long)m->text,
         (unsigned long long)m->chunks);
  if (m->delays_count > 0) {
    qsort(m->delays, m->delays_count, sizeof *m->delays, measure_compare);
    printf(" p50=%lld p99=%lld", (long long)m->delays[m->delays_count / 2],
           (long long)m->delays[m->delays_count * 99 / 100]);
  }
  printf("\n");
}

static inline void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

#endif
