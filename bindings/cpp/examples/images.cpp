// Images: one that a model makes, and what a model sees in one.
//
//     images PROVIDER make PROMPT FILE [KEY=VALUE ...]     images openai make "A fox" fox.png model=gpt-image-1
//     images PROVIDER look FILE [KEY=VALUE ...]            images openai look fox.png model=gpt-4o-mini
#define TOLMACH_EXCEPTIONS
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "settings.hpp"

using tolmach::value_or_throw;

void make(const tolmach::client& client, const char* prompt, const char* file) {
  auto request = value_or_throw(tolmach::request::create());
  value_or_throw(request.user(prompt));
  const auto answer = value_or_throw(client.ask(request));
  if (answer.images.empty()) {
    std::cout << "no image: " << answer.text << '\n';
    return;
  }
  const auto& image = answer.images.front();
  if (image.bytes.empty()) {
    std::cout << "it is at " << image.url << '\n';
    return;
  }
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(image.bytes.data()),
             static_cast<std::streamsize>(image.bytes.size()));
  std::cout << file << ": " << image.mime << ", " << image.bytes.size() << " bytes\n";
}

void look(const tolmach::client& client, const char* file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  auto request = value_or_throw(tolmach::request::create());
  value_or_throw(request.user("What is this?"));
  value_or_throw(request.attach(bytes));
  std::cout << value_or_throw(client.ask(request)).text << '\n';
}

int main(int argc, char** argv) try {
  const std::string_view what = argc > 3 ? argv[2] : "";
  if (what == "make" && argc > 4) {
    make(value_or_throw(client_of(argv[1], argv + 5)), argv[3], argv[4]);
  } else if (what == "look") {
    look(value_or_throw(client_of(argv[1], argv + 4)), argv[3]);
  } else {
    std::cerr << "usage: images PROVIDER make PROMPT FILE | look FILE [KEY=VALUE ...]\n";
    return 2;
  }
} catch (const tolmach::exception& error) {
  std::cerr << "images: " << error.what() << '\n';
  return 1;
}
