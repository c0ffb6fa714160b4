// What must not compile: each CASE above 0 loses an error, or what it needs, or reads what is
// gone with a temporary.
#include <iostream>
#include <string>

#include <tolmach.hpp>

#if defined(TOLMACH_EXCEPTIONS)
#error "no case needs exceptions"
#endif

struct undescribed {};
struct described {};

template <>
struct tolmach::schema<described> {
  static constexpr auto members = std::tuple();
};

void lose(tolmach::config& config, tolmach::request& request, tolmach::session& session,
          const tolmach::client& client) {
#if CASE == 0  // The right way of each.
  if (!config.set("model", "words") || !request.user("Hello") || !client.open(request)) return;
  for (const auto& chunk : session) {
    if (chunk) static_cast<void>(chunk->text());
  }
  if (session.next().code == tolmach::status::end) return;
  if (!session.on_ready([] {})) return;
  if (auto opened = client.open(request)) {
    for (const auto& chunk : *opened) static_cast<void>(chunk);
    if (opened->next().code == tolmach::status::end || opened->reply().empty()) return;
    session = std::move(*opened);
  }
  if (const auto models = client.models()) {
    for (const auto& model : *models) static_cast<void>(model);
  }
  if (auto made = tolmach::request::from_json("{}"); !made || made->json().empty()) return;
  const auto why = client.open(request).error();
  static_cast<void>(why);
  if (const auto answer = client.ask(request)) std::cout << answer->text;
  if (const auto answer = client.run(request, {}); !answer) return;
  std::cout << session.text() << config.keys().size();
  if (const auto parsed = tolmach::parse<described>("{}"); !parsed) return;
  const tolmach::tool tool("described", "", [](const described&) { return "text"; });
  const tolmach::tool other("of a schema", "", tolmach::object_schema(),
                            [](const tolmach::arguments&) { return "text"; });
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
#elif CASE == 11
  for (const auto& chunk : *client.open(request)) static_cast<void>(chunk);
#elif CASE == 12
  for (const auto& model : *client.models()) static_cast<void>(model);
#elif CASE == 13
  const auto found = client.open(request)->next();
  static_cast<void>(found);
#elif CASE == 14
  const auto& opened = *client.open(request);
  static_cast<void>(opened);
#elif CASE == 15
  const auto first = tolmach::session().begin();
  static_cast<void>(first);
#elif CASE == 16
  const auto found = tolmach::session().next();
  static_cast<void>(found);
#elif CASE == 17
  const auto found = tolmach::session().poll();
  static_cast<void>(found);
#elif CASE == 18
  const std::string_view reply = tolmach::session().reply();
  static_cast<void>(reply);
#elif CASE == 19
  const std::string_view json = tolmach::request().json();
  static_cast<void>(json);
#elif CASE == 20
  client.ask(request);
#elif CASE == 21
  std::cout << client.ask(request)->text;
#elif CASE == 22
  client.run(request, {});
#elif CASE == 23
  const std::string_view text = tolmach::session().text();
  static_cast<void>(text);
#elif CASE == 24
  const auto keys = tolmach::config().keys();
  static_cast<void>(keys);
#elif CASE == 25
  const auto parsed = tolmach::parse<undescribed>("{}");
  static_cast<void>(parsed);
#elif CASE == 26
  const tolmach::tool tool("undescribed", "", [](const undescribed&) { return "text"; });
  static_cast<void>(tool);
#elif CASE == 27
  const tolmach::tool tool("without a schema", "", [](const tolmach::arguments&) { return "text"; });
  static_cast<void>(tool);
#else
#error "the script counts wrong"
#endif
  static_cast<void>(config), static_cast<void>(request), static_cast<void>(session);
  static_cast<void>(client);
}
