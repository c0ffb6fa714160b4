// The servers that the tests ask, and short ways to ask them.
#ifndef STAGE_HPP
#define STAGE_HPP

#include <atomic>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include <tolmach.hpp>

#include "check.hpp"

namespace stage {

using settings = std::initializer_list<std::pair<std::string_view, std::string_view>>;

template <class T>
T value(const char* file, int line, tolmach::expected<T> made) {
  if (!made) check::stop(file, line, made.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*made);
}

inline std::string environment(const char* name) {
  const char* found = std::getenv(name);
  if (!found) check::stop(__FILE__, __LINE__, std::string(name) + " is not set");
  return found;
}

inline tolmach::config config_of(const char* url, const char* key, settings more) {
  auto config = VALUE(tolmach::config::create("openai"));
  VALUE(config.set("base_url", environment(url)));
  VALUE(config.set("api_key", environment(key)));
  VALUE(config.set("proxy", "direct"));
  for (const auto& [name, setting] : more) VALUE(config.set(name, setting));
  return config;
}

/// A client of the scripted server.
inline tolmach::client client(settings more = {}) {
  return VALUE(tolmach::client::create(config_of("TOLMACH_TEST_URL", "TOLMACH_TEST_KEY", more)));
}

/// A client of the real server.
inline tolmach::client real_client(settings more = {}) {
  return VALUE(
      tolmach::client::create(config_of("TOLMACH_TEST_REAL_URL", "TOLMACH_TEST_REAL_KEY", more)));
}

/// A message that no other test and no other run sends.
inline std::string unique(std::string_view about) {
  static std::atomic<int> count{0};
  return std::string(about) + " " + std::to_string(::getpid()) + " " + std::to_string(++count);
}

inline tolmach::request question(std::string_view model, std::string_view message) {
  auto request = VALUE(tolmach::request::create(model));
  VALUE(request.user(message));
  return request;
}

inline tolmach::session ask(const tolmach::client& asked, std::string_view model,
                            std::string_view message) {
  return VALUE(asked.open(question(model, message)));
}

/// An answer read to its end; `error` has status::ok where that was the proper one.
struct answer {
  std::string text, reasoning, finish, call_id, call_name, call_arguments;
  std::vector<std::string> pieces;
  tolmach::usage usage;
  tolmach::error error;
};

inline answer read(tolmach::session& session) {
  answer all;
  for (const auto& chunk : session) {
    if (!chunk) {
      all.error = chunk.error();
      continue;
    }
    switch (chunk->kind()) {
      case tolmach::chunk_kind::text:
        all.text += chunk->text();
        all.pieces.emplace_back(chunk->text());
        break;
      case tolmach::chunk_kind::reasoning: all.reasoning += chunk->text(); break;
      case tolmach::chunk_kind::tool_call:
        all.call_id += chunk->id();
        all.call_name += chunk->name();
        all.call_arguments += chunk->text();
        break;
      case tolmach::chunk_kind::usage: all.usage = chunk->usage(); break;
      case tolmach::chunk_kind::finish: all.finish = chunk->text(); break;
      default: break;
    }
  }
  return all;
}

/// Asks the scripted server and reads the answer to its end.
inline answer play(std::string_view model, std::string_view message = "Hello", settings more = {}) {
  auto session = ask(client(more), model, message);
  return read(session);
}

/// Reads `session` up to its first text, which has to be `text`.
inline void read_up_to(tolmach::session& session, std::string_view text) {
  for (;;) {
    const auto found = session.next();
    if (found.code != tolmach::status::ok) check::stop(__FILE__, __LINE__, found.error.message());
    if (found.chunk.kind() != tolmach::chunk_kind::text) continue;
    CHECK_EQ(found.chunk.text(), text);
    return;
  }
}

/// A PNG of one pixel: what the scripted server paints.
inline const std::vector<unsigned char> pixel = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00,
    0x00, 0x1f, 0x15, 0xc4, 0x89, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xda, 0x63, 0x64, 0x60, 0xf8, 0x5f, 0x0f, 0x00, 0x02, 0x87, 0x01, 0x80, 0xeb, 0x47,
    0xba, 0x92, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

}  // namespace stage

#endif
