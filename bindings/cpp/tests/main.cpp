// Runs the tests: all, or those whose names hold the first argument.
#include <cstring>

#include <unistd.h>

#include "check.hpp"

int main(int argc, char** argv) {
  const char* filter = argc > 1 ? argv[1] : "";
  int count = 0;
  for (const auto& test : check::tests()) {
    if (!std::strstr(test.name, filter)) continue;
    std::fprintf(stderr, "%s\n", test.name);
    ::alarm(300);  // One that hangs fails.
    test.body();
    ++count;
  }
  std::fprintf(stderr, "%d tests, %d failures\n", count, check::failures());
  return count > 0 && check::failures() == 0 ? 0 : 1;
}
