// PROGRAM BASE_URL MODEL: reads an answer twice by the C++ binding. Prints the CPU microseconds
// of the second reading, and its chunks.
#define TOLMACH_EXCEPTIONS
#include <sys/resource.h>

#include <cstdio>
#include <tolmach.hpp>

using tolmach::value_or_throw;

namespace {

long long cpu_now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

std::size_t characters = 0;

unsigned long long read_once(const tolmach::client& client, const char* model) {
  auto request = value_or_throw(tolmach::request::create(model));
  value_or_throw(request.user("Hello"));
  auto session = value_or_throw(client.open(request));
  unsigned long long chunks = 0;
  for (const auto& chunk : session) {
    const auto& it = value_or_throw(chunk);
    ++chunks;
    if (it.kind() != tolmach::chunk_kind::text) continue;
    for (const char c : it.text()) characters += (c & 0xc0) != 0x80;
  }
  return chunks;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s BASE_URL MODEL\n", argv[0]);
    return 2;
  }
  const auto client = value_or_throw(tolmach::client::create("openai", {{"base_url", argv[1]}}));
  read_once(client, argv[2]);
  const auto begin = cpu_now();
  const auto chunks = read_once(client, argv[2]);
  std::printf("%lld %llu\n", cpu_now() - begin, chunks);
  return characters == 0;
} catch (const tolmach::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
