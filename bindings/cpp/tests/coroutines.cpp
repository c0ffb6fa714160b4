// Sessions awaited by coroutines: of C++20, where there are such.
#include <condition_variable>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>

#include "stage.hpp"

#if defined(TOLMACH_HAS_COROUTINES)

namespace {

using tolmach::status;

/// Runs what is posted, by one thread, as an event loop does.
class loop {
 public:
  auto post() {
    return [this](std::function<void()> work) {
      const std::lock_guard<std::mutex> lock(guard_);
      posted_.push(std::move(work));
      ++count_;
      changed_.notify_one();
    };
  }

  void run_until(const bool& is_done) {
    while (!is_done) run_one();
  }

  void run_one() {
    std::unique_lock<std::mutex> lock(guard_);
    changed_.wait(lock, [this] { return !posted_.empty(); });
    const auto work = std::move(posted_.front());
    posted_.pop();
    lock.unlock();
    work();
  }

  [[nodiscard]] int count() {
    const std::lock_guard<std::mutex> lock(guard_);
    return count_;
  }

 private:
  std::mutex guard_;
  std::condition_variable changed_;
  std::queue<std::function<void()>> posted_;
  int count_ = 0;
};

/// A coroutine that begins at once and is destroyed with this.
class task {
 public:
  struct promise_type {
    task get_return_object() {
      return task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() { is_done = true; }
    void unhandled_exception() { std::abort(); }
    bool is_done = false;
  };

  explicit task(std::coroutine_handle<promise_type> self) : self_(self) {}
  task(task&& other) noexcept : self_(std::exchange(other.self_, nullptr)) {}
  ~task() {
    if (self_) self_.destroy();
  }
  [[nodiscard]] const bool& is_done() const { return self_.promise().is_done; }

 private:
  std::coroutine_handle<promise_type> self_;
};

task collect(tolmach::session session, loop& on, std::string& text, status& end) {
  for (;;) {
    const auto found = co_await session.async_next(on.post());
    if (found.code != status::ok) {
      end = found.code;
      co_return;
    }
    if (found.chunk.kind() == tolmach::chunk_kind::text) text += found.chunk.text();
  }
}

task finish(tolmach::session& session, loop& on, std::optional<tolmach::expected<tolmach::answer>>& to) {
  to = co_await session.async_answer(on.post());
}

}  // namespace

TEST(coroutine_reads_an_answer_without_blocking) {
  loop on;
  std::string text;
  status end = status::pending;
  const auto client = stage::client();
  const auto message = stage::unique("coroutine");
  const auto reading = collect(stage::ask(client, "gated", message), on, text, end);
  while (text != "first ") on.run_one();
  CHECK(!reading.is_done());
  // It is not ready until the rest is there: what opens the gate runs on the same thread.
  CHECK_EQ(VALUE(client.ask(stage::question("open", message))).text, "opened");
  on.run_until(reading.is_done());
  CHECK_EQ(text, "first second");
  CHECK_EQ(end, status::end);
}

TEST(many_coroutines_share_a_thread) {
  loop on;
  const auto client = stage::client();
  std::vector<std::string> texts(20);
  std::vector<status> ends(20);
  std::vector<task> tasks;
  for (std::size_t at = 0; at < texts.size(); ++at) {
    tasks.push_back(collect(stage::ask(client, "many", "Hello"), on, texts[at], ends[at]));
  }
  for (std::size_t at = 0; at < texts.size(); ++at) {
    on.run_until(tasks[at].is_done());
    CHECK_EQ(ends[at], status::end);
    CHECK_EQ(texts[at], texts[0]);
  }
  CHECK(texts[0].size() > 100000);
  // A wait costs a call, and not each chunk waits.
  CHECK(on.count() < 20 * 20000);
}

TEST(coroutine_awaits_a_whole_answer) {
  loop on;
  std::optional<tolmach::expected<tolmach::answer>> found;
  auto session = stage::ask(stage::client(), "words", "Hello");
  const auto reading = finish(session, on, found);
  on.run_until(reading.is_done());
  const auto answer = VALUE(std::move(*found));
  CHECK_EQ(answer.text, "One two three.");
  CHECK_EQ(answer.reasoning, "Hm.");

  auto failing = stage::ask(stage::client(), "truncated", "Hello");
  const auto cut = finish(failing, on, found);
  on.run_until(cut.is_done());
  CHECK_EQ(found->error().code(), status::truncated);
  CHECK(found->error().answer() && found->error().answer()->text == "first ");
}

TEST(cancelling_wakes_a_coroutine) {
  loop on;
  std::string text;
  status end = status::pending;
  auto session = stage::ask(stage::client(), "held", stage::unique("cancel"));
  const auto cancel = session.canceller();
  const auto reading = collect(std::move(session), on, text, end);
  while (text != "first ") on.run_one();
  std::thread(cancel).join();
  on.run_until(reading.is_done());
  CHECK_EQ(end, status::cancelled);
}

TEST(coroutine_may_be_destroyed_while_it_waits) {
  loop on;
  const auto client = stage::client();
  const auto message = stage::unique("destroyed");
  {
    std::string text;
    status end = status::pending;
    const auto reading = collect(stage::ask(client, "held", message), on, text, end);
    while (text != "first ") on.run_one();
  }
  // Its session has ended with it.
  CHECK_EQ(VALUE(client.ask(stage::question("was-closed", message))).text, "closed");
  // What it had posted finds it gone.
  {
    std::string text;
    status end = status::pending;
    const auto before = on.count();
    const auto reading = collect(stage::ask(client, "words", message), on, text, end);
    while (on.count() == before && !reading.is_done()) std::this_thread::yield();
  }
  const bool is_done = true;
  on.post()([] {});
  on.run_one();
  on.run_until(is_done);
}

TEST(empty_session_is_awaited_in_vain) {
  loop on;
  tolmach::session empty;
  std::optional<tolmach::expected<tolmach::answer>> found;
  const auto reading = finish(empty, on, found);
  CHECK(reading.is_done());
  CHECK_EQ(found->error().code(), status::argument);
}

#endif
