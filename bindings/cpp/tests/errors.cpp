#include <netinet/in.h>
#include <sys/socket.h>

#include "stage.hpp"

using tolmach::status;
using namespace std::chrono_literals;

namespace {

/// What an answer of the scripted server ends with.
tolmach::error error_of(std::string_view model, stage::settings more = {{"max_retries", "0"}}) {
  return stage::play(model, "Hello", more).error;
}

/// A port of the loopback that is taken, so that nobody else can, and that refuses.
class closed_port {
 public:
  closed_port() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    CHECK_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    number_ = ntohs(address.sin_port);
  }
  ~closed_port() { ::close(socket_); }
  closed_port(const closed_port&) = delete;
  closed_port& operator=(const closed_port&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int socket_;
  int number_ = 0;
};

}  // namespace

TEST(unknown_key_is_an_argument_error) {
  auto config = VALUE(tolmach::config::create("openai"));
  const auto set = config.set("colour", "blue");
  CHECK(!set);
  CHECK_EQ(set.error().code(), status::argument);
  CHECK(set.error().message().find("base_url") != std::string_view::npos);
  CHECK_EQ(set.error().http_status(), std::nullopt);
  CHECK_EQ(set.error().retry_after(), std::nullopt);
  CHECK_EQ(config.set("max_retries", "many").error().code(), status::argument);
  CHECK(config.set("max_retries", "1") && config.unset("max_retries"));
}

TEST(unknown_provider_is_an_argument_error) {
  const auto client = tolmach::client::create("nobody");
  CHECK(!client);
  CHECK_EQ(client.error().code(), status::argument);
  CHECK(client.error().message().find("gigachat") != std::string_view::npos);
  CHECK_EQ(tolmach::client::create("openai", {{"colour", "blue"}}).error().code(),
           status::argument);
}

TEST(nul_in_a_name_is_an_argument_error) {
  using namespace std::string_view_literals;
  auto config = VALUE(tolmach::config::create("openai"));
  CHECK_EQ(tolmach::config::create("open\0ai"sv).error().code(), status::argument);
  CHECK_EQ(config.set("model\0"sv, "words").error().code(), status::argument);
  CHECK_EQ(config.set("model", "words\0"sv).error().code(), status::argument);
  CHECK_EQ(config.unset("model\0"sv).error().code(), status::argument);
  CHECK_EQ(tolmach::request::create("words\0"sv).error().code(), status::argument);
  auto request = VALUE(tolmach::request::create("words"));
  CHECK_EQ(request.message("user\0"sv, "Hello").error().code(), status::argument);
  VALUE(request.user("Hello"));
  CHECK_EQ(request.attach(stage::pixel, "image/png\0"sv).error().code(), status::argument);
  CHECK_EQ(request.attach_url("http://a\0b"sv).error().code(), status::argument);
  CHECK_EQ(request.tool_result("call\0"sv, "cold").error().code(), status::argument);
  CHECK_EQ(request.set("tools\0"sv, "[]").error().code(), status::argument);
  CHECK(request.set("tools\0"sv, "[]").error().message().find("NUL") != std::string_view::npos);
}

TEST(bad_utf8_and_bad_json_are_argument_errors) {
  auto request = VALUE(tolmach::request::create("words"));
  CHECK_EQ(request.user("\xff").error().code(), status::argument);
  CHECK_EQ(request.message("pilot", "Hello").error().code(), status::argument);
  CHECK_EQ(request.set("tools", "[").error().code(), status::argument);
  CHECK_EQ(request.attach_url("http://example.com/a.png").error().code(), status::argument);
  CHECK_EQ(tolmach::request::from_json("{").error().code(), status::argument);
  CHECK_EQ(tolmach::request::from_json({}).error().code(), status::argument);
}

TEST(wrong_key_is_an_auth_error) {
  const auto error = error_of("words", {{"api_key", "wrong"}});
  CHECK_EQ(error.code(), status::auth);
  CHECK_EQ(error.http_status(), 401);
  CHECK_EQ(error.provider_code(), "invalid_api_key");
  CHECK(error.message().find("wrong") == std::string_view::npos);
}

TEST(too_many_requests_say_when_to_return) {
  const auto error = error_of("status-429");
  CHECK_EQ(error.code(), status::rate_limited);
  CHECK(error.is(status::rate_limited));
  CHECK_EQ(error.http_status(), 429);
  CHECK_EQ(error.retry_after(), 7s);
  CHECK_EQ(error.provider_code(), "code_429");
  CHECK_EQ(error.request_id(), "req-42");
  CHECK(error.message().find("Scripted 429") != std::string_view::npos);
  CHECK(error.body().find("\"scripted_error\"") != std::string_view::npos);
}

