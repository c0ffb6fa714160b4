#include <atomic>
#include <future>
#include <thread>

#include "stage.hpp"

using tolmach::status;
using namespace std::chrono_literals;

namespace {

/// Waits on another thread for what comes after `first `; `is_waiting` once that is read.
std::thread wait_for_more(tolmach::session& session, std::promise<void>& is_waiting,
                          tolmach::polled& found) {
  return std::thread([&] {
    stage::read_up_to(session, "first ");
    is_waiting.set_value();
    found = session.next();
  });
}

}  // namespace

TEST(cancel_ends_the_wait_of_another_thread_and_the_request) {
  const auto message = stage::unique("cancel");
  auto session = stage::ask(stage::client(), "held", message);
  std::promise<void> is_waiting;
  tolmach::polled found;
  auto waiter = wait_for_more(session, is_waiting, found);
  is_waiting.get_future().wait();
  const auto start = std::chrono::steady_clock::now();
  session.cancel();
  waiter.join();
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
  CHECK_EQ(found.code, status::cancelled);
  CHECK_EQ(found.error.code(), status::cancelled);
  CHECK_EQ(session.next().code, status::cancelled);
  CHECK_EQ(stage::play("was-closed", message).text, "closed");
}

TEST(canceller_ends_the_wait_of_another_thread) {
  auto session = stage::ask(stage::client(), "held", stage::unique("cancel"));
  const auto cancel = session.canceller();
  std::promise<void> is_waiting;
  tolmach::polled found;
  auto waiter = wait_for_more(session, is_waiting, found);
  is_waiting.get_future().wait();
  cancel();
  cancel();
  waiter.join();
  CHECK_EQ(found.code, status::cancelled);
}

TEST(canceller_of_a_session_that_is_no_more_does_nothing) {
  tolmach::canceller cancel;
  cancel();
  {
    auto session = stage::ask(stage::client(), "held", stage::unique("gone"));
    cancel = session.canceller();
  }
  cancel();
}

TEST(cancelling_races_with_the_end_of_sessions_and_harms_nothing) {
  const auto client = stage::client();
  for (int round = 0; round < 100; ++round) {
    auto session = stage::ask(client, "words", "Hello");
    std::atomic<bool> is_started{false};
    std::thread other([cancel = session.canceller(), &is_started] {
      is_started = true;
      cancel();
    });
    while (!is_started) std::this_thread::yield();
    if (round % 2 == 0) static_cast<void>(session.poll());
    session = {};
    other.join();
  }
}

TEST(second_thread_that_polls_is_told_that_it_is_busy) {
  auto session = stage::ask(stage::client(), "silent", stage::unique("busy"));
  tolmach::polled first;
  std::thread other([&] {
    do first = session.next();
    while (first.code == status::busy);
  });
  tolmach::polled second;
  do second = session.poll();
  while (second.code == status::pending);
  CHECK_EQ(second.code, status::busy);
  CHECK_EQ(second.error.code(), status::busy);
  session.cancel();
  other.join();
  CHECK_EQ(first.code, status::cancelled);
}

#if defined(__cpp_lib_jthread)

TEST(stop_token_ends_the_wait_and_the_request) {
  const auto message = stage::unique("stop");
  std::stop_source stop;
  auto session = VALUE(stage::client().open(stage::question("held", message), stop.get_token()));
  std::promise<void> is_waiting;
  tolmach::polled found;
  auto waiter = wait_for_more(session, is_waiting, found);
  is_waiting.get_future().wait();
  stop.request_stop();
  waiter.join();
  CHECK_EQ(found.code, status::cancelled);
  CHECK_EQ(stage::play("was-closed", message).text, "closed");
}

TEST(stop_token_of_a_jthread_ends_its_session) {
  tolmach::error error;
  {
    std::promise<void> is_reading;
    const std::jthread reader([&](std::stop_token token) {
      const auto question = stage::question("held", stage::unique("jthread"));
      auto session = VALUE(stage::client().open(question, std::move(token)));
      stage::read_up_to(session, "first ");
      is_reading.set_value();
      error = stage::read(session).error;
    });
    is_reading.get_future().wait();
  }
  CHECK_EQ(error.code(), status::cancelled);
}

TEST(stop_that_was_requested_before_cancels_at_once) {
  std::stop_source stop;
  stop.request_stop();
  auto session = VALUE(stage::client().open(stage::question("words", "Hello"), stop.get_token()));
  CHECK_EQ(session.next().code, status::cancelled);
}

