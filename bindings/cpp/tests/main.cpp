// Runs the tests: all, or those whose names hold the first argument.
#include <cstring>

#include <dirent.h>
#include <unistd.h>

#include "check.hpp"

namespace {

int threads() {
  DIR* tasks = ::opendir("/proc/self/task");
  if (!tasks) return 1;
  int count = 0;
  while (const dirent* task = ::readdir(tasks)) count += task->d_name[0] != '.';
  ::closedir(tasks);
  return count;
}

/// Waits until the library's threads have ended. A leak checker takes the stack of one that
/// is about to end for lost, and at its exit the library does not wait long for them.
void settle() {
  while (threads() > 1) ::usleep(10000);
}

}  // namespace

int main(int argc, char** argv) {
  // Registered before anything of the library's, so that it comes after it.
  if (std::getenv("TOLMACH_TEST_SETTLE")) std::atexit(settle);
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
