#include "stage.hpp"

namespace {

constexpr std::string_view weather_tool =
    R"([{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}])";

/// Asks, reads the answer and appends it to the conversation.
stage::answer turn(const tolmach::client& client, tolmach::request& conversation) {
  auto session = VALUE(client.open(conversation));
  auto answer = stage::read(session);
  CHECK_EQ(answer.error.message(), "");
  VALUE(conversation.reply(session));
  return answer;
}

int sum_of_pixel() {
  int sum = 0;
  for (const auto byte : stage::pixel) sum += byte;
  return sum;
}

}  // namespace

TEST(conversation_has_three_turns_and_a_tool) {
  const auto client = stage::client();
  auto conversation = VALUE(tolmach::request::create("weather"));
  VALUE(conversation.set("tools", weather_tool));
  VALUE(conversation.system("Be brief."));
  VALUE(conversation.user("What is the weather in Oslo?"));
  const auto call = turn(client, conversation);
  CHECK_EQ(call.finish, "tool_calls");
  CHECK_EQ(call.call_name, "weather");
  CHECK_EQ(call.call_arguments, R"({"city":"Oslo"})");

  VALUE(conversation.tool_result(call.call_id, "cold"));
  CHECK_EQ(turn(client, conversation).text, "It is cold.");

  VALUE(conversation.user("And what did we say?"));
  CHECK_EQ(turn(client, conversation).text, "After 5 messages.");
}

TEST(nul_bytes_and_rare_characters_are_sent_unharmed) {
  using namespace std::string_view_literals;
  constexpr auto odd =
      "a\0b \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7 \xf0\x90\x8d\x88 \"\\\n"sv;
  const auto client = stage::client();
  auto conversation = VALUE(tolmach::request::create("weather"));
  VALUE(conversation.set("tools", weather_tool));
  VALUE(conversation.user(odd));
  VALUE(conversation.tool_result(turn(client, conversation).call_id, odd));
  CHECK_EQ(turn(client, conversation).text, "It is " + std::string(odd) + ".");
}

TEST(conversation_is_kept_as_json) {
  auto request = stage::question("words", "Hello");
  VALUE(request.set("temperature", "0.5"));
  VALUE(request.assistant("Hello yourself."));
  const auto again = VALUE(tolmach::request::from_json(request.json()));
  CHECK_EQ(again.json(), request.json());
  CHECK(request.json().find("\"temperature\":0.5") != std::string_view::npos);
  VALUE(request.set("temperature", "null"));
  CHECK(request.json().find("temperature") == std::string_view::npos);
}

TEST(reply_is_what_has_been_read) {
  auto session = stage::ask(stage::client(), "truncated", "Hello");
  stage::read_up_to(session, "first ");
  CHECK(session.reply().find("first ") != std::string_view::npos);
  auto request = stage::question("words", "Hello");
  VALUE(request.reply(session));
  CHECK(request.json().find("first ") != std::string_view::npos);
}

TEST(images_are_sent_as_bytes) {
  auto request = stage::question("look", "What is it?");
  VALUE(request.attach(stage::pixel));
  VALUE(request.attach(tolmach::bytes(stage::pixel.data(), stage::pixel.size()), "image/jpeg"));
  auto session = VALUE(stage::client().open(request));
  const auto rest = " " + std::to_string(stage::pixel.size()) + " bytes, sum " +
                    std::to_string(sum_of_pixel()) + ".";
  CHECK_EQ(stage::read(session).text, "image/png" + rest + " image/jpeg" + rest);
}

TEST(images_are_sent_by_url) {
  auto request = stage::question("look", "What is it?");
  VALUE(request.attach_url("data:image/gif;base64,R0lGODlh"));
  auto session = VALUE(stage::client().open(request));
  CHECK_EQ(stage::read(session).text, "image/gif 6 bytes, sum 424.");
}

TEST(empty_text_is_text) {
  auto request = VALUE(tolmach::request::create());
  VALUE(request.user({}));
  VALUE(request.user(""));
  CHECK(request.json().find("\"content\":\"\"") != std::string_view::npos);
}

TEST(real_server_streams_its_answer) {
  auto session = stage::ask(stage::real_client(), "gpt-4o", "hello");
  const auto answer = stage::read(session);
  CHECK_EQ(answer.error.message(), "");
  CHECK_EQ(answer.text, "Hello from a server that nobody here wrote: Привет, 世界 👋!");
  CHECK(answer.pieces.size() > 5);
  CHECK_EQ(answer.finish, "stop");
}

TEST(real_server_calls_a_tool_and_hears_its_result) {
  const auto client = stage::real_client();
  auto conversation = stage::question("gpt-4o", "weather");
  const auto call = turn(client, conversation);
  CHECK_EQ(call.call_name, "get_weather");
  CHECK_EQ(call.call_arguments, R"({"city":"Oslo"})");
  VALUE(conversation.tool_result(call.call_id, R"({"degrees":3})"));
  CHECK_EQ(turn(client, conversation).text, "Three degrees in Oslo.");
}

TEST(real_server_is_asked_too_fast) {
  auto session = stage::ask(stage::real_client({{"max_retries", "0"}}), "gpt-4o", "too fast");
  const auto error = stage::read(session).error;
  CHECK_EQ(error.code(), tolmach::status::rate_limited);
  CHECK_EQ(error.http_status(), 429);
  CHECK_EQ(error.retry_after(), std::chrono::seconds(7));
  CHECK(error.message().find("Slow down") != std::string_view::npos);
}

TEST(real_server_cuts_its_answer) {
  auto session = stage::ask(stage::real_client(), "gpt-4o", "cut me off");
  const auto answer = stage::read(session);
  CHECK_EQ(answer.error.code(), tolmach::status::truncated);
  CHECK(!answer.text.empty());
}

TEST(real_server_lists_its_models) {
  CHECK(!VALUE(stage::real_client().models()).empty());
}

TEST(inputs_have_embeddings) {
  auto request = VALUE(tolmach::request::create("embedder"));
  VALUE(request.input("four"));
  VALUE(request.input(""));
  CHECK_EQ(request.count(), 2u);
  const auto all = VALUE(stage::client().embed(request));
  CHECK_EQ(all.size(), 2u);
  CHECK(all.at(0) == std::vector<float>({4, 0}));
  CHECK(all.at(1) == std::vector<float>({0, 1}));
  CHECK_EQ(request.user("Hello").error().code(), tolmach::status::argument);
  CHECK_EQ(tolmach::request().input("text").error().code(), tolmach::status::argument);
  CHECK_EQ(tolmach::client().embed(request).error().code(), tolmach::status::argument);
  CHECK(tolmach::embedding_of({}).empty());
}

TEST(retries_are_told) {
  auto session = stage::ask(stage::client({{"max_retries", "1"}, {"retry_chunks", "true"}}),
                            "status-500", "Hello");
  const auto found = session.next();
  CHECK_EQ(found.chunk.kind(), tolmach::chunk_kind::retry);
  CHECK_EQ(found.chunk.index(), 2);
  CHECK(found.chunk.text().find("Scripted 500") != std::string_view::npos);
}
