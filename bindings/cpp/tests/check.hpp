// What the tests are made of: TEST, CHECK, CHECK_EQ and a runner, without a framework.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace check {

struct test {
  const char* name;
  void (*body)();
};

inline std::vector<test>& tests() {
  static std::vector<test> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

inline bool add(const char* name, void (*body)()) {
  tests().push_back({name, body});
  return true;
}

template <class T>
std::string shown(const T& value) {
  std::ostringstream out;
  if constexpr (std::is_enum_v<T>) {
    out << +static_cast<std::underlying_type_t<T>>(value);
  } else {
    out << value;
  }
  return out.str();
}

template <class Rep, class Period>
std::string shown(std::chrono::duration<Rep, Period> value) {
  return shown(std::chrono::duration<double>(value).count()) + " s";
}

inline std::string shown(std::nullopt_t) {
  return "nothing";
}

template <class T>
std::string shown(const std::optional<T>& value) {
  return value ? shown(*value) : "nothing";
}

inline void fail(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "  %s:%d: %s\n", file, line, what.c_str());
  ++failures();
}

template <class A, class B>
void equal(const char* file, int line, const char* text, const A& is, const B& right) {
  if (is == right) return;
  fail(file, line, std::string(text) + " is " + shown(is) + ", not " + shown(right));
}

/// Ends the run: a test cannot go on.
[[noreturn]] inline void stop(const char* file, int line, std::string_view why) {
  fail(file, line, std::string(why));
  std::exit(1);
}

}  // namespace check

#define TEST(name)                                                              \
  static void name();                                                           \
  [[maybe_unused]] static const bool name##_is_known = check::add(#name, name); \
  static void name()

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : check::fail(__FILE__, __LINE__, #condition " is false"))

#define CHECK_EQ(is, right) check::equal(__FILE__, __LINE__, #is, (is), (right))

/// The value of an expected, without which the test cannot go on.
#define VALUE(made) stage::value(__FILE__, __LINE__, (made))

#endif
