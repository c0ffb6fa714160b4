/* To be loaded before everything else: after TEST_SENDS calls, send fails with the number
 * in TEST_SEND_ERROR; for good, or once, with the connection closed, if TEST_SEND_ONCE is set. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

ssize_t send(int file, const void *bytes, size_t size, int flags) {
  static int calls;
  int failed = __sync_fetch_and_add(&calls, 1) - atoi(getenv("TEST_SENDS"));
  int once = getenv("TEST_SEND_ONCE") != NULL;
  if (failed < 0 || (once && failed > 0)) return sendto(file, bytes, size, flags, NULL, 0);
  if (once) shutdown(file, SHUT_RDWR);
  errno = atoi(getenv("TEST_SEND_ERROR"));
  return -1;
}
