// What must not compile: each CASE above 0 loses an error or what it needs.
#include <string>

#include <tolmach.hpp>

#if defined(TOLMACH_EXCEPTIONS)
#error "no case needs exceptions"
#endif

void lose(tolmach::config& config, tolmach::request& request, tolmach::session& session,
          const tolmach::client& client) {
#if CASE == 0  // The right way of each.
  if (!config.set("model", "words") || !request.user("Hello") || !client.open(request)) return;
  for (const auto& chunk : session) {
    if (chunk) static_cast<void>(chunk->text());
  }
  if (session.next().code == tolmach::status::end) return;
  if (!session.on_ready([] {})) return;
#elif CASE == 1
  config.set("model", "words");
#elif CASE == 2
  request.user("Hello");
#elif CASE == 3
  client.open(request);
#elif CASE == 4
  session.next();
#elif CASE == 5
  while (auto chunk = session.next()) static_cast<void>(chunk);
#elif CASE == 6
  for (const auto& chunk : session) static_cast<void>(chunk.text());
#elif CASE == 7
  tolmach::session copy = session;
#elif CASE == 8
  std::string text = session.next().chunk;
#elif CASE == 9
  if (!request.attach("a literal")) return;
#elif CASE == 10
  if (!session.on_ready(7)) return;
#endif
  static_cast<void>(config), static_cast<void>(request), static_cast<void>(client);
}
