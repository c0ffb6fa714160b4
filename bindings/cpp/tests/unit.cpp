// One of several units of a program, which may be of several standards.
#include <string>

#include <tolmach.hpp>

#if defined(UNIT)

/// Tells an error that comes of every kind of expected.
std::string UNIT() {
  auto config = tolmach::config::create("openai");
  if (!config || !config->set("api_key", "")) return "no config";
  const auto client = tolmach::client::create(*config);
  if (!client) return "no client";
  auto session = client->open(tolmach::request());
  return session ? "a session" : std::string(tolmach::name(session.error().code()));
}

#else

std::string one();
std::string two();

int main() {
  return one() == "TOLMACH_E_ARGUMENT" && two() == one() ? 0 : 1;
}

#endif