TEST(refusals_of_the_provider_have_their_classes) {
  CHECK_EQ(error_of("quota").code(), status::quota);
  CHECK_EQ(error_of("status-400").code(), status::bad_request);
  CHECK_EQ(error_of("status-404").code(), status::not_found);
  CHECK_EQ(error_of("context-length").code(), status::context_length);
  CHECK_EQ(error_of("blocked").code(), status::blocked);
  CHECK_EQ(error_of("status-500").code(), status::server);
}

TEST(error_within_an_answer_is_a_provider_error) {
  const auto answer = stage::play("fails");
  CHECK_EQ(answer.text, "first ");
  CHECK_EQ(answer.error.code(), status::provider);
  CHECK_EQ(answer.error.provider_code(), "code_odd");
}

TEST(web_page_is_a_protocol_error) {
  CHECK_EQ(error_of("html").code(), status::protocol);
}

TEST(cut_answer_is_truncated) {
  const auto answer = stage::play("truncated");
  CHECK_EQ(answer.text, "first ");
  CHECK_EQ(answer.error.code(), status::truncated);
}

TEST(event_above_the_limit_is_too_large) {
  const auto result = std::string(100000, 'x');
  const auto request = VALUE(tolmach::request::from_json(
      R"({"model": "weather", "messages": [{"role": "assistant", "tool_calls": [{"id": "call_1",
          "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]},
          {"role": "tool", "tool_call_id": "call_1", "content": ")" +
      result + R"("}]})"));
  auto session = VALUE(stage::client({{"max_event_bytes", "2048"}}).open(request));
  CHECK_EQ(stage::read(session).error.code(), status::too_large);
  auto whole = VALUE(stage::client().open(request));
  CHECK_EQ(stage::read(whole).text, "It is " + result + ".");
}

TEST(silence_is_a_timeout) {
  auto config = stage::config_of("TOLMACH_TEST_URL", "TOLMACH_TEST_KEY", {{"max_retries", "0"}});
  VALUE(config.set("first_byte_timeout_ms", 50ms));
  const auto client = VALUE(tolmach::client::create(config));
  auto session = stage::ask(client, "silent", "Hello");
  CHECK_EQ(stage::read(session).error.code(), status::timeout);
}

TEST(closed_port_is_a_connect_error) {
  const closed_port port;
  const auto url = "http://127.0.0.1:" + std::to_string(port.number());
  CHECK_EQ(error_of("words", {{"base_url", url}, {"max_retries", "0"}}).code(), status::connect);
}

TEST(unknown_host_is_a_dns_error) {
  CHECK_EQ(error_of("words", {{"base_url", "http://nothing.invalid"}, {"max_retries", "0"}}).code(),
           status::dns);
}

TEST(tls_with_a_server_that_has_none_is_a_tls_error) {
  const auto url = "https" + stage::environment("TOLMACH_TEST_REAL_URL").substr(4);
  CHECK_EQ(error_of("words", {{"base_url", url}, {"max_retries", "0"}}).code(), status::tls);
}

TEST(error_outlives_its_session_and_is_copied) {
  tolmach::error error;
  {
    const auto first = error_of("status-404");
    error = first;
  }
  CHECK_EQ(error.http_status(), 404);
  CHECK_EQ(error.provider_code(), "code_404");
}

TEST(models_fail_with_the_errors_of_a_session) {
  CHECK_EQ(stage::client({{"api_key", "wrong"}}).models().error().code(), status::auth);
}

TEST(statuses_keep_their_names_and_unknown_ones_their_sign) {
  CHECK_EQ(tolmach::name(status::rate_limited), "TOLMACH_E_RATE_LIMITED");
  CHECK_EQ(tolmach::name(status::unsupported), "TOLMACH_E_UNSUPPORTED");
  CHECK_EQ(tolmach::name(status{-999}), "unknown status");
  CHECK(tolmach::is_error(status{-999}) && tolmach::is_error(status::internal));
  CHECK(!tolmach::is_error(status{999}) && !tolmach::is_error(status::end));
  CHECK_EQ(tolmach::error(status{-999}, "New").message(), "New");
  CHECK_EQ(tolmach::error(status::internal, static_cast<tolmach_error*>(nullptr)).message(),
           "TOLMACH_E_INTERNAL");
}

