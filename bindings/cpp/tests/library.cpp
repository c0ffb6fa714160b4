#include <array>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <queue>
#include <thread>

#include <poll.h>
#include <sys/resource.h>

#include "stage.hpp"

using tolmach::status;
using namespace std::chrono_literals;

// What must hold before anything runs.
static_assert(std::is_nothrow_move_constructible_v<tolmach::session>);
static_assert(std::is_nothrow_move_assignable_v<tolmach::client>);
static_assert(!std::is_copy_constructible_v<tolmach::session>);
static_assert(!std::is_copy_constructible_v<tolmach::request>);
static_assert(std::is_nothrow_copy_constructible_v<tolmach::error>);
static_assert(std::is_trivially_copyable_v<tolmach::chunk>);
static_assert(!std::is_convertible_v<tolmach::polled, bool>);
static_assert(!std::is_constructible_v<bool, tolmach::polled>);
static_assert(!std::is_convertible_v<const char (&)[4], tolmach::bytes>);
static_assert(!std::is_convertible_v<std::vector<int>, tolmach::bytes>);
static_assert(std::is_convertible_v<const std::vector<unsigned char>&, tolmach::bytes>);
static_assert(std::is_convertible_v<const std::array<std::byte, 3>&, tolmach::bytes>);
static_assert(std::is_convertible_v<std::string_view, tolmach::bytes>);
static_assert(std::is_convertible_v<const unsigned char (&)[4], tolmach::bytes>);

namespace {

/// Which sessions have something to poll for: what their callbacks share with the loop.
class ready_queue {
 public:
  void push(std::size_t session) {
    const std::lock_guard<std::mutex> lock(guard_);
    ready_.push(session);
    is_ready_.notify_one();
  }
  std::size_t pop() {
    std::unique_lock<std::mutex> lock(guard_);
    is_ready_.wait(lock, [this] { return !ready_.empty(); });
    const auto session = ready_.front();
    ready_.pop();
    return session;
  }

 private:
  std::mutex guard_;
  std::condition_variable is_ready_;
  std::queue<std::size_t> ready_;
};

std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

/// How many threads there are beside those of the library.
std::size_t threads_of_others() {
  std::size_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    count += name.rfind("tolmach", 0) != 0;
  }
  return count;
}

/// A session of the crowd and what it has said.
struct speaker {
  tolmach::session session;
  std::string text;
  tolmach::polled last;

  /// Takes what is there, until there is no more.
  void take() {
    while ((last = session.poll()).code == status::ok) {
      if (last.chunk.kind() == tolmach::chunk_kind::text) text += last.chunk.text();
    }
  }
};

}  // namespace

TEST(one_thread_reads_five_hundred_sessions) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);

  constexpr std::size_t count = 500;
  const auto message = stage::unique("crowd");
  const auto client = stage::client();
  const auto request = stage::question("gated", message);
  const auto ready = std::make_shared<ready_queue>();
  const auto threads = threads_of_others();
  std::vector<speaker> crowd(count);
  for (std::size_t at = 0; at < count; ++at) {
    crowd[at].session = VALUE(client.open(request));
    VALUE(crowd[at].session.on_ready([ready, at] { ready->push(at); }));
  }
  std::size_t begun = 0, ended = 0;
  const auto serve = [&] {
    auto& speaker = crowd[ready->pop()];
    if (speaker.last.code != status::pending) return;
    const bool was_silent = speaker.text.empty();
    speaker.take();
    begun += was_silent && !speaker.text.empty();
    ended += speaker.last.code != status::pending;
  };
  while (begun < count && ended == 0) serve();
  CHECK_EQ(begun, count);
  CHECK_EQ(ended, 0u);
  // The library has one thread for each session; the binding adds none.
  CHECK_EQ(threads_of_others(), threads);
  CHECK_EQ(stage::play("open", message).text, "opened");
  while (ended < count) serve();
  std::size_t whole = 0;
  for (const auto& speaker : crowd) {
    whole += speaker.last.code == status::end && speaker.text == "first second";
  }
  CHECK_EQ(whole, count);
}

