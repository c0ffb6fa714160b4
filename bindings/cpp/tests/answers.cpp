// Whole answers, answers of a type, and tools.
#include <cstring>
#include <stdexcept>

#include "stage.hpp"

namespace {

struct report {
  std::string city;
  double celsius = 0;
};

struct place {
  std::string city;
};

}  // namespace

template <>
struct tolmach::schema<report> {
  static constexpr auto members = std::tuple(tolmach::member("city", &report::city),
                                             tolmach::member("celsius", &report::celsius));
};

template <>
struct tolmach::schema<place> {
  static constexpr auto members = std::tuple(tolmach::member("city", &place::city, "Its name"));
};

namespace {

using tolmach::status;

tolmach::tool weather() {
  return {"weather", "Tells the weather of a city", [](const place& it) {
            return it.city == "Oslo" ? "3 °C" : "5 °C";
          }};
}

/// Has the model call `calls`, once, and returns what it was told, as a JSON list.
std::string told(const std::vector<tolmach::tool>& tools, std::string_view calls) {
  auto conversation = stage::question("calls", calls);
  return VALUE(stage::client().run(conversation, tools)).text;
}

}  // namespace

TEST(answer_has_everything) {
  const auto answer = VALUE(stage::client().ask(stage::question("words", "Hello")));
  CHECK_EQ(answer.text, "One two three.");
  CHECK_EQ(answer.reasoning, "Hm.");
  CHECK_EQ(answer.refusal, "");
  CHECK_EQ(answer.finish_reason, "stop");
  CHECK_EQ(answer.usage.input, 3);
  CHECK_EQ(answer.usage.output, 5);
  CHECK(!answer.model.empty());
  CHECK(answer.tool_calls.empty() && answer.images.empty() && answer.sources.empty());
}

TEST(answer_has_its_tool_calls_whole) {
  auto request = stage::question("tools", "The weather?");
  VALUE(request.tool(weather()));
  const auto answer = VALUE(stage::client().ask(request));
  CHECK_EQ(answer.finish_reason, "tool_calls");
  CHECK_EQ(answer.tool_calls.size(), 2u);
  CHECK_EQ(answer.tool_calls.at(1).id, "call_2");
  CHECK_EQ(answer.tool_calls.at(1).name, "weather");
  CHECK_EQ(answer.tool_calls.at(1).index, 1);
  CHECK_EQ(VALUE(tolmach::parse<place>(answer.tool_calls.at(1).arguments)).city, "Bergen");
}

TEST(answer_has_its_images) {
  const auto answer = VALUE(stage::client().ask(stage::question("gpt-image-1", "A pixel")));
  CHECK_EQ(answer.images.size(), 1u);
  const auto& image = answer.images.at(0);
  CHECK_EQ(image.mime, "image/png");
  CHECK_EQ(image.url, "");
  CHECK_EQ(image.bytes.size(), stage::pixel.size());
  CHECK(std::memcmp(image.bytes.data(), stage::pixel.data(), stage::pixel.size()) == 0);
}

TEST(answer_of_a_session_has_what_was_read_before) {
  auto session = stage::ask(stage::client(), "words", "Hello");
  stage::read_up_to(session, "One ");
  CHECK_EQ(session.text(), "One ");
  const auto answer = VALUE(session.answer());
  CHECK_EQ(answer.text, "One two three.");
  CHECK_EQ(answer.reasoning, "Hm.");
  // Asked again, it is the same.
  CHECK_EQ(VALUE(session.answer()).reasoning, "Hm.");
  // So it is for a session that was moved after it was read.
  auto moved = std::move(session);
  CHECK_EQ(VALUE(moved.answer()).usage.output, 5);
  CHECK_EQ(session.answer().error().code(), status::argument);
}

TEST(answer_that_fails_has_what_came_before) {
  auto failed = stage::client().ask(stage::question("truncated", "Hello"));
  CHECK(!failed);
  CHECK_EQ(failed.error().code(), status::truncated);
  CHECK(failed.error().answer() != nullptr);
  if (failed.error().answer()) CHECK_EQ(failed.error().answer()->text, "first ");
  // The rest of the error is the library's.
  CHECK_EQ(failed.error().message(), stage::play("truncated").error.message());
  const auto refused = stage::client({{"max_retries", "0"}}).ask(stage::question("status-429", "Hello"));
  CHECK_EQ(refused.error().request_id(), "req-42");
  CHECK_EQ(refused.error().is_transient(), true);
  CHECK(!refused.error().answer() || refused.error().answer()->text.empty());
  CHECK_EQ(tolmach::client().ask(tolmach::request()).error().code(), status::argument);
}

TEST(answer_is_read_into_a_type) {
  const auto client = stage::client();
  const auto question = stage::question("gpt-4o", "Oslo?");
  const auto before = std::string(question.json());
  const auto it = VALUE(client.ask_for<report>(question));
  CHECK_EQ(it.city, "Oslo");
  CHECK_EQ(it.celsius, 3.0);
  CHECK_EQ(question.json(), before);
}

TEST(answer_of_another_type_is_an_error_with_its_text) {
  const auto wrong = stage::client().ask_for<report>(stage::question("echo", R"({"city":"Oslo","celsius":"3"})"));
  CHECK_EQ(wrong.error().code(), status::protocol);
  CHECK_EQ(wrong.error().message(), "celsius: expected a number at byte 25");
  CHECK_EQ(wrong.error().body(), R"({"city":"Oslo","celsius":"3"})");
  tolmach::answer answer;
  answer.refusal = "No.";
  CHECK_EQ(answer.as<report>().error().code(), status::blocked);
  CHECK_EQ(answer.as<report>().error().message(), "the model refuses: No.");
  answer = {};
  answer.text = R"({"city":"Os)";
  answer.finish_reason = "length";
  CHECK_EQ(answer.as<report>().error().code(), status::truncated);
  CHECK_EQ(answer.as<report>().error().body(), answer.text);
}