#if defined(TOLMACH_EXCEPTIONS)

namespace {

/// The class whose exception `code` is thrown as: the type itself, not one above it.
template <class Exception>
bool is_thrown_as(status code) {
  const tolmach::expected<int> failed = tolmach::unexpected(tolmach::error(code, "It is so"));
  try {
    tolmach::value_or_throw(failed);
  } catch (const tolmach::exception& thrown) {
    return typeid(thrown) == typeid(Exception) && thrown.error().code() == code &&
           std::string_view(thrown.what()) == "It is so";
  }
  return false;
}

}  // namespace

TEST(each_class_is_thrown_as_its_type) {
  CHECK(is_thrown_as<tolmach::argument_error>(status::argument));
  CHECK(is_thrown_as<tolmach::busy_error>(status::busy));
  CHECK(is_thrown_as<tolmach::cancelled_error>(status::cancelled));
  CHECK(is_thrown_as<tolmach::timeout_error>(status::timeout));
  CHECK(is_thrown_as<tolmach::dns_error>(status::dns));
  CHECK(is_thrown_as<tolmach::connect_error>(status::connect));
  CHECK(is_thrown_as<tolmach::tls_error>(status::tls));
  CHECK(is_thrown_as<tolmach::auth_error>(status::auth));
  CHECK(is_thrown_as<tolmach::quota_error>(status::quota));
  CHECK(is_thrown_as<tolmach::rate_limited_error>(status::rate_limited));
  CHECK(is_thrown_as<tolmach::bad_request_error>(status::bad_request));
  CHECK(is_thrown_as<tolmach::not_found_error>(status::not_found));
  CHECK(is_thrown_as<tolmach::context_length_error>(status::context_length));
  CHECK(is_thrown_as<tolmach::blocked_error>(status::blocked));
  CHECK(is_thrown_as<tolmach::server_error>(status::server));
  CHECK(is_thrown_as<tolmach::provider_error>(status::provider));
  CHECK(is_thrown_as<tolmach::protocol_error>(status::protocol));
  CHECK(is_thrown_as<tolmach::truncated_error>(status::truncated));
  CHECK(is_thrown_as<tolmach::too_large_error>(status::too_large));
  CHECK(is_thrown_as<tolmach::unsupported_error>(status::unsupported));
  CHECK(is_thrown_as<tolmach::internal_error>(status::internal));
  CHECK(is_thrown_as<tolmach::no_memory_error>(status::no_memory));
  CHECK(is_thrown_as<tolmach::exception>(status{-999}));
}

TEST(error_of_a_session_is_caught_by_its_type) {
  auto session = stage::ask(stage::client({{"max_retries", "0"}}), "status-429", "Hello");
  bool is_caught = false;
  try {
    for (const auto& chunk : session) static_cast<void>(tolmach::value_or_throw(chunk));
  } catch (const tolmach::rate_limited_error& thrown) {
    is_caught = thrown.error().retry_after() == 7s;
  }
  CHECK(is_caught);
}

TEST(loop_over_what_nobody_named_reads_what_is_there) {
  const auto client = stage::client();
  const auto question = stage::question("words", "Hello");
  std::string text;
  for (const auto& chunk : tolmach::value_or_throw(client.open(question))) {
    if (chunk && chunk->kind() == tolmach::chunk_kind::text) text += chunk->text();
  }
  CHECK_EQ(text, "One two three.");
}

TEST(value_or_throw_gives_the_value) {
  using tolmach::value_or_throw;
  auto config = value_or_throw(tolmach::config::create("openai"));
  value_or_throw(config.set("base_url", stage::environment("TOLMACH_TEST_URL")));
  value_or_throw(config.set("api_key", stage::environment("TOLMACH_TEST_KEY")));
  const auto client = value_or_throw(tolmach::client::create(config));
  auto session = value_or_throw(client.open(stage::question("words", "Hello")));
  std::string text;
  for (const auto& chunk : session) {
    const auto& piece = value_or_throw(chunk);
    if (piece.kind() == tolmach::chunk_kind::text) text += piece.text();
  }
  CHECK_EQ(text, "One two three.");
  tolmach::expected<std::string> made("made");
  value_or_throw(made) += " well";
  CHECK_EQ(*made, "made well");
  const tolmach::expected<void> done;
  value_or_throw(done);
}

#endif