TEST(descriptor_is_readable_while_there_is_something_to_poll_for) {
  const auto message = stage::unique("descriptor");
  auto session = stage::ask(stage::client(), "gated", message);
  const int fd = session.fd();
  CHECK(fd >= 0);
  CHECK_EQ(session.fd(), fd);
  std::string text;
  const auto read_while_readable = [&](std::string_view up_to) {
    while (text != up_to) {
      pollfd watched{fd, POLLIN, 0};
      if (::poll(&watched, 1, -1) != 1) continue;
      for (;;) {
        const auto found = session.poll();
        if (found.code != status::ok) break;
        if (found.chunk.kind() == tolmach::chunk_kind::text) text += found.chunk.text();
      }
    }
  };
  read_while_readable("first ");
  pollfd watched{fd, POLLIN, 0};
  CHECK_EQ(::poll(&watched, 1, 0), 0);
  CHECK_EQ(stage::play("open", message).text, "opened");
  read_while_readable("first second");
  CHECK_EQ(session.next().code, status::end);
}

TEST(callback_is_destroyed_after_its_last_call) {
  const auto token = std::make_shared<int>(0);
  {
    auto session = stage::ask(stage::client(), "words", "Hello");
    VALUE(session.on_ready([token] {}));
    VALUE(session.on_ready([token] { static_cast<void>(*token); }));
    VALUE(session.on_ready(nullptr));
    VALUE(session.on_ready([token] {}));
    stage::read(session);
  }
  // A call under way may outlive the session for a moment.
  while (token.use_count() > 1) std::this_thread::yield();
}

TEST(callback_may_cancel) {
  const auto message = stage::unique("callback");
  auto session = stage::ask(stage::client(), "held", message);
  VALUE(session.on_ready(session.canceller()));
  CHECK_EQ(stage::read(session).error.code(), status::cancelled);
}

TEST(callback_that_cancels_races_with_the_end_of_its_session_and_harms_nothing) {
  const auto client = stage::client();
  for (int round = 0; round < 100; ++round) {
    auto session = stage::ask(client, "words", "Hello");
    VALUE(session.on_ready(session.canceller()));
    if (round % 2 == 0) static_cast<void>(session.poll(1ms));
  }
}

TEST(sessions_leave_no_descriptors_behind) {
  const auto cycle = [] {
    const auto client = stage::client();
    auto read = stage::ask(client, "words", "Hello");
    stage::read(read);
    auto left = stage::ask(client, "words", "Hello");
    static_cast<void>(left.fd());
    VALUE(left.on_ready([text = std::string(100, 'x')] {}));
    static_cast<void>(left.poll(1ms));
    auto cancelled = stage::ask(client, "words", "Hello");
    cancelled.cancel();
    CHECK_EQ(cancelled.next().code, status::cancelled);
  };
  cycle();  // A connection is kept open from now on.
  const auto before = entries_of("/proc/self/fd");
  for (int round = 0; round < 200; ++round) cycle();
  // The workers of what was left put their connections away in a moment.
  const auto start = std::chrono::steady_clock::now();
  while (entries_of("/proc/self/fd") > before && std::chrono::steady_clock::now() - start < 60s) {
    std::this_thread::yield();
  }
  CHECK(entries_of("/proc/self/fd") <= before);
}

TEST(library_has_the_version_of_its_header) {
  CHECK_EQ(tolmach::version(), TOLMACH_VERSION);
  CHECK(tolmach::abi_version() >= 1);
}

TEST(providers_are_listed) {
  const auto providers = tolmach::providers();
  CHECK_EQ(providers.size(), tolmach_provider_count());
  CHECK_EQ(providers.at(0).name, "openai");
  CHECK_EQ(providers.at(0).api_key_env, "OPENAI_API_KEY");
  CHECK(providers.at(0).capabilities.has(tolmach::capability::tools));
  CHECK(!tolmach::capabilities{}.has(tolmach::capability::tools));
}

