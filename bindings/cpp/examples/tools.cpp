// A model that may call functions of this program, and its answer.
//
//     tools PROVIDER QUESTION [KEY=VALUE ...]      tools openai "Is Oslo colder than Bergen?"
#define TOLMACH_EXCEPTIONS
#include <iostream>
#include <stdexcept>
#include <string>

#include "settings.hpp"

using tolmach::value_or_throw;

// What the model has to say for a call. The description below is the schema that it is given.
struct place {
  std::string city;
  std::optional<int> days_ahead;
};

template <>
struct tolmach::schema<place> {
  static constexpr auto members =
      std::tuple(tolmach::member("city", &place::city, "Its name in English"),
                 tolmach::member("days_ahead", &place::days_ahead, "0 is today"));
};

std::string weather(const place& where) {
  if (where.days_ahead.value_or(0) > 0) throw std::runtime_error("the future is not known");
  if (where.city == "Oslo") return "3 °C";
  if (where.city == "Bergen") return "5 °C";
  throw std::runtime_error("nothing is known of " + where.city);  // The model reads this.
}

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::cerr << "usage: tools PROVIDER QUESTION [KEY=VALUE ...]\n";
    return 2;
  }
  const auto client = value_or_throw(client_of(argv[1], argv + 3));
  auto conversation = value_or_throw(tolmach::request::create());
  value_or_throw(conversation.user(argv[2]));
  const tolmach::tool tool("weather", "Tells the weather of a city", weather);
  std::cout << value_or_throw(client.run(conversation, {tool})).text << '\n';
} catch (const tolmach::exception& error) {
  std::cerr << "tools: " << error.what() << '\n';
  return 1;
}
