#include <algorithm>
#include <cstring>

#if __cplusplus >= 202002L
#include <ranges>
#include <span>
#endif

#include "stage.hpp"

TEST(answer_comes_with_its_parts) {
  const auto answer = stage::play("words");
  CHECK_EQ(answer.error.code(), tolmach::status::ok);
  CHECK_EQ(answer.reasoning, "Hm.");
  CHECK_EQ(answer.text, "One two three.");
  CHECK_EQ(answer.finish, "stop");
  CHECK_EQ(answer.usage.input, 3);
  CHECK_EQ(answer.usage.output, 5);
  CHECK_EQ(answer.usage.cached_input, std::nullopt);
  CHECK_EQ(answer.usage.cache_write, std::nullopt);
}

TEST(usage_has_every_count) {
  const auto usage = stage::play("counted").usage;
  CHECK_EQ(usage.input, 9);
  CHECK_EQ(usage.output, 5);
  CHECK_EQ(usage.total, 14);
  CHECK_EQ(usage.cached_input, 4);
  CHECK_EQ(usage.reasoning, 2);
  CHECK_EQ(usage.cache_write, 3);
}

TEST(latest_kind_is_that_of_the_header) {
  tolmach_chunk native{};
  native.kind = TOLMACH_CHUNK_LOGPROBS;
  CHECK(tolmach::chunk(&native).kind() == tolmach::chunk_kind::logprobs);
}

TEST(first_piece_is_in_hand_before_the_second_is_written) {
  const auto message = stage::unique("gate");
  auto session = stage::ask(stage::client(), "gated", message);
  stage::read_up_to(session, "first ");
  CHECK_EQ(session.poll().code, tolmach::status::pending);
  CHECK_EQ(stage::play("open", message).text, "opened");
  CHECK_EQ(stage::read(session).text, "second");
}

TEST(characters_split_across_reads_arrive_whole) {
  const auto answer = stage::play("emoji");
  CHECK_EQ(answer.text, "Привет, 世界 👋 👩‍👩‍👧 ok");
  for (const auto& piece : answer.pieces) {
    CHECK((static_cast<unsigned char>(piece.front()) & 0xc0) != 0x80);
  }
}

TEST(many_pieces_come_in_order) {
  auto session = stage::ask(stage::client(), "many", "Count");
  int count = 0;
  for (const auto& chunk : session) {
    if (!chunk) check::stop(__FILE__, __LINE__, chunk.error().message());
    if (chunk->kind() != tolmach::chunk_kind::text) continue;
    if (chunk->text() != std::to_string(count) + " ") break;
    ++count;
  }
  CHECK_EQ(count, 20000);
}

TEST(slow_reader_makes_the_provider_wait_and_loses_nothing) {
  auto session = stage::ask(stage::client({{"queue_bytes", "1024"}}), "many", "Count");
  CHECK_EQ(stage::read(session).pieces.size(), 20000u);
}

TEST(leaving_the_scope_ends_the_request) {
  const auto message = stage::unique("leave");
  {
    auto session = stage::ask(stage::client(), "held", message);
    for (const auto& chunk : session) {
      if (chunk && chunk->kind() == tolmach::chunk_kind::text) break;
    }
  }
  CHECK_EQ(stage::play("was-closed", message).text, "closed");
}

TEST(loop_that_was_left_can_be_taken_up_again) {
  auto session = stage::ask(stage::client(), "words", "Hello");
  std::string text;
  while (session.begin() != session.end()) {
    for (const auto& chunk : session) {
      if (!chunk || chunk->kind() != tolmach::chunk_kind::text) continue;
      text = chunk->text();
      break;
    }
  }
  CHECK(!text.empty());
  CHECK_EQ(session.next().code, tolmach::status::end);
}

TEST(error_is_the_last_element_of_the_loop) {
  auto session = stage::ask(stage::client(), "truncated", "Hello");
  std::vector<bool> had_values;
  for (const auto& chunk : session) had_values.push_back(chunk.has_value());
  CHECK(had_values.size() >= 2);
  CHECK(!had_values.back());
  CHECK_EQ(std::count(had_values.begin(), had_values.end(), false), 1);
}

TEST(session_serves_standard_algorithms) {
  auto session = stage::ask(stage::client(), "words", "Hello");
  const auto texts = std::count_if(session.begin(), session.end(), [](const auto& chunk) {
    return chunk && chunk->kind() == tolmach::chunk_kind::text;
  });
  CHECK_EQ(texts, 3);
}

#if defined(__cpp_lib_ranges) && defined(__cpp_lib_span)
static_assert(std::ranges::input_range<tolmach::session>);
static_assert(std::ranges::contiguous_range<tolmach::bytes>);
static_assert(std::is_convertible_v<tolmach::bytes, std::span<const std::byte>>);
static_assert(std::is_convertible_v<std::span<const std::byte>, tolmach::bytes>);

// The views of GCC's library are beyond Clang before 16.
#if !defined(__clang__) || __clang_major__ >= 16
TEST(session_is_a_range) {
  auto session = stage::ask(stage::client(), "words", "Hello");
  std::string text;
  const auto is_text = [](const auto& chunk) {
    return chunk && chunk->kind() == tolmach::chunk_kind::text;
  };
  for (const auto& chunk : session | std::views::filter(is_text)) text += chunk->text();
  CHECK_EQ(text, "One two three.");
}
#endif
#endif