TEST(log_tells_what_is_done_and_no_key) {
  struct log_lines {
    std::mutex guard;
    std::string text;
  };
  const auto lines = std::make_shared<log_lines>();
  tolmach::set_log(
      tolmach::log_level::trace,
      [lines](tolmach::log_level level, std::uint64_t session, std::string_view message) {
        const std::lock_guard<std::mutex> lock(lines->guard);
        lines->text += check::shown(level) + " ";
        lines->text.append(session > 0 ? "session " : "none ").append(message).append("\n");
      });
  stage::play("words");
  tolmach::set_log(tolmach::log_level::none, nullptr);
  const std::lock_guard<std::mutex> lock(lines->guard);
  CHECK(lines->text.find("session http: asking ") != std::string::npos);
  CHECK(lines->text.find(stage::environment("TOLMACH_TEST_KEY")) == std::string::npos);
}

TEST(waits_are_rounded_up_and_never_overflow) {
  using tolmach::detail::milliseconds;
  CHECK_EQ(milliseconds(0s), 0);
  CHECK_EQ(milliseconds(-1ms), 0);
  CHECK_EQ(milliseconds(1ns), 1);
  CHECK_EQ(milliseconds(1001us), 2);
  CHECK_EQ(milliseconds(3000000ns), 3);
  CHECK_EQ(milliseconds(1h), 3600000);
  CHECK_EQ(milliseconds(std::chrono::hours::max()), -1);
  CHECK_EQ(milliseconds(std::chrono::nanoseconds::max()), 9223372036855);
  CHECK_EQ(milliseconds(std::chrono::duration<double>(0.0005)), 1);
}

TEST(expected_is_a_value_or_an_error) {
  tolmach::expected<std::string> made("made");
  CHECK(made && made.has_value() && made->size() == 4);
  CHECK_EQ(made.value_or("not"), "made");
  tolmach::expected<std::string> failed =
      tolmach::unexpected(tolmach::error(status::timeout, "Late"));
  CHECK(!failed);
  CHECK_EQ(failed.error().message(), "Late");
  CHECK_EQ(failed.value_or("not"), "not");
  made = failed;
  CHECK(!made);
  failed = "mended";
  CHECK_EQ(std::move(*failed), "mended");
  const tolmach::expected<void> done;
  CHECK(done);
  *done;
}

TEST(expected_goes_on_from_its_value_or_its_error) {
  using number = tolmach::expected<int>;
  const auto half = [](int whole) -> number {
    if (whole % 2 == 0) return whole / 2;
    return tolmach::unexpected(tolmach::error(status::argument, "Odd"));
  };
  const auto shown = [](int it) { return std::to_string(it); };
  const auto none = [](const tolmach::error& why) { return number(why.is(status::argument)); };
  const number eight(8);
  const auto text = eight.and_then(half).and_then(half).transform(shown).transform(
      [](const std::string& it) { return it + "!"; });
  CHECK_EQ(text.value_or("none"), "2!");
  CHECK_EQ(number(6).and_then(half).and_then(half).error().message(), "Odd");
  CHECK_EQ(number(7).and_then(half).transform(shown).error().message(), "Odd");
  number named(3);
  CHECK_EQ(named.and_then(half).or_else(none).value_or(0), 1);
  CHECK_EQ(named.or_else(none).value_or(0), 3);
  int seen = 0;
  const auto see = [&](int it) { seen = it; };
  const auto again = [&] { return number(seen); };
  CHECK_EQ(named.transform(see).and_then(again).value_or(0), 3);
  CHECK(!number(tolmach::unexpected(tolmach::error(status::busy, "No"))).transform(see));
  const auto refused = tolmach::client::create("openai", {{"api_key", "k"}})
                           .and_then([](const tolmach::client& made) { return made.open({}); })
                           .transform([](tolmach::session opened) { return opened.fd(); });
  CHECK_EQ(refused.error().code(), status::argument);
}

#if defined(__cpp_lib_expected)
TEST(expected_is_the_standards_own) {
  static_assert(std::is_base_of_v<std::expected<int, tolmach::error>, tolmach::expected<int>>);
  const auto ask = []() -> std::expected<std::vector<tolmach::model>, tolmach::error> {
    return stage::client().models();
  };
  const tolmach::expected<std::vector<tolmach::model>> models = ask();
  CHECK_EQ(models->size(), 2u);
#if defined(__cpp_exceptions)
  std::string ids;
  for (const auto& model : stage::client().models().value()) ids += model.id + " ";
  CHECK_EQ(ids, "words emoji ");
#endif
}
#endif

