/* idle|rate URL SESSIONS KEY=VALUE ...: many sessions of one client, in one event loop.
 *
 * idle: what a session holds after its first text. rate: reads all to their ends. */
#include "../many.h"
#include "open.h"

#include <sys/epoll.h>

int main(int argc, char **argv) {
  tolmach_error *error = NULL;
  tolmach_client *client;
  tolmach_session *warm, **sessions;
  const tolmach_chunk *chunk = NULL;
  tolmach_status status;
  held before;
  measure m;
  int count, open, i, loop = epoll_create1(0);
  if (argc < 5) fail("usage: many idle|rate URL SESSIONS KEY=VALUE ...");
  more_descriptors();
  count = atoi(argv[3]);
  sessions = (tolmach_session **)malloc((size_t)count * sizeof *sessions);
  memset(sessions, 0, (size_t)count * sizeof *sessions);
  client = client_at("openai", argv[2], argv + 4, argc - 4);
  if (strcmp(argv[1], "idle") == 0) {
    /* What the first session of a process costs is no session's own. */
    warm = ask(client);
    first_text(warm);
    before = held_now();
    for (i = 0; i < count; i++) sessions[i] = ask(client);
    for (i = 0; i < count; i++) first_text(sessions[i]);
    held_report(before, count);
    return 0;
  }
  measure_start(&m, "paced");
  for (i = 0; i < count; i++) {
    struct epoll_event event = {EPOLLIN, {.u32 = (uint32_t)i}};
    sessions[i] = ask(client);
    if (epoll_ctl(loop, EPOLL_CTL_ADD, tolmach_session_fd(sessions[i]), &event) != 0) fail("no epoll");
  }
  for (open = count; open > 0;) {
    struct epoll_event events[64];
    int ready = epoll_wait(loop, events, 64, -1);
    for (i = 0; i < ready; i++) {
      tolmach_session *session = sessions[events[i].data.u32];
      while ((status = tolmach_session_poll(session, 0, &chunk, &error)) == TOLMACH_OK) {
        m.chunks++;
        if (chunk->kind == TOLMACH_CHUNK_TEXT) measure_text(&m, chunk->text.ptr, chunk->text.len);
      }
      check(status, &error);
      if (status == TOLMACH_END) {
        epoll_ctl(loop, EPOLL_CTL_DEL, tolmach_session_fd(session), NULL);
        tolmach_session_free(session);
        open--;
      }
    }
  }
  measure_end(&m);
  return 0;
}
