// An answer as a type of the program's own.
//
//     structured PROVIDER QUESTION [KEY=VALUE ...]      structured openai "How warm is it in Oslo?"
#include <iostream>
#include <string>

#include "settings.hpp"

struct report {
  std::string city;
  double celsius = 0;
};

template <>
struct tolmach::schema<report> {
  static constexpr auto members =
      std::tuple(tolmach::member("city", &report::city, "Its name in English"),
                 tolmach::member("celsius", &report::celsius));
};

int fail(const tolmach::error& error) {
  std::cerr << "structured: " << error.message() << '\n';
  if (!error.body().empty()) std::cerr << "structured: it was " << error.body() << '\n';
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: structured PROVIDER QUESTION [KEY=VALUE ...]\n";
    return 2;
  }
  const auto client = client_of(argv[1], argv + 3);
  if (!client) return fail(client.error());
  auto request = tolmach::request::create();
  if (!request) return fail(request.error());
  if (auto asked = request->user(argv[2]); !asked) return fail(asked.error());
  const auto answer = client->ask_for<report>(*request);
  if (!answer) return fail(answer.error());
  std::cout << answer->city << ": " << answer->celsius << " degrees\n";
}