TEST(provider_is_found_by_its_name) {
  const auto found = tolmach::find_provider("openai");
  CHECK(found && found->label == "OpenAI");
  CHECK(!tolmach::find_provider("nobody"));
  CHECK(!tolmach::find_provider(""));
}

TEST(session_knows_what_became_of_its_request) {
  const auto client = stage::client();
  auto session = stage::ask(client, "words", "Hello");
  CHECK(!session.header("content-type") || session.header("Content-Type"));
  CHECK_EQ(VALUE(session.answer()).text, "One two three.");
  const auto known = session.info();
  CHECK(known.id > 0);
  CHECK_EQ(known.attempts, 1);
  CHECK_EQ(known.provider, "openai");
  CHECK_EQ(known.http_status, 200);
  CHECK_EQ(known.changed, "[]");
  CHECK(known.sent && known.headers && known.first_chunk && known.ended);
  CHECK(known.sent <= known.headers && known.headers <= known.ended);
  CHECK(!known.tls_done);
  CHECK(!known.requests.limit && !known.tokens.reset);
  CHECK_EQ(session.header("CONTENT-TYPE"), "text/event-stream");
  CHECK_EQ(session.header("X-Nothing"), std::nullopt);
  CHECK_EQ(session.header({"content-type\0", 13}), std::nullopt);
  CHECK_EQ(tolmach::session().native(), nullptr);
  const tolmach::session empty;
  CHECK_EQ(empty.info().attempts, 0);
  CHECK_EQ(empty.info().http_status, std::nullopt);
  CHECK_EQ(empty.header("content-type"), std::nullopt);
  CHECK(empty.tool_calls().empty() && empty.text().empty());
}

TEST(session_that_failed_knows_as_much) {
  auto session = stage::ask(stage::client({{"max_retries", "0"}}), "status-500", "Hello");
  CHECK_EQ(stage::read(session).error.code(), tolmach::status::server);
  CHECK_EQ(session.info().attempts, 1);
  CHECK_EQ(session.info().http_status, 500);
  CHECK_EQ(session.info().request_id, "req-42");
  CHECK_EQ(session.header("x-request-id"), "req-42");
}

TEST(tool_calls_are_there_once_they_are_whole) {
  auto request = stage::question("tools", "The weather?");
  VALUE(request.tool("weather", ""));
  auto session = VALUE(stage::client().open(request));
  while (session.next().code == tolmach::status::ok && session.tool_calls().empty()) continue;
  for (const auto& call : session.tool_calls()) {
    CHECK(tolmach::parse<tolmach::json_text>(call.arguments).has_value());
  }
  CHECK_EQ(VALUE(session.answer()).tool_calls.size(), 2u);
  CHECK_EQ(session.tool_calls().at(0).arguments, R"({"city":"Oslo"})");
}

TEST(request_of_ones_own_is_a_session) {
  const auto client = stage::client();
  auto session = VALUE(client.open_raw("GET", "/models"));
  std::string body;
  for (const auto& chunk : session) {
    if (!chunk || chunk->kind() != tolmach::chunk_kind::body) continue;
    body.append(reinterpret_cast<const char*>(chunk->bytes().data()), chunk->bytes().size());
  }
  CHECK(body.find("\"words\"") != std::string::npos);
  CHECK_EQ(session.info().http_status, 200);
  // A body goes with it.
  const std::string question = R"({"model":"status-400","messages":[]})";
  auto refused = VALUE(client.open_raw("POST", "/chat/completions", question, "application/json"));
  CHECK_EQ(refused.answer().error().http_status(), 400);
  CHECK_EQ(client.open_raw("BREW", "/models").error().code(), status::argument);
  CHECK_EQ(client.open_raw("GET", {"/a\0", 3}).error().code(), status::argument);
  CHECK_EQ(tolmach::client().open_raw("GET", "/models").error().code(), status::argument);
}
