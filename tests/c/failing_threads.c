/* To be loaded before everything else: after TEST_THREADS threads the system makes no more. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument) {
  static int calls;
  void *found;
  create *real;
  if (__sync_fetch_and_add(&calls, 1) >= atoi(getenv("TEST_THREADS"))) return EAGAIN;
  found = dlsym(RTLD_NEXT, "pthread_create");
  memcpy(&real, &found, sizeof real);
  return real(thread, attributes, start, argument);
}
