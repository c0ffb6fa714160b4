// What the examples share: a client of the settings on their command line.
#ifndef SETTINGS_HPP
#define SETTINGS_HPP

#include <string_view>

#include <tolmach.hpp>

/// A client of `provider`, with the settings KEY=VALUE that begin at `at`; null ends them.
inline tolmach::expected<tolmach::client> client_of(std::string_view provider, char** at) {
  auto config = tolmach::config::create(provider);
  if (!config) return tolmach::unexpected(config.error());
  for (; *at; ++at) {
    const std::string_view setting = *at;
    const auto sign = setting.find('=');
    const auto value = sign < setting.size() ? setting.substr(sign + 1) : std::string_view();
    if (auto set = config->set(setting.substr(0, sign), value); !set) {
      return tolmach::unexpected(set.error());
    }
  }
  return tolmach::client::create(*config);
}

#endif