TEST(format_of_a_type_is_strict_where_it_can_be) {
  auto request = stage::question("words", "Hello");
  VALUE(request.answer_as<report>("report"));
  CHECK(request.json().find(R"("response_format":{"type":"json_schema","json_schema":{"name":"report","strict":true,"schema":{"type":"object")") !=
        std::string_view::npos);
  VALUE((request.answer_as<std::map<std::string, int>>()));
  CHECK(request.json().find("strict") == std::string_view::npos);
  CHECK(request.json().find(R"("name":"answer")") != std::string_view::npos);
}

TEST(tools_are_run_until_the_answer_is_text) {
  auto conversation = stage::question("tools", "The weather?");
  const auto answer = VALUE(stage::client().run(conversation, {weather()}));
  CHECK_EQ(answer.text, "Oslo: 3 °C, Bergen: 5 °C.");
  // Question, calls, two results, answer.
  CHECK_EQ(conversation.count(), 5u);
  VALUE(conversation.truncate(1));
  CHECK_EQ(conversation.count(), 1u);
  CHECK(conversation.json().find("Its name") != std::string_view::npos);
}

TEST(tool_tells_what_its_function_returns) {
  int count = 0;
  const std::vector<tolmach::tool> tools = {
      {"text", "", [](const place& it) { return it.city; }},
      {"value", "", [](const place& it) { return report{it.city, 2.5}; }},
      {"nothing", "", [&count] { ++count; }},
      {"fails", "",
       [](const place&) -> tolmach::expected<std::string> {
         return tolmach::unexpected(tolmach::error(status::not_found, "no such city"));
       }},
      {"done", "", []() -> tolmach::expected<void> { return {}; }},
      {"given", "", tolmach::object_schema().string("city").integer("days").optional(),
       [](const tolmach::arguments& it) -> tolmach::expected<std::string> {
         auto city = it.get<std::string>("city");
         if (!city) return city;
         return *city + std::to_string(it.get<std::optional<int>>("days").value_or(7).value_or(8));
       }},
  };
  constexpr auto* city = R"({\"city\":\"Oslo\"})";
  std::string calls;
  for (const auto* name : {"text", "value", "nothing", "fails", "done", "given"}) {
    calls += (calls.empty() ? "[" : ",") + ("[\"" + std::string(name)) + "\",\"" + city + "\"]";
  }
  CHECK_EQ(told(tools, calls + "]"),
           R"(["Oslo","{\"city\":\"Oslo\",\"celsius\":2.5}","done","error: no such city","done","Oslo8"])");
  CHECK_EQ(count, 1);
}

TEST(what_goes_wrong_with_a_tool_is_told_to_the_model) {
  std::vector<tolmach::tool> tools = {weather()};
  CHECK_EQ(told(tools, R"([["weather","{\"city\":3}"],["weather","{}"],["wether","{}"]])"),
           R"(["error: city: expected a string at byte 8","error: city: it is missing at byte 2",)"
           R"("error: there is no tool \"wether\"; there are: weather"])");
#if defined(__cpp_exceptions)
  tools.emplace_back("throws", "", []() -> std::string { throw std::runtime_error("out of order"); });
  CHECK_EQ(told(tools, R"([["throws","{}"],["weather","{\"city\":\"Oslo\"}"]])"),
           R"(["error: out of order","3 °C"])");
#endif
}

TEST(rounds_of_tools_are_limited) {
  auto conversation = stage::question("calls-for-ever", R"([["count","{}"]])");
  int count = 0;
  const auto failed = stage::client().run(conversation, {{"count", "", [&count] { return ++count; }}}, 3);
  CHECK_EQ(failed.error().code(), status::too_large);
  CHECK_EQ(failed.error().message(), "the answer still calls tools after 3 rounds");
  CHECK_EQ(count, 2);
  CHECK(failed.error().answer() != nullptr);
  if (failed.error().answer()) CHECK_EQ(failed.error().answer()->tool_calls.size(), 1u);
  // The conversation is whole, so that it can go on.
  CHECK_EQ(conversation.count(), 7u);
  CHECK(conversation.json().find("not run") != std::string_view::npos);
}

TEST(run_that_fails_leaves_what_was_said) {
  auto conversation = stage::question("status-500", "Hello");
  const auto failed = stage::client({{"max_retries", "0"}}).run(conversation, {weather()});
  CHECK_EQ(failed.error().code(), status::server);
  CHECK_EQ(conversation.count(), 1u);
  CHECK_EQ(stage::client().run(conversation, {{"a tool", "", [] {}}}).error().code(), status::argument);
}

#if defined(__cpp_lib_jthread)
TEST(stop_token_ends_whole_answers) {
  const auto client = stage::client();
  std::stop_source stop;
  stop.request_stop();
  auto question = stage::question("held", stage::unique("stop"));
  CHECK_EQ(client.ask(question, stop.get_token()).error().code(), status::cancelled);
  CHECK_EQ(client.ask_for<report>(question, stop.get_token()).error().code(), status::cancelled);
  CHECK_EQ(client.run(question, {}, stop.get_token()).error().code(), status::cancelled);
}
#endif
