/* flood URL: reads the answer's bytes from a socket and throws them away. */
#include "../measure.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char path[256], request[512], buffer[16 * 1024];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int port, fd;
  ssize_t count;
  measure m;
  if (argc < 3 || sscanf(argv[2], "http://127.0.0.1:%d%255s", &port, path) != 2) fail("usage: raw flood URL");
  measure_start(&m, argv[1]);
  address.sin_port = htons((uint16_t)port);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("no connection");
  count = snprintf(request, sizeof request,
                   "POST %s/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", path);
  if (write(fd, request, (size_t)count) != count) fail("not sent");
  while ((count = read(fd, buffer, sizeof buffer)) > 0) m.text += (uint64_t)count;
  if (count < 0) fail("not read");
  close(fd);
  measure_end(&m);
  return 0;
}
