/* To be loaded before everything else: whatever could raise SIGPIPE ends the program. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void check(int loud, int file, const char *call) {
  struct stat what;
  if (!loud || fstat(file, &what) != 0 || !S_ISSOCK(what.st_mode)) return;
  fprintf(stderr, "%s can raise SIGPIPE\n", call);
  abort();
}

ssize_t write(int file, const void *bytes, size_t size) {
  check(1, file, "write");
  return syscall(SYS_write, file, bytes, size);
}

ssize_t writev(int file, const struct iovec *pieces, int count) {
  check(1, file, "writev");
  return syscall(SYS_writev, file, pieces, count);
}

ssize_t send(int file, const void *bytes, size_t size, int flags) {
  check(!(flags & MSG_NOSIGNAL), file, "send");
  return syscall(SYS_sendto, file, bytes, size, flags, NULL, 0);
}

ssize_t sendmsg(int file, const struct msghdr *message, int flags) {
  check(!(flags & MSG_NOSIGNAL), file, "sendmsg");
  return syscall(SYS_sendmsg, file, message, flags);
}