TEST(stop_after_the_session_does_nothing) {
  std::stop_source stop;
  {
    auto session = VALUE(stage::client().open(stage::question("words", "Hello"), stop.get_token()));
    auto moved = std::move(session);
    CHECK_EQ(stage::read(moved).text, "One two three.");
  }
  stop.request_stop();
}

TEST(stopping_races_with_the_end_of_sessions_and_harms_nothing) {
  const auto client = stage::client();
  for (int round = 0; round < 100; ++round) {
    std::stop_source stop;
    auto session = VALUE(client.open(stage::question("words", "Hello"), stop.get_token()));
    std::atomic<bool> is_started{false};
    std::thread other([&] {
      is_started = true;
      stop.request_stop();
    });
    while (!is_started) std::this_thread::yield();
    session = {};
    other.join();
  }
}

#endif

TEST(empty_objects_may_be_used) {
  tolmach::config config;
  tolmach::request request;
  tolmach::session session;
  const tolmach::client client;
  CHECK(!config && !client && !request && !session);
  CHECK_EQ(config.set("model", "words").error().code(), status::argument);
  CHECK_EQ(tolmach::client::create(config).error().code(), status::argument);
  CHECK_EQ(client.open(request).error().code(), status::argument);
  CHECK_EQ(client.models().error().code(), status::argument);
  CHECK_EQ(request.user("Hello").error().code(), status::argument);
  CHECK_EQ(request.json(), "");
  CHECK_EQ(session.next().code, status::argument);
  CHECK_EQ(session.on_ready([] {}).error().code(), status::argument);
  CHECK_EQ(session.fd(), -1);
  CHECK_EQ(session.reply(), "");
  session.canceller()();
  session.cancel();
  const tolmach::chunk chunk;
  CHECK(chunk.text().empty() && chunk.bytes().empty() && !chunk.usage().total);
}

TEST(moved_session_goes_on_and_what_it_left_is_empty) {
  auto session = stage::ask(stage::client(), "words", "Hello");
  const auto cancel = session.canceller();
  auto moved = std::move(session);
  CHECK_EQ(stage::read(moved).text, "One two three.");
  CHECK_EQ(session.next().code, status::argument);  // NOLINT: what a moved session says
  cancel();
}

TEST(handles_are_released_and_adopted) {
  auto session = stage::ask(stage::client(), "words", "Hello");
  const auto cancel = session.canceller();
  tolmach_session* native = session.release();
  CHECK(native != nullptr && !session && session.release() == nullptr);
  cancel();
  tolmach::session adopted(native);
  CHECK(adopted.native() == native);
  CHECK_EQ(stage::read(adopted).text, "One two three.");
  auto config = VALUE(tolmach::config::create("openai"));
  tolmach_config_free(config.release());
  CHECK(!config);
}

TEST(first_session_that_is_ready_is_found) {
  const auto client = stage::client();
  std::vector<tolmach::session> sessions;
  sessions.push_back(stage::ask(client, "silent", stage::unique("wait")));
  sessions.push_back(stage::ask(client, "words", "Hello"));
  sessions.emplace_back();
  CHECK_EQ(VALUE(tolmach::wait_any(sessions)), 1u);
  CHECK_EQ(VALUE(sessions[1].answer()).text, "One two three.");
  // One that has ended is always ready, until it is put away.
  CHECK_EQ(VALUE(tolmach::wait_any(sessions)), 1u);
  sessions[1] = tolmach::session();
  CHECK_EQ(VALUE(tolmach::wait_any(sessions, 1ms)), std::nullopt);
  // Pointers do as well.
  const std::vector<const tolmach::session*> pointers = {nullptr, &sessions[0]};
  std::thread canceller(sessions[0].canceller());
  CHECK_EQ(VALUE(tolmach::wait_any(pointers)), 1u);
  canceller.join();
  CHECK_EQ(tolmach::wait_any(std::vector<tolmach::session>()).error().code(), status::argument);
}

TEST(all_sessions_of_a_client_are_cancelled) {
  const auto client = stage::client(), other = stage::client();
  auto one = stage::ask(client, "silent", stage::unique("all"));
  auto two = stage::ask(client, "held", stage::unique("all"));
  auto spared = stage::ask(other, "words", "Hello");
  client.cancel_all();
  CHECK_EQ(one.answer().error().code(), status::cancelled);
  CHECK_EQ(two.answer().error().code(), status::cancelled);
  CHECK_EQ(VALUE(spared.answer()).text, "One two three.");
  CHECK_EQ(VALUE(client.ask(stage::question("words", "Hello"))).text, "One two three.");
  tolmach::client().cancel_all();
}
