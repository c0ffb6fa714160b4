// An answer that is given up: by the user's Enter, or after some seconds.
//
//     cancel PROVIDER QUESTION SECONDS [KEY=VALUE ...]
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "settings.hpp"

int fail(const tolmach::error& error) {
  std::cerr << "cancel: " << error.message() << '\n';
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: cancel PROVIDER QUESTION SECONDS [KEY=VALUE ...]\n";
    return 2;
  }
  const auto client = client_of(argv[1], argv + 4);
  if (!client) return fail(client.error());
  auto request = tolmach::request::create();
  if (!request) return fail(request.error());
  if (auto asked = request->user(argv[2]); !asked) return fail(asked.error());
  // After this time the answer ends, whatever it is at.
  tolmach::options options;
  options.total_timeout = std::chrono::seconds(std::atoi(argv[3]));
  if (auto set = request->set(options); !set) return fail(set.error());
  auto session = client->open(*request);
  if (!session) return fail(session.error());

  // A canceller may be used by any thread, also when the session is no more.
  std::thread([cancel = session->canceller()] {
    if (std::string line; std::getline(std::cin, line)) cancel();
  }).detach();

  for (const auto& chunk : *session) {
    if (!chunk) {
      std::cout << '\n';
      if (chunk.error().is(tolmach::status::cancelled)) std::cout << "Given up.\n";
      else if (chunk.error().is(tolmach::status::timeout)) std::cout << "It took too long.\n";
      else return fail(chunk.error());
      std::cout << "So far it was: " << session->text() << '\n';
      return 0;
    }
    if (chunk->kind() == tolmach::chunk_kind::text) std::cout << chunk->text() << std::flush;
  }
  std::cout << '\n';
}
