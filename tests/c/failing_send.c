/* To be loaded before everything else: after TEST_SENDS calls, send fails with the number
 * in TEST_SEND_ERROR. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

ssize_t send(int file, const void *bytes, size_t size, int flags) {
  static int calls;
  if (__sync_fetch_and_add(&calls, 1) < atoi(getenv("TEST_SENDS")))
    return sendto(file, bytes, size, flags, NULL, 0);
  errno = atoi(getenv("TEST_SEND_ERROR"));
  return -1;
}
