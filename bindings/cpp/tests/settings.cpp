// Settings of a config and options of a request.
#include <algorithm>

#include "stage.hpp"

using namespace std::chrono_literals;

TEST(every_key_of_the_library_has_a_setting) {
  const auto known = tolmach::keys_of<tolmach::settings>();
  const auto options = tolmach::keys_of<tolmach::options>();
  const auto has = [](const auto& all, std::string_view name) {
    return std::find(all.begin(), all.end(), name) != all.end();
  };
  std::vector<std::string> seen;
  for (const auto& provider : tolmach::providers()) {
    const auto config = VALUE(tolmach::config::create(provider.name));
    for (const auto& key : config.keys()) {
      if (!has(known, key.name)) CHECK_EQ(key.name, "a member of tolmach::settings");
      if (key.is_option && !has(options, key.name)) CHECK_EQ(key.name, "a member of tolmach::options");
      CHECK(!key.help.empty());
      seen.emplace_back(key.name);
    }
  }
  // And none has a name that there is not.
  for (const auto name : known) CHECK(has(seen, name));
  for (const auto name : options) CHECK(has(seen, name));
}

TEST(settings_are_set_as_their_types) {
  tolmach::settings some;
  some.base_url = stage::environment("TOLMACH_TEST_URL");
  some.api_key = stage::environment("TOLMACH_TEST_KEY");
  some.proxy = "direct";
  some.headers = std::map<std::string, std::string>{{"X-Name", "a \"value\""}};
  some.idle_timeout = 30s;
  some.total_timeout = tolmach::no_limit;
  some.max_retries = 0;
  some.estimate_usage = true;
  some.model_aliases.emplace()["mine"] = {"words"};
  some.fallback_models = std::vector<std::string>{"a", "b"};
  const auto client = VALUE(tolmach::client::create("openai", some));
  CHECK_EQ(VALUE(client.ask(stage::question("mine", "Hello"))).text, "One two three.");

  // What is wrong with one is said as for its key.
  auto config = VALUE(tolmach::config::create("openai"));
  some.total_timeout = -5ms;
  CHECK_EQ(config.set("total_timeout_ms", tolmach::no_limit).has_value(), true);
  some.base_url = "ftp://nowhere";
  const auto failed = config.set(some);
  CHECK_EQ(failed.error().code(), tolmach::status::argument);
  CHECK(failed.error().message().find("base_url") != std::string_view::npos);
  CHECK_EQ(tolmach::client::create("openai", some).error().code(), tolmach::status::argument);
}

TEST(settings_are_read_from_json) {
  const auto url = stage::environment("TOLMACH_TEST_URL"), key = stage::environment("TOLMACH_TEST_KEY");
  const auto config = VALUE(tolmach::config::from_json(
      R"({"provider":"openai","proxy":"direct","max_retries":0,"base_url":")" + url +
      R"(","api_key":")" + key + R"("})"));
  const auto client = VALUE(tolmach::client::create(config));
  CHECK_EQ(VALUE(client.ask(stage::question("words", "Hello"))).text, "One two three.");
  CHECK_EQ(tolmach::config::from_json("{}").error().code(), tolmach::status::argument);
}

TEST(headers_are_set_one_by_one) {
  auto config = VALUE(tolmach::config::create("openai"));
  VALUE(config.header("X-Name", "value"));
  VALUE(config.unset_header("X-Name"));
  CHECK_EQ(config.header("X Name", "value").error().code(), tolmach::status::argument);
  CHECK_EQ(config.header({"X\0", 2}, "value").error().code(), tolmach::status::argument);
  CHECK_EQ(config.header("X-Name", {"a\0b", 3}).error().code(), tolmach::status::argument);
  CHECK_EQ(tolmach::config().header("X-Name", "value").error().code(), tolmach::status::argument);
}

TEST(options_are_for_one_request) {
  const auto client = stage::client();
  auto request = stage::question("silent", stage::unique("options"));
  tolmach::options some;
  some.total_timeout = 20ms;
  some.max_retries = 0;
  VALUE(request.set(some));
  CHECK_EQ(client.ask(request).error().code(), tolmach::status::timeout);
  // They are not part of what is sent, and a copy has them.
  CHECK(request.json().find("timeout") == std::string_view::npos);
  const auto copy = VALUE(request.clone());
  CHECK_EQ(client.ask(copy).error().code(), tolmach::status::timeout);
  CHECK_EQ(request.option("api_key", "x").error().code(), tolmach::status::argument);
  CHECK_EQ(request.option("max_retries", "many").error().code(), tolmach::status::argument);
  VALUE(request.option("idle_timeout_ms", "5"));
  VALUE(request.unset_option("idle_timeout_ms"));
  CHECK_EQ(tolmach::request().set(some).error().code(), tolmach::status::argument);
}

TEST(copy_of_a_request_is_its_own) {
  auto request = stage::question("words", "Hello");
  auto copy = VALUE(request.clone());
  VALUE(copy.user("More"));
  VALUE(copy.set_string("tool_choice", "au\"to"));
  CHECK_EQ(request.count(), 1u);
  CHECK_EQ(copy.count(), 2u);
  CHECK(copy.json().find(R"("tool_choice":"au\"to")") != std::string_view::npos);
  CHECK_EQ(tolmach::request().clone().error().code(), tolmach::status::argument);
  CHECK_EQ(tolmach::request().count(), 0u);
  CHECK_EQ(tolmach::request().truncate(0).error().code(), tolmach::status::argument);
  CHECK_EQ(tolmach::request().tool("a", "").error().code(), tolmach::status::argument);
  CHECK_EQ(request.tool({"a\0", 2}, "").error().code(), tolmach::status::argument);
}