TEST(poll_waits_no_longer_than_it_was_told) {
  auto session = stage::ask(stage::client(), "silent", "Hello");
  const auto start = std::chrono::steady_clock::now();
  const auto found = session.poll(std::chrono::milliseconds(20));
  const auto waited = std::chrono::steady_clock::now() - start;
  CHECK_EQ(found.code, tolmach::status::pending);
  CHECK_EQ(found.error.code(), tolmach::status::ok);
  CHECK(waited >= std::chrono::milliseconds(20));
  CHECK(waited < std::chrono::seconds(60));
}

TEST(end_is_said_again) {
  auto session = stage::ask(stage::client(), "words", "Hello");
  stage::read(session);
  CHECK_EQ(session.next().code, tolmach::status::end);
  CHECK_EQ(session.poll().code, tolmach::status::end);
  CHECK(session.begin() == session.end());
}

TEST(session_outlives_its_client_and_request) {
  tolmach::session session;
  {
    const auto client = stage::client();
    session = stage::ask(client, "words", "Hello");
  }
  CHECK_EQ(stage::read(session).text, "One two three.");
}

TEST(image_comes_as_bytes) {
  auto session = stage::ask(stage::client(), "gpt-image-1", "A pixel");
  std::vector<std::byte> image;
  std::string mime;
  for (const auto& chunk : session) {
    if (!chunk) check::stop(__FILE__, __LINE__, chunk.error().message());
    if (chunk->kind() != tolmach::chunk_kind::image) continue;
    const auto bytes = chunk->bytes();
    image.assign(bytes.begin(), bytes.end());
    mime = chunk->mime();
  }
  CHECK_EQ(mime, "image/png");
  CHECK_EQ(image.size(), stage::pixel.size());
  CHECK(image.size() == stage::pixel.size() &&
        std::memcmp(image.data(), stage::pixel.data(), image.size()) == 0);
}

TEST(models_are_listed) {
  const auto models = VALUE(stage::client().models());
  CHECK_EQ(models.size(), 2u);
  CHECK_EQ(models.at(0).id, "words");
  CHECK_EQ(models.at(0).owner, "stage");
  CHECK_EQ(models.at(0).context_length, 4096);
  CHECK(models.at(0).json.find("\"context_length\"") != std::string::npos);
  CHECK_EQ(models.at(1).id, "emoji");
  CHECK(stage::client().models(std::chrono::minutes(1)).has_value());
}

TEST(chunks_are_read_as_they_have_arrived) {
  auto session = stage::ask(stage::client(), "many", "Hello");
  std::string text;
  std::size_t polls = 0, chunks = 0;
  for (;; ++polls) {
    const auto found = session.next_many();
    if (found.code != tolmach::status::ok) {
      CHECK_EQ(found.code, tolmach::status::end);
      CHECK(found.chunks.empty());
      break;
    }
    CHECK(!found.chunks.empty());
    for (const auto& chunk : found.chunks) {
      ++chunks;
      if (chunk.kind() == tolmach::chunk_kind::text) text += chunk.text();
    }
    CHECK_EQ(found.chunks[0].native(), found.chunks.native()->chunks);
  }
  CHECK_EQ(text, stage::play("many").text);
  CHECK(polls < chunks);
  // What was read so counts for the answer.
  const auto answer = VALUE(session.answer());
  CHECK_EQ(answer.text, text);
  CHECK_EQ(answer.finish_reason, "stop");
}

TEST(batch_and_chunk_alternate) {
  auto session = stage::ask(stage::client(), "held", stage::unique("batch"));
  stage::read_up_to(session, "first ");
  CHECK_EQ(session.poll_many().code, tolmach::status::pending);
  CHECK_EQ(session.poll_many(std::chrono::milliseconds(1)).code, tolmach::status::pending);
  session.cancel();
  CHECK_EQ(session.next_many().error.code(), tolmach::status::cancelled);
  CHECK_EQ(tolmach::session().native(), nullptr);
  tolmach::session empty;
  CHECK_EQ(empty.next_many().error.code(), tolmach::status::argument);
  CHECK_EQ(tolmach::batch().size(), 0u);
}

TEST(models_are_a_session) {
  auto session = VALUE(stage::client().open_models());
  std::vector<tolmach::model> models;
  for (const auto& chunk : session) {
    if (chunk && chunk->kind() == tolmach::chunk_kind::model) {
      models.push_back(tolmach::model::of(*chunk));
    }
  }
  const auto all = VALUE(stage::client().models());
  CHECK_EQ(models.size(), all.size());
  CHECK_EQ(models.at(0).id, all.at(0).id);
  CHECK_EQ(models.at(0).owner, "stage");
  CHECK_EQ(models.at(0).context_length, 4096);
  CHECK_EQ(models.at(0).capabilities.bits, all.at(0).capabilities.bits);
  CHECK_EQ(models.at(0).json, all.at(0).json);
  CHECK_EQ(tolmach::client().open_models().error().code(), tolmach::status::argument);
}
