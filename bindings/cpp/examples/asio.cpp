// Several questions at once on one thread, as coroutines of Asio; Ctrl-C ends them all.
//
//     asio PROVIDER QUESTION... -- [KEY=VALUE ...]
//
// Needs C++20 and Asio (libasio-dev), without Boost.
#define TOLMACH_EXCEPTIONS
#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "settings.hpp"

using tolmach::value_or_throw;
using namespace asio::experimental::awaitable_operators;

/// A session whose chunks are awaited. When the coroutine that has it is cancelled, it ends.
class stream {
 public:
  stream(const asio::any_io_executor& executor, tolmach::session session)
      : session_(std::move(session)), readable_(executor, session_.fd()) {}
  stream(const stream&) = delete;
  ~stream() { readable_.release(); }  // The descriptor is the session's.

  asio::awaitable<tolmach::polled> next() {
    for (;;) {
      auto found = session_.poll();
      if (found.code != tolmach::status::pending) co_return found;
      co_await readable_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    }
  }

 private:
  tolmach::session session_;
  asio::posix::stream_descriptor readable_;
};

asio::awaitable<std::string> answer(const tolmach::client& client, std::string_view question) {
  auto request = value_or_throw(tolmach::request::create());
  value_or_throw(request.user(question));
  stream chunks(co_await asio::this_coro::executor, value_or_throw(client.open(request)));
  std::string text;
  for (;;) {
    const auto found = co_await chunks.next();
    if (found.code == tolmach::status::end) co_return text;
    if (is_error(found.code)) tolmach::throw_error(found.error);
    if (found.chunk.kind() == tolmach::chunk_kind::text) text += found.chunk.text();
  }
}

/// How many of the questions have no answer.
asio::awaitable<int> print(const tolmach::client& client, std::string_view question) {
  try {
    const auto text = co_await answer(client, question);
    std::cout << question << ": " << text << std::endl;
    co_return 0;
  } catch (const tolmach::exception& error) {
    std::cerr << question << ": " << error.what() << std::endl;
    co_return 1;
  }
}

/// Asks all questions at once. When it is cancelled, so are all of them.
asio::awaitable<int> ask(const tolmach::client& client, std::vector<std::string_view> questions) {
  const auto first = questions.back();
  questions.pop_back();
  if (questions.empty()) co_return co_await print(client, first);
  const auto [one, others] =
      co_await (print(client, first) && ask(client, std::move(questions)));
  co_return one + others;
}

int main(int argc, char** argv) try {
  std::vector<std::string_view> questions;
  int at = 2;
  for (; at < argc && std::string_view(argv[at]) != "--"; ++at) questions.push_back(argv[at]);
  if (questions.empty() || at == argc) {
    std::cerr << "usage: asio PROVIDER QUESTION... -- [KEY=VALUE ...]\n";
    return 2;
  }
  const auto client = value_or_throw(client_of(argv[1], argv + at + 1));

  asio::io_context io(1);
  asio::cancellation_signal stop;
  asio::signal_set signals(io, SIGINT);
  bool is_stopped = false;
  signals.async_wait([&](std::error_code error, int) {
    if (error) return;
    is_stopped = true;
    stop.emit(asio::cancellation_type::terminal);
  });
  int failures = 0;
  const auto done = [&](std::exception_ptr, int count) {
    failures = count;
    signals.cancel();
  };
  asio::co_spawn(io, ask(client, questions), asio::bind_cancellation_slot(stop.slot(), done));
  io.run();
  if (is_stopped) return 130;  // As a shell says of a program that was interrupted.
  return failures > 0;
} catch (const std::exception& error) {
  std::cerr << "asio: " << error.what() << '\n';
  return 1;
}
