// tolmach.hpp: talk to any language model, in C++17 and later.
//
//     auto client = tolmach::client::create("openai", {{"api_key", key}});
//     auto question = tolmach::request::create("gpt-4o-mini");
//     if (!client || !question) ...
//     if (auto asked = question->user("Why is the sky blue?"); !asked) ...
//     auto session = client->open(*question);
//     if (!session) ...
//     for (const auto& chunk : *session) {
//       if (!chunk) return fail(chunk.error());
//       if (chunk->kind() == tolmach::chunk_kind::text) std::cout << chunk->text() << std::flush;
//     }
//
//   client->ask(*question) gives the whole answer at once, ask_for<T>() reads it into a type of
//   yours, and run() lets the model call tools, which are functions of yours.
//
// HOW THINGS LIVE
//
//   config, client, request and session own their C handle, move and do not copy. An empty
//   one (default made, or moved from) may be used: what can fail then fails with
//   status::argument. native() lends the C handle, release() gives it away, and the explicit
//   constructor adopts one. What you pass in is copied before the call returns.
//
//   A chunk is a view: it, and every std::string_view and bytes of it, live until the next
//   poll, next() or ++ of its session, or that session's end.
//
// ERRORS
//
//   What can fail returns tolmach::expected<T>: a std::expected<T, tolmach::error> where the
//   library has it, else a class of the same manners. Give it a name and look at it: of a
//   temporary, `*` and `->` do not compile. Nothing throws but the allocator. With
//   TOLMACH_EXCEPTIONS defined, value_or_throw() turns an error into an exception whose type
//   names its class.
//
// THREADS
//
//   Const member functions may be called by any number of threads at once, others by one at
//   a time; a second thread that polls a session gets status::busy. As everywhere in C++, an
//   object is destroyed when no thread is inside it: to end a wait from another thread use
//   cancel(), a canceller or a std::stop_token.

#ifndef TOLMACH_HPP
#define TOLMACH_HPP

#if !(__cplusplus >= 201703L || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L))
#error "tolmach.hpp needs C++17 or later"
#endif

#include <tolmach.h>

#if !TOLMACH_AT_LEAST(0, 1, 0)
#error "tolmach.hpp needs tolmach.h of version 0.1.0 or later"
#endif

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <locale>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#if __has_include(<version>)
#include <version>
#endif
#if defined(__cpp_lib_expected)
#include <expected>
#endif
#if defined(__cpp_lib_jthread)
#include <stop_token>
#endif
#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
#define TOLMACH_HAS_COROUTINES 1
#include <atomic>
#include <coroutine>
#endif
#if defined(__cpp_exceptions)
#include <exception>
#elif defined(TOLMACH_EXCEPTIONS)
#error "TOLMACH_EXCEPTIONS needs a compiler with exceptions on"
#endif

namespace tolmach {
inline namespace v0 {
// A program may hold sources of several standards: the two kinds of expected are two
// families of types, so that the linker never takes a function of one for the other's.
#if defined(__cpp_lib_expected)
inline namespace std_expected {
#else
inline namespace own_expected {
#endif

// ---- 1. status and error ----

/// What a call came to: 0 is success, above 0 is no error, below 0 is an error. The set is
/// open: treat a value that you do not know by its sign.
enum class status : std::int32_t {
  ok = TOLMACH_OK,
  /// The session has delivered everything.
  end = TOLMACH_END,
  /// Nothing yet; the session runs on.
  pending = TOLMACH_PENDING,
  /// Bad UTF-8, bad JSON, an unknown key or provider, an empty object. Mend the program.
  argument = TOLMACH_E_ARGUMENT,
  /// Another thread is polling this session.
  busy = TOLMACH_E_BUSY,
  /// The session was cancelled.
  cancelled = TOLMACH_E_CANCELLED,
  /// A deadline passed: connect, first byte, idle or total; the message says which.
  timeout = TOLMACH_E_TIMEOUT,
  /// The host's name could not be resolved.
  dns = TOLMACH_E_DNS,
  /// Refused, reset, unreachable, or the proxy would not.
  connect = TOLMACH_E_CONNECT,
  /// The TLS handshake or a certificate failed.
  tls = TOLMACH_E_TLS,
  /// Missing or rejected credentials.
  auth = TOLMACH_E_AUTH,
  /// Payment required or quota spent.
  quota = TOLMACH_E_QUOTA,
  /// Too many requests; error::retry_after() may say when to return.
  rate_limited = TOLMACH_E_RATE_LIMITED,
  /// The provider says that the request is wrong.
  bad_request = TOLMACH_E_BAD_REQUEST,
  /// No such model or endpoint.
  not_found = TOLMACH_E_NOT_FOUND,
  /// The prompt does not fit the model's context.
  context_length = TOLMACH_E_CONTEXT_LENGTH,
  /// Content policy, or a bot-protection page.
  blocked = TOLMACH_E_BLOCKED,
  /// The provider failed or is overloaded.
  server = TOLMACH_E_SERVER,
  /// An error of the provider's that fits no class above.
  provider = TOLMACH_E_PROVIDER,
  /// Not the protocol expected: a web page, bad JSON, a redirect.
  protocol = TOLMACH_E_PROTOCOL,
  /// The answer stopped before its end.
  truncated = TOLMACH_E_TRUNCATED,
  /// A configured limit was exceeded.
  too_large = TOLMACH_E_TOO_LARGE,
  /// The provider, or this build, cannot do that.
  unsupported = TOLMACH_E_UNSUPPORTED,
  /// A bug in the library: please report it.
  internal = TOLMACH_E_INTERNAL,
  /// The system has no more memory, threads or file descriptors.
  no_memory = TOLMACH_E_NO_MEMORY,
};

/// The name of a status in C, such as "TOLMACH_E_TIMEOUT"; "unknown status" for others.
[[nodiscard]] inline std::string_view name(status code) noexcept {
  return tolmach_status_name(static_cast<tolmach_status>(code));
}

/// Whether it is an error, of a class that is known or not.
[[nodiscard]] constexpr bool is_error(status code) noexcept {
  return static_cast<std::int32_t>(code) < 0;
}

/// Whether the same call may succeed when it is made again later: a network failure, a rate
/// limit, a server error.
[[nodiscard]] inline bool is_transient(status code) noexcept {
  return tolmach_status_is_transient(static_cast<tolmach_status>(code)) != 0;
}

struct answer;

namespace detail {

/// What an error of this header's says, beside its status.
struct own_error {
  std::string message, body;
  std::shared_ptr<const tolmach::answer> answer;
};

inline std::string_view view(tolmach_str text) noexcept {
  return {text.ptr, text.len};
}

/// Where C says -1 for "not said".
inline std::optional<std::int64_t> said(std::int64_t number) noexcept {
  return number < 0 ? std::nullopt : std::optional(number);
}

}  // namespace detail

/// Why a call failed: code() is for the program, the rest for people and logs. A copy is
/// cheap and shares its texts, which live as long as any of the copies; each is followed by
/// a NUL. They never show a credential of yours.
class error {
 public:
  /// No error: status::ok.
  error() noexcept = default;

  /// An error of a program's own. `message`: static text.
  error(status code, const char* message) noexcept : code_(code), message_(message) {}

  /// An error of a program's own, with the text that it is about in `body`.
  error(status code, std::string message, std::string body = {})
      : code_(code),
        own_(std::make_shared<detail::own_error>(
            detail::own_error{std::move(message), std::move(body), nullptr})) {}

  /// Adopts what a C function gave beside `code`; `native` may be null.
  error(status code, tolmach_error* native) : error(code, name(code).data()) {
    if (native) native_ = std::shared_ptr<tolmach_error>(native, tolmach_error_free);
  }

  [[nodiscard]] status code() const noexcept { return code_; }
  [[nodiscard]] bool is(status code) const noexcept { return code_ == code; }

  /// Whether the same call may succeed when it is made again later.
  [[nodiscard]] bool is_transient() const noexcept { return tolmach::is_transient(code_); }

  /// One line: what was wrong and what would be right.
  [[nodiscard]] std::string_view message() const noexcept {
    if (native_) return detail::view(tolmach_error_message(native()));
    return own_ && message_[0] == '\0' ? std::string_view(own_->message) : message_;
  }

  /// The HTTP status of the provider's answer, where there was one.
  [[nodiscard]] std::optional<int> http_status() const noexcept {
    const int number = tolmach_error_http_status(native());
    return number > 0 ? std::optional(number) : std::nullopt;
  }

  /// How long the provider asks to wait before the next try, where it said so.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry_after() const noexcept {
    const std::int64_t wait = tolmach_error_retry_after_ms(native());
    return wait < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(wait));
  }

  /// The provider's own code for this error, such as "model_not_found"; empty without one.
  [[nodiscard]] std::string_view provider_code() const noexcept {
    return detail::view(tolmach_error_provider_code(native()));
  }

  /// The provider's id of the failed request: what its support asks for; empty without one.
  [[nodiscard]] std::string_view request_id() const noexcept {
    return detail::view(tolmach_error_request_id(native()));
  }

  /// The body, or the event, that the error came in, cut at the config's max_error_bytes.
  /// Where an answer does not fit the type that was asked for: the answer's text.
  [[nodiscard]] std::string_view body() const noexcept {
    if (own_ && !native_) return own_->body;
    return detail::view(tolmach_error_body(native()));
  }

  /// What had been answered before an answer failed, or when client::run() had used all its
  /// rounds; null where nothing had. It lives as long as any copy of this error.
  [[nodiscard]] const tolmach::answer* answer() const noexcept {
    return own_ ? own_->answer.get() : nullptr;
  }

  /// The same error, with what had been answered before.
  [[nodiscard]] error with_answer(std::shared_ptr<const tolmach::answer> so_far) const {
    detail::own_error own = own_ ? *own_ : detail::own_error();
    own.answer = std::move(so_far);
    error copy = *this;
    copy.own_ = std::make_shared<detail::own_error>(std::move(own));
    return copy;
  }

  /// The C object; null where there is none.
  [[nodiscard]] const tolmach_error* native() const noexcept { return native_.get(); }

 private:
  status code_ = status::ok;
  const char* message_ = "";
  std::shared_ptr<const tolmach_error> native_;
  std::shared_ptr<const detail::own_error> own_;
};

// ---- 2. expected: a value, or why there is none ----

#if defined(__cpp_lib_expected)

/// What a function of your own returns to fail: return tolmach::unexpected(why).
using unexpected = std::unexpected<error>;

#else

/// What a function of your own returns to fail: return tolmach::unexpected(why).
class unexpected {
 public:
  explicit unexpected(tolmach::error why) noexcept : error_(std::move(why)) {}
  [[nodiscard]] const tolmach::error& error() const& noexcept { return error_; }
  [[nodiscard]] tolmach::error error() && noexcept { return std::move(error_); }

 private:
  tolmach::error error_;
};

#endif

template <class T>
class expected;

namespace detail {

/// Calls `next` with the value that `self` has, as what `self` is: moved where it is a
/// temporary.
template <class Self, class Next>
decltype(auto) call_with_value(Self&& self, Next&& next) {
  if constexpr (std::is_void_v<typename std::decay_t<Self>::value_type>) {
    return std::invoke(std::forward<Next>(next));
  } else if constexpr (std::is_lvalue_reference_v<Self>) {
    return std::invoke(std::forward<Next>(next), *self);
  } else {
    return std::invoke(std::forward<Next>(next), std::move(*self));
  }
}

template <class Self, class Next>
using called_with_value =
    std::decay_t<decltype(call_with_value(std::declval<Self>(), std::declval<Next>()))>;

template <class Self, class Next>
auto and_then(Self&& self, Next&& next) {
  using result = called_with_value<Self, Next>;
  if (!self.has_value()) return result(unexpected(std::forward<Self>(self).error()));
  return result(call_with_value(std::forward<Self>(self), std::forward<Next>(next)));
}

template <class Self, class Next>
auto transform(Self&& self, Next&& next) {
  using value = called_with_value<Self, Next>;
  using result = expected<value>;
  if (!self.has_value()) return result(unexpected(std::forward<Self>(self).error()));
  if constexpr (std::is_void_v<value>) {
    call_with_value(std::forward<Self>(self), std::forward<Next>(next));
    return result();
  } else {
    return result(call_with_value(std::forward<Self>(self), std::forward<Next>(next)));
  }
}

template <class Self, class Next>
auto or_else(Self&& self, Next&& next) {
  using result = std::decay_t<Self>;
  if (self.has_value()) return result(std::forward<Self>(self));
  return result(std::invoke(std::forward<Next>(next), std::forward<Self>(self).error()));
}

/// The members of an expected that go on from it, as std::expected has them in C++23.
template <class Self>
class chained {
 public:
  /// What `next`, called with the value, returns: an expected; or one of the same error.
  template <class Next>
  auto and_then(Next&& next) & {
    return detail::and_then(self(), std::forward<Next>(next));
  }
  template <class Next>
  auto and_then(Next&& next) const& {
    return detail::and_then(self(), std::forward<Next>(next));
  }
  template <class Next>
  auto and_then(Next&& next) && {
    return detail::and_then(std::move(self()), std::forward<Next>(next));
  }

  /// An expected of what `next`, called with the value, returns; or one of the same error.
  template <class Next>
  auto transform(Next&& next) & {
    return detail::transform(self(), std::forward<Next>(next));
  }
  template <class Next>
  auto transform(Next&& next) const& {
    return detail::transform(self(), std::forward<Next>(next));
  }
  template <class Next>
  auto transform(Next&& next) && {
    return detail::transform(std::move(self()), std::forward<Next>(next));
  }

  /// The same value; or what `next`, called with the error, returns: an expected of that type.
  template <class Next>
  auto or_else(Next&& next) & {
    return detail::or_else(self(), std::forward<Next>(next));
  }
  template <class Next>
  auto or_else(Next&& next) const& {
    return detail::or_else(self(), std::forward<Next>(next));
  }
  template <class Next>
  auto or_else(Next&& next) && {
    return detail::or_else(std::move(self()), std::forward<Next>(next));
  }

 private:
  Self& self() noexcept { return static_cast<Self&>(*this); }
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }
};

}  // namespace detail

// A temporary lends nothing: what `*` or `->` of one gives would be gone with the statement,
// `for (auto& chunk : *client.open(question))` would read a session that is already freed,
// without a check that there is one. So that does not compile. Give the result a name and look
// at it; `std::move(*result)` then takes the value out.

#if defined(__cpp_lib_expected)

/// A value or an error: a std::expected whose temporaries give no references.
template <class T>
class [[nodiscard]] expected : public std::expected<T, tolmach::error>,
                               public detail::chained<expected<T>> {
  using base = std::expected<T, tolmach::error>;

 public:
  using base::base;
  expected() = default;
  expected(base whole) : base(std::move(whole)) {}

  using detail::chained<expected>::and_then;
  using detail::chained<expected>::transform;
  using detail::chained<expected>::or_else;

  [[nodiscard]] T& operator*() & noexcept { return base::operator*(); }
  [[nodiscard]] const T& operator*() const& noexcept { return base::operator*(); }
  void operator*() const&& = delete;
  [[nodiscard]] T* operator->() & noexcept { return base::operator->(); }
  [[nodiscard]] const T* operator->() const& noexcept { return base::operator->(); }
  void operator->() const&& = delete;

  [[nodiscard]] T& value() & { return base::value(); }
  [[nodiscard]] const T& value() const& { return base::value(); }
  [[nodiscard]] T value() && { return std::move(*this).base::value(); }

  [[nodiscard]] const tolmach::error& error() const& noexcept { return base::error(); }
  [[nodiscard]] tolmach::error error() && noexcept { return std::move(*this).base::error(); }
};

/// Success or an error: a std::expected whose temporaries give no references.
template <>
class [[nodiscard]] expected<void> : public std::expected<void, tolmach::error>,
                                     public detail::chained<expected<void>> {
  using base = std::expected<void, tolmach::error>;

 public:
  using base::base;
  expected() = default;
  expected(base whole) : base(std::move(whole)) {}

  using detail::chained<expected>::and_then;
  using detail::chained<expected>::transform;
  using detail::chained<expected>::or_else;

  [[nodiscard]] const tolmach::error& error() const& noexcept { return base::error(); }
  [[nodiscard]] tolmach::error error() && noexcept { return std::move(*this).base::error(); }
};

#else

/// A value, or why there is none: as much of std::expected as C++17 has a use for. `*` and
/// `->` ask for a value, error() for its absence; the wrong one is undefined.
template <class T>
class [[nodiscard]] expected : public detail::chained<expected<T>> {
 public:
  using value_type = T;
  using error_type = tolmach::error;

  expected() = default;
  template <class U = T, class = std::enable_if_t<std::is_convertible_v<U&&, T> &&
                                                  !std::is_same_v<std::decay_t<U>, expected>>>
  expected(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  expected(unexpected why) noexcept : state_(std::in_place_index<1>, std::move(why).error()) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  [[nodiscard]] T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  [[nodiscard]] const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  void operator*() const&& = delete;
  [[nodiscard]] T* operator->() & noexcept { return std::get_if<0>(&state_); }
  [[nodiscard]] const T* operator->() const& noexcept { return std::get_if<0>(&state_); }
  void operator->() const&& = delete;

  [[nodiscard]] const tolmach::error& error() const& noexcept { return *std::get_if<1>(&state_); }
  [[nodiscard]] tolmach::error error() && noexcept { return std::move(*std::get_if<1>(&state_)); }

  template <class U>
  [[nodiscard]] T value_or(U&& other) const& {
    return has_value() ? **this : static_cast<T>(std::forward<U>(other));
  }
  template <class U>
  [[nodiscard]] T value_or(U&& other) && {
    return has_value() ? std::move(**this) : static_cast<T>(std::forward<U>(other));
  }

 private:
  std::variant<T, tolmach::error> state_;
};

/// Success, or why there is none.
template <>
class [[nodiscard]] expected<void> : public detail::chained<expected<void>> {
 public:
  using value_type = void;
  using error_type = tolmach::error;

  expected() noexcept = default;
  expected(unexpected why) noexcept : error_(std::move(why).error()) {}

  [[nodiscard]] bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  void operator*() const noexcept {}

  [[nodiscard]] const tolmach::error& error() const& noexcept { return *error_; }
  [[nodiscard]] tolmach::error error() && noexcept { return std::move(*error_); }

 private:
  std::optional<tolmach::error> error_;
};

#endif

#if defined(TOLMACH_EXCEPTIONS)

/// An error, thrown. Those of a class that this header does not know have this very type.
class exception : public std::exception {
 public:
  explicit exception(tolmach::error why) noexcept : error_(std::move(why)) {}
  [[nodiscard]] const char* what() const noexcept override { return error_.message().data(); }
  [[nodiscard]] const tolmach::error& error() const noexcept { return error_; }

 private:
  tolmach::error error_;
};

/// An error of one class, thrown.
template <status>
class exception_of : public exception {
 public:
  using exception::exception;
};

using argument_error = exception_of<status::argument>;
using busy_error = exception_of<status::busy>;
using cancelled_error = exception_of<status::cancelled>;
using timeout_error = exception_of<status::timeout>;
using dns_error = exception_of<status::dns>;
using connect_error = exception_of<status::connect>;
using tls_error = exception_of<status::tls>;
using auth_error = exception_of<status::auth>;
using quota_error = exception_of<status::quota>;
using rate_limited_error = exception_of<status::rate_limited>;
using bad_request_error = exception_of<status::bad_request>;
using not_found_error = exception_of<status::not_found>;
using context_length_error = exception_of<status::context_length>;
using blocked_error = exception_of<status::blocked>;
using server_error = exception_of<status::server>;
using provider_error = exception_of<status::provider>;
using protocol_error = exception_of<status::protocol>;
using truncated_error = exception_of<status::truncated>;
using too_large_error = exception_of<status::too_large>;
using unsupported_error = exception_of<status::unsupported>;
using internal_error = exception_of<status::internal>;
using no_memory_error = exception_of<status::no_memory>;

/// Throws `why` as the type of its class.
[[noreturn]] inline void throw_error(error why) {
  switch (why.code()) {
    case status::argument: throw argument_error(std::move(why));
    case status::busy: throw busy_error(std::move(why));
    case status::cancelled: throw cancelled_error(std::move(why));
    case status::timeout: throw timeout_error(std::move(why));
    case status::dns: throw dns_error(std::move(why));
    case status::connect: throw connect_error(std::move(why));
    case status::tls: throw tls_error(std::move(why));
    case status::auth: throw auth_error(std::move(why));
    case status::quota: throw quota_error(std::move(why));
    case status::rate_limited: throw rate_limited_error(std::move(why));
    case status::bad_request: throw bad_request_error(std::move(why));
    case status::not_found: throw not_found_error(std::move(why));
    case status::context_length: throw context_length_error(std::move(why));
    case status::blocked: throw blocked_error(std::move(why));
    case status::server: throw server_error(std::move(why));
    case status::provider: throw provider_error(std::move(why));
    case status::protocol: throw protocol_error(std::move(why));
    case status::truncated: throw truncated_error(std::move(why));
    case status::too_large: throw too_large_error(std::move(why));
    case status::unsupported: throw unsupported_error(std::move(why));
    case status::internal: throw internal_error(std::move(why));
    case status::no_memory: throw no_memory_error(std::move(why));
    default: throw exception(std::move(why));
  }
}

/// The value, or its error thrown.
template <class T>
T value_or_throw(expected<T>&& result) {
  if (!result) throw_error(std::move(result).error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// The value, or its error thrown; the reference is into `result`.
template <class T>
const T& value_or_throw(const expected<T>& result) {
  if (!result) throw_error(result.error());
  return *result;
}

template <class T>
T& value_or_throw(expected<T>& result) {
  if (!result) throw_error(result.error());
  return *result;
}

inline void value_or_throw(const expected<void>& result) {
  if (!result) throw_error(result.error());
}

#endif

namespace detail {

/// The outcome of a call that took `&native` for its error.
inline expected<void> outcome(tolmach_status code, tolmach_error* native) {
  if (code >= 0) return {};
  return unexpected(error(static_cast<status>(code), native));
}

/// Makes a T of what `call(&handle, &error)` gives.
template <class T, class Native, class Call>
expected<T> make(Call call) {
  Native* made = nullptr;
  tolmach_error* why = nullptr;
  const tolmach_status code = call(&made, &why);
  if (code < 0) return unexpected(error(static_cast<status>(code), why));
  return T(made);
}

/// C ends names, keys, values and URLs at their first NUL: one inside would cut them.
template <class... Texts>
bool has_nul(Texts... texts) noexcept {
  return (... || (texts.find('\0') != std::string_view::npos));
}

inline unexpected nul_inside() {
  return unexpected(error(status::argument, "a NUL byte in a name, key, value or URL"));
}

/// Text as pointer and length, where the pointer is never null.
inline const char* data(std::string_view text) noexcept {
  return text.data() ? text.data() : "";
}

/// `wait` in milliseconds, rounded up so that a short wait is not taken for none. Below 0 is
/// none; what is too long to count is for ever, which C says as -1.
template <class Rep, class Period>
std::int64_t milliseconds(std::chrono::duration<Rep, Period> wait) noexcept {
  const double count = std::chrono::duration<double, std::milli>(wait).count();
  if (!(count > 0)) return 0;
  return count < 9e15 ? static_cast<std::int64_t>(std::ceil(count)) : -1;
}

struct deleter {
  void operator()(tolmach_config* it) const noexcept { tolmach_config_free(it); }
  void operator()(tolmach_client* it) const noexcept { tolmach_client_free(it); }
  void operator()(tolmach_models* it) const noexcept { tolmach_models_free(it); }
  void operator()(tolmach_request* it) const noexcept { tolmach_request_free(it); }
  void operator()(tolmach_session* it) const noexcept { tolmach_session_free(it); }
};

/// What owns a C handle.
template <class Native>
class handle {
 public:
  /// Empty.
  handle() noexcept = default;

  /// Adopts `native`, which may be null.
  explicit handle(Native* native) noexcept : native_(native) {}

  /// The C handle, still owned by this; null where empty.
  [[nodiscard]] Native* native() const noexcept { return native_.get(); }

  /// The C handle, yours to free from now on; null where empty.
  [[nodiscard]] Native* release() noexcept { return native_.release(); }

  /// Whether it is not empty.
  explicit operator bool() const noexcept { return native_ != nullptr; }

 private:
  std::unique_ptr<Native, deleter> native_;
};

}  // namespace detail

// ---- 3. bytes ----

/// A view of bytes: made of any contiguous container of them (std::vector<std::uint8_t>,
/// std::string, std::span<const std::byte>, an array), and one itself, so that it turns into
/// a std::span<const std::byte> where that is asked for.
class bytes {
 public:
  constexpr bytes() noexcept = default;
  bytes(const void* data, std::size_t size) noexcept
      : data_(static_cast<const std::byte*>(data)), size_(size) {}

  /// Not of an array of char: that is a literal, and its NUL no byte of the file.
  template <class Container, class Element = decltype(*std::data(std::declval<const Container&>())),
            class = std::enable_if_t<sizeof(Element) == 1 &&
                                     std::is_trivially_copyable_v<std::decay_t<Element>> &&
                                     !(std::is_array_v<Container> &&
                                       std::is_same_v<std::decay_t<Element>, char>)>>
  bytes(const Container& container) noexcept : bytes(std::data(container), std::size(container)) {}

  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] const std::byte* begin() const noexcept { return data_; }
  [[nodiscard]] const std::byte* end() const noexcept { return data_ + size_; }
  [[nodiscard]] std::byte operator[](std::size_t at) const noexcept { return data_[at]; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// ---- 4. values: types of yours as JSON, and their JSON schema ----

/// Describes a type of yours, so that answers and the arguments of tools are read into it.
/// Specialise it. A struct lists its members, and an enum its values:
///
///     struct place { std::string city; std::optional<int> days; };
///
///     template <>
///     struct tolmach::schema<place> {
///       static constexpr auto members = std::tuple(
///           tolmach::member("city", &place::city, "The city's name in English"),
///           tolmach::member("days", &place::days));
///     };
///
///     template <>
///     struct tolmach::schema<unit> {
///       static constexpr std::array values = {tolmach::named("metric", unit::metric),
///                                             tolmach::named("imperial", unit::imperial)};
///     };
///
/// A member is a bool, number, std::string, json_text or described type, or a std::optional,
/// std::vector, std::map<std::string, T> or std::unordered_map<std::string, T> of these. An
/// optional one may be missing or null. A struct may have a `description` as well, as static
/// constexpr const char*.
///
/// Or, to use a JSON library, a specialisation has these static functions:
///
///     static std::string json();                           // the JSON schema
///     static tolmach::expected<T> parse(std::string_view);  // of a value in JSON
///     static std::string write(const T&);                  // needed for a tool's result alone
template <class T>
struct schema {};

namespace detail {

template <class Class, class T>
struct described_member {
  const char* name;
  T Class::* at;
  const char* description;
};

template <class T>
struct named_value {
  const char* name;
  T value;
};

}  // namespace detail

/// A member for schema<T>::members; `description` tells the model what to put there.
template <class Class, class T>
[[nodiscard]] constexpr detail::described_member<Class, T> member(
    const char* name, T Class::* at, const char* description = "") noexcept {
  return {name, at, description};
}

/// A value for schema<T>::values.
template <class T>
[[nodiscard]] constexpr detail::named_value<T> named(const char* name, T value) noexcept {
  return {name, value};
}

/// Any JSON, as text.
struct json_text {
  std::string text = "null";
};

namespace detail {

/// Levels of arrays and objects in what is read.
constexpr int max_depth = 127;

inline void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

inline void write_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr const char* digits = "0123456789abcdef";
      out += "\\u00";
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 0xf];
    } else {
      out += c;
    }
  }
  out += '"';
}

inline void write_double(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
#if defined(__cpp_lib_to_chars)
  std::array<char, 32> digits{};
  out.append(digits.data(),
             std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
#else
  std::ostringstream digits;
  digits.imbue(std::locale::classic());
  digits.precision(std::numeric_limits<double>::max_digits10);
  digits << number;
  out += digits.str();
#endif
}

/// The number that `digits`, which are valid JSON, say; none where it is too large.
inline std::optional<double> double_of(std::string_view digits) {
#if defined(__cpp_lib_to_chars)
  double number = 0;
  const char* const end = digits.data() + digits.size();
  if (std::from_chars(digits.data(), end, number).ec != std::errc()) {
    // It does not say whether that is too large or too close to 0.
    const bool is_small = digits.find("e-") != std::string_view::npos ||
                          digits.find("E-") != std::string_view::npos ||
                          digits.substr(digits[0] == '-', 2) == "0.";
    return is_small ? std::optional(0.0) : std::nullopt;
  }
#else
  std::istringstream stream{std::string(digits)};
  stream.imbue(std::locale::classic());
  double number = 0;
  stream >> number;
#endif
  if (!std::isfinite(number)) return std::nullopt;
  return number;
}

/// Reads JSON from front to back. Its first failure is kept, and everything after it fails.
class json_reader {
 public:
  explicit json_reader(std::string_view json) noexcept : json_(json) {}

  /// Fails with what is wrong here. Returns false, as everything that fails here does.
  bool fail(std::string what) {
    if (what_.empty()) {
      what_ = std::move(what);
      where_ = at_;
    }
    return false;
  }

  /// Tells the failure which member or element it is in.
  bool fail_in(std::string name) {
    if (path_.size() > 200) return false;  // Deep enough to be found.
    path_ = path_.empty() || path_[0] == '[' ? name + path_ : name + "." + path_;
    return false;
  }

  [[nodiscard]] std::string failure() const {
    return (path_.empty() ? "" : path_ + ": ") + what_ + " at byte " + std::to_string(where_);
  }

  /// The next character that is no white space, which is not taken; NUL at the end.
  char peek() noexcept {
    while (at_ < json_.size() && is_space(json_[at_])) ++at_;
    return here();
  }

  bool take(char wanted) noexcept {
    if (peek() != wanted || at_ == json_.size()) return false;
    ++at_;
    return true;
  }

  bool take_word(std::string_view word) noexcept {
    peek();
    if (json_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  /// Calls `element()` at each element of an array.
  template <class Element>
  bool array(Element element) {
    if (!take('[')) return fail("expected an array");
    if (!deeper()) return false;
    for (std::size_t count = 0; !take(']'); ++count) {
      if (count > 0 && !take(',')) return fail("expected \",\" or \"]\"");
      if (!element()) return fail_in("[" + std::to_string(count) + "]");
    }
    --depth_;
    return true;
  }

  /// Calls `member(name)` at each value of an object.
  template <class Member>
  bool object(Member member) {
    if (!take('{')) return fail("expected an object");
    if (!deeper()) return false;
    std::string name;
    for (bool is_first = true; !take('}'); is_first = false) {
      if (!is_first && !take(',')) return fail("expected \",\" or \"}\"");
      name.clear();
      if (!string(name)) return false;
      if (!take(':')) return fail("expected \":\"");
      if (!member(name)) return fail_in(name);
    }
    --depth_;
    return true;
  }

  bool string(std::string& out) {
    if (!take('"')) return fail("expected a string");
    for (;;) {
      if (at_ == json_.size()) return fail("the string has no end");
      const char c = json_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return fail("a control character in a string");
      if (c != '\\') {
        out += c;
        continue;
      }
      const char escape = here();
      constexpr std::string_view escapes = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
      if (const auto which = escapes.find(escape); which != std::string_view::npos && escape) {
        ++at_;
        out += meanings[which];
      } else if (escape == 'u') {
        ++at_;
        if (!escaped_unit(out)) return false;
      } else {
        return fail("an invalid escape in a string");
      }
    }
  }

  /// The digits of a number; empty if the text does not begin with one.
  std::string_view number() noexcept {
    peek();
    const auto begin = at_;
    if (here() == '-') ++at_;
    if (here() == '0') {
      ++at_;
    } else if (!digits()) {
      at_ = begin;
      return {};
    }
    const auto whole = at_;
    if (here() == '.' && (++at_, !digits())) at_ = whole;
    const auto fraction = at_;
    if (here() == 'e' || here() == 'E') {
      ++at_;
      if (here() == '+' || here() == '-') ++at_;
      if (!digits()) at_ = fraction;
    }
    return json_.substr(begin, at_ - begin);
  }

  /// Goes past any value, and gives its text.
  bool any(std::string_view& text) {
    peek();
    const auto begin = at_;
    const bool is_value = skip();
    text = json_.substr(begin, at_ - begin);
    return is_value;
  }

  /// Whether nothing follows.
  bool end() { return (peek() == '\0' && at_ == json_.size()) || fail("text after the value"); }

 private:
  static bool is_space(char c) noexcept { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
  [[nodiscard]] char here() const noexcept { return at_ < json_.size() ? json_[at_] : '\0'; }

  bool deeper() { return ++depth_ <= max_depth || fail("too many levels"); }

  bool digits() noexcept {
    const auto begin = at_;
    while (here() >= '0' && here() <= '9') ++at_;
    return at_ > begin;
  }

  bool skip() {
    switch (peek()) {
      case '{': return object([this](const std::string&) { return skip(); });
      case '[': return array([this] { return skip(); });
      case '"': {
        std::string text;
        return string(text);
      }
      case 't': return take_word("true") || fail("expected a value");
      case 'f': return take_word("false") || fail("expected a value");
      case 'n': return take_word("null") || fail("expected a value");
      default: return !number().empty() || fail("expected a value");
    }
  }

  std::optional<std::uint32_t> unit() noexcept {
    std::uint32_t code = 0;
    if (json_.size() - at_ < 4) return std::nullopt;
    const char* const begin = json_.data() + at_;
    const auto [end, error] = std::from_chars(begin, begin + 4, code, 16);
    if (error != std::errc() || end != begin + 4) return std::nullopt;
    at_ += 4;
    return code;
  }

  /// What follows a backslash and u. Half of a pair becomes U+FFFD.
  bool escaped_unit(std::string& out) {
    auto code = unit();
    if (!code) return fail("an invalid escape in a string");
    if (*code >= 0xd800 && *code < 0xdc00 && json_.substr(at_, 2) == "\\u") {
      const auto before = at_;
      at_ += 2;
      const auto low = unit();
      if (low && *low >= 0xdc00 && *low < 0xe000) {
        append_utf8(out, 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00));
        return true;
      }
      at_ = before;
    }
    append_utf8(out, *code >= 0xd800 && *code < 0xe000 ? 0xfffd : *code);
    return true;
  }

  std::string_view json_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string what_, path_;
  std::size_t where_ = 0;
};

/// Writes a schema. A type within itself is referred to, by "#" or a number among "$defs".
class schema_writer {
 public:
  std::string out;

  /// Writes what `body` writes, unless this is within it already. `key` tells types apart.
  void type(const void* key, void (*body)(schema_writer&)) {
    if (open_.empty()) {
      open_.push_back(key);
      body(*this);
      definitions();
      return;
    }
    if (open_.front() == key) {
      out += R"({"$ref":"#"})";
      return;
    }
    if (std::find(open_.begin(), open_.end(), key) != open_.end()) {
      out += R"({"$ref":"#/$defs/)" + std::to_string(number(key, body)) + "\"}";
      return;
    }
    open_.push_back(key);
    body(*this);
    open_.pop_back();
  }

 private:
  using definition = std::pair<const void*, void (*)(schema_writer&)>;

  std::size_t number(const void* key, void (*body)(schema_writer&)) {
    for (std::size_t at = 0; at < needed_.size(); ++at) {
      if (needed_[at].first == key) return at;
    }
    needed_.emplace_back(key, body);
    return needed_.size() - 1;
  }

  /// Appends them to the outermost object; each may need more.
  void definitions() {
    if (needed_.empty()) return;
    out.pop_back();
    out += R"(,"$defs":{)";
    for (std::size_t at = 0; at < needed_.size(); ++at) {
      out += (at > 0 ? ",\"" : "\"") + std::to_string(at) + "\":";
      const auto body = needed_[at].second;
      open_.push_back(needed_[at].first);
      body(*this);
      open_.pop_back();
    }
    out += "}}";
  }

  std::vector<const void*> open_;
  std::vector<definition> needed_;
};

template <class T>
inline constexpr char type_key = 0;

template <class T, class = void>
inline constexpr bool has_members = false;
template <class T>
inline constexpr bool has_members<T, std::void_t<decltype(schema<T>::members)>> = true;

template <class T, class = void>
inline constexpr bool has_values = false;
template <class T>
inline constexpr bool has_values<T, std::void_t<decltype(schema<T>::values)>> = true;

template <class T, class = void>
inline constexpr bool has_json = false;
template <class T>
inline constexpr bool has_json<T, std::void_t<decltype(schema<T>::json())>> = true;

template <class T, class = void>
inline constexpr bool has_write = false;
template <class T>
inline constexpr bool
    has_write<T, std::void_t<decltype(schema<T>::write(std::declval<const T&>()))>> = true;

template <class T, class = void>
inline constexpr const char* description_of = "";
template <class T>
inline constexpr const char* description_of<T, std::void_t<decltype(schema<T>::description)>> =
    schema<T>::description;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// Whether it is read as an array: a std::vector, or a container with the same members.
template <class T, class = void>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool
    is_list<T, std::void_t<decltype(std::declval<T&>().emplace_back()), typename T::iterator>> =
        !std::is_same_v<T, std::string>;

/// Whether it is read as an object of any names.
template <class T, class = void>
inline constexpr bool is_map = false;
template <class T>
inline constexpr bool is_map<T, std::void_t<typename T::mapped_type>> =
    std::is_same_v<typename T::key_type, std::string>;

template <class T>
inline constexpr bool is_text = std::is_convertible_v<const T&, std::string_view>;

/// Whether JSON can be read into it and written of it.
template <class T>
inline constexpr bool is_value = std::is_arithmetic_v<T> || std::is_same_v<T, std::string> ||
                                 std::is_same_v<T, json_text> || is_optional<T> || is_list<T> ||
                                 is_map<T> || has_members<T> || has_values<T> || has_json<T>;

template <class T>
void write_schema(schema_writer& to, std::string_view description = {});

inline void write_description(schema_writer& to, std::string_view description) {
  if (description.empty()) return;
  to.out += ",\"description\":";
  write_string(to.out, description);
}

template <class T>
void write_object_schema(schema_writer& to) {
  std::string required;
  to.out += R"({"type":"object")";
  write_description(to, description_of<T>);
  to.out += ",\"properties\":{";
  std::apply(
      [&](const auto&... each) {
        [[maybe_unused]] const auto write = [&](const auto& it) {
          if (!required.empty()) {
            to.out += ',';
            required += ',';
          }
          write_string(to.out, it.name);
          write_string(required, it.name);
          to.out += ':';
          using type = std::decay_t<decltype(std::declval<T&>().*(it.at))>;
          write_schema<type>(to, it.description);
        };
        (write(each), ...);
      },
      schema<T>::members);
  to.out += "},\"required\":[" + required + "],\"additionalProperties\":false}";
}

/// Writes the schema of a T. An object may be described by its type and by its member, so that
/// the member's description is beside a list of one.
template <class T>
void write_schema(schema_writer& to, std::string_view description) {
  static_assert(is_value<T>, "specialise tolmach::schema for this type");
  if constexpr (has_members<T>) {
    const bool is_wrapped = !description.empty();
    if (is_wrapped) to.out += "{\"anyOf\":[";
    to.type(&type_key<T>, write_object_schema<T>);
    if (is_wrapped) {
      to.out += ']';
      write_description(to, description);
      to.out += '}';
    }
  } else if constexpr (has_json<T>) {
    to.out += schema<T>::json();
  } else if constexpr (is_optional<T>) {
    to.out += "{\"anyOf\":[";
    write_schema<typename T::value_type>(to);
    to.out += R"(,{"type":"null"}])";
    write_description(to, description);
    to.out += '}';
  } else {
    if constexpr (has_values<T>) {
      to.out += R"({"type":"string","enum":[)";
      bool is_first = true;
      for (const auto& it : schema<T>::values) {
        if (!is_first) to.out += ',';
        is_first = false;
        write_string(to.out, it.name);
      }
      to.out += ']';
    } else if constexpr (is_list<T>) {
      to.out += R"({"type":"array","items":)";
      write_schema<typename T::value_type>(to);
    } else if constexpr (is_map<T>) {
      to.out += R"({"type":"object","additionalProperties":)";
      write_schema<typename T::mapped_type>(to);
    } else if constexpr (std::is_same_v<T, json_text>) {
      to.out += R"({"type":["string","number","boolean","object","array","null"])";
    } else if constexpr (std::is_same_v<T, bool>) {
      to.out += R"({"type":"boolean")";
    } else if constexpr (std::is_integral_v<T>) {
      to.out += R"({"type":"integer")";
    } else if constexpr (std::is_floating_point_v<T>) {
      to.out += R"({"type":"number")";
    } else {
      to.out += R"({"type":"string")";
    }
    write_description(to, description);
    to.out += '}';
  }
}

/// Whether providers take the schema of a T as a strict one: every object has a fixed set of
/// members. `Within` are the types that it is part of.
template <class T, class... Within>
constexpr bool is_strict() {
  if constexpr ((std::is_same_v<T, Within> || ...)) {
    return true;
  } else if constexpr (has_members<T>) {
    return std::apply(
        [](const auto&... each) {
          return (is_strict<std::decay_t<decltype(std::declval<T&>().*(each.at))>, T,
                            Within...>() &&
                  ...);
        },
        schema<T>::members);
  } else if constexpr (is_optional<T> || is_list<T>) {
    return is_strict<typename T::value_type, Within...>();
  } else {
    return !is_map<T> && !std::is_same_v<T, json_text> && !has_json<T>;
  }
}

template <class T>
bool read_value(json_reader& from, T& to);

template <class T>
bool read_whole_number(json_reader& from, T& to) {
  const auto digits = from.number();
  if (digits.empty()) return from.fail("expected a whole number");
  const char* const end = digits.data() + digits.size();
  const auto [read, error] = std::from_chars(digits.data(), end, to);
  if (error == std::errc() && read == end) return true;
  // "3.0" and "3e2" are whole numbers as well.
  const auto number = double_of(digits);
  if (!number || std::nearbyint(*number) != *number) return from.fail("expected a whole number");
  constexpr double limit = 9007199254740992;
  if (digits.find_first_of(".eE") == std::string_view::npos || std::abs(*number) > limit ||
      *number < static_cast<double>(std::numeric_limits<T>::min()) ||
      *number > static_cast<double>(std::numeric_limits<T>::max())) {
    return from.fail("the number is out of range");
  }
  to = static_cast<T>(*number);
  return true;
}

template <class T>
bool read_members(json_reader& from, T& to) {
  constexpr auto& members = schema<T>::members;
  std::array<bool, std::tuple_size_v<std::decay_t<decltype(members)>>> seen{};
  const bool is_object = from.object([&](const std::string& name) {
    bool is_known = false, is_right = true;
    std::size_t at = 0;
    std::apply(
        [&](const auto&... each) {
          [[maybe_unused]] const auto read = [&](const auto& it, bool& is_seen) {
            if (is_known || name != it.name) return;
            is_known = is_seen = true;
            is_right = read_value(from, to.*(it.at));
          };
          (read(each, seen[at++]), ...);
        },
        members);
    std::string_view skipped;
    return is_known ? is_right : from.any(skipped);
  });
  if (!is_object) return false;
  std::size_t at = 0;
  bool is_whole = true;
  std::apply(
      [&](const auto&... each) {
        [[maybe_unused]] const auto check = [&](const auto& it, bool is_seen) {
          using type = std::decay_t<decltype(to.*(it.at))>;
          if (is_seen || is_optional<type> || !is_whole) return;
          is_whole = from.fail("it is missing");
          from.fail_in(it.name);
        };
        (check(each, seen[at++]), ...);
      },
      members);
  return is_whole;
}

template <class T>
bool read_value(json_reader& from, T& to) {
  static_assert(is_value<T>, "specialise tolmach::schema for this type");
  if constexpr (has_json<T>) {
    std::string_view text;
    if (!from.any(text)) return false;
    expected<T> parsed = schema<T>::parse(text);
    if (!parsed) return from.fail(std::string(parsed.error().message()));
    to = std::move(*parsed);
    return true;
  } else if constexpr (has_members<T>) {
    return read_members(from, to);
  } else if constexpr (has_values<T>) {
    std::string name;
    if (!from.string(name)) return false;
    for (const auto& it : schema<T>::values) {
      if (name != it.name) continue;
      to = it.value;
      return true;
    }
    return from.fail("\"" + name + "\" is not among the values");
  } else if constexpr (is_optional<T>) {
    if (from.take_word("null")) {
      to.reset();
      return true;
    }
    return read_value(from, to.emplace());
  } else if constexpr (std::is_same_v<T, std::string>) {
    to.clear();
    return from.string(to);
  } else if constexpr (is_list<T>) {
    to.clear();
    return from.array([&] {
      // Not into the container at once: a std::vector<bool> has no references.
      typename T::value_type element{};
      if (!read_value(from, element)) return false;
      to.push_back(std::move(element));
      return true;
    });
  } else if constexpr (is_map<T>) {
    to.clear();
    return from.object([&](const std::string& name) { return read_value(from, to[name]); });
  } else if constexpr (std::is_same_v<T, json_text>) {
    std::string_view text;
    if (!from.any(text)) return false;
    to.text = text;
    return true;
  } else if constexpr (std::is_same_v<T, bool>) {
    to = from.take_word("true");
    return to || from.take_word("false") || from.fail("expected true or false");
  } else if constexpr (std::is_integral_v<T>) {
    return read_whole_number(from, to);
  } else {
    const auto digits = from.number();
    if (digits.empty()) return from.fail("expected a number");
    const auto number = double_of(digits);
    if (!number) return from.fail("the number is out of range");
    to = static_cast<T>(*number);
    return true;
  }
}

template <class T>
void write_value(std::string& to, const T& from) {
  static_assert(is_value<T> || is_text<T>, "specialise tolmach::schema for this type");
  if constexpr (is_text<T>) {
    write_string(to, from);
  } else if constexpr (has_json<T>) {
    static_assert(has_write<T>, "tolmach::schema of this type has no write()");
    to += schema<T>::write(from);
  } else if constexpr (has_members<T>) {
    to += '{';
    bool is_first = true;
    std::apply(
        [&](const auto&... each) {
          [[maybe_unused]] const auto write = [&](const auto& it) {
            if (!is_first) to += ',';
            is_first = false;
            write_string(to, it.name);
            to += ':';
            write_value(to, from.*(it.at));
          };
          (write(each), ...);
        },
        schema<T>::members);
    to += '}';
  } else if constexpr (has_values<T>) {
    for (const auto& it : schema<T>::values) {
      if (it.value == from) return write_string(to, it.name);
    }
    to += "null";
  } else if constexpr (is_optional<T>) {
    if (from) {
      write_value(to, *from);
    } else {
      to += "null";
    }
  } else if constexpr (is_list<T>) {
    to += '[';
    bool is_first = true;
    for (const typename T::value_type& it : from) {
      if (!is_first) to += ',';
      is_first = false;
      write_value(to, it);
    }
    to += ']';
  } else if constexpr (is_map<T>) {
    to += '{';
    bool is_first = true;
    for (const auto& [name, value] : from) {
      if (!is_first) to += ',';
      is_first = false;
      write_string(to, name);
      to += ':';
      write_value(to, value);
    }
    to += '}';
  } else if constexpr (std::is_same_v<T, json_text>) {
    to += from.text;
  } else if constexpr (std::is_same_v<T, bool>) {
    to += from ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    to += std::to_string(from);
  } else {
    write_double(to, static_cast<double>(from));
  }
}

}  // namespace detail

/// The JSON schema of a T: a described type, or any type that a member may have.
template <class T>
[[nodiscard]] std::string schema_of() {
  detail::schema_writer to;
  detail::write_schema<T>(to);
  return std::move(to.out);
}

/// The value that `json` is. Fails with status::protocol; the message says which member is
/// wrong, and body() is `json`. Members that T does not have are skipped.
template <class T>
[[nodiscard]] expected<T> parse(std::string_view json) {
  T value{};
  detail::json_reader from(json);
  if (detail::read_value(from, value) && from.end()) return value;
  return unexpected(error(status::protocol, from.failure(), std::string(json)));
}

/// `value` as JSON.
template <class T>
[[nodiscard]] std::string to_json(const T& value) {
  std::string json;
  detail::write_value(json, value);
  return json;
}

/// The JSON schema of an object, for a tool without a type of its own:
///
///     tolmach::object_schema()
///         .string("city", "The city's name in English")
///         .choice("unit", {"metric", "imperial"}).optional()
///
/// Each member is required, unless optional() follows it.
class object_schema {
 public:
  object_schema& string(std::string_view name, std::string_view description = {}) {
    return add(name, R"({"type":"string"})", description);
  }
  object_schema& integer(std::string_view name, std::string_view description = {}) {
    return add(name, R"({"type":"integer"})", description);
  }
  object_schema& number(std::string_view name, std::string_view description = {}) {
    return add(name, R"({"type":"number"})", description);
  }
  object_schema& boolean(std::string_view name, std::string_view description = {}) {
    return add(name, R"({"type":"boolean"})", description);
  }

  /// One of some strings.
  object_schema& choice(std::string_view name, std::initializer_list<std::string_view> values,
                        std::string_view description = {}) {
    std::string schema = R"({"type":"string","enum":[)";
    for (const auto value : values) {
      if (schema.back() != '[') schema += ',';
      detail::write_string(schema, value);
    }
    return add(name, schema + "]}", description);
  }

  /// Of a type that has a schema.
  template <class T>
  object_schema& value(std::string_view name, std::string_view description = {}) {
    return add(name, schema_of<T>(), description);
  }

  /// An object within this one.
  object_schema& object(std::string_view name, const object_schema& schema,
                        std::string_view description = {}) {
    return add(name, schema.json(), description);
  }

  /// An array of what `element`, a schema, allows: "{\"type\":\"string\"}".
  object_schema& list(std::string_view name, std::string_view element,
                      std::string_view description = {}) {
    return add(name, R"({"type":"array","items":)" + std::string(element) + "}", description);
  }
  object_schema& list(std::string_view name, const object_schema& element,
                      std::string_view description = {}) {
    return list(name, element.json(), description);
  }

  /// With any schema, an object in JSON.
  object_schema& add(std::string_view name, std::string schema, std::string_view description = {}) {
    if (!description.empty() && !schema.empty()) {
      schema.pop_back();
      schema += schema == "{" ? "\"description\":" : ",\"description\":";
      detail::write_string(schema, description);
      schema += '}';
    }
    members_.push_back({std::string(name), std::move(schema), true});
    return *this;
  }

  /// The member before need not be given.
  object_schema& optional() {
    if (!members_.empty()) members_.back().is_required = false;
    return *this;
  }

  [[nodiscard]] std::string json() const {
    std::string properties, required;
    for (const auto& it : members_) {
      if (!properties.empty()) properties += ',';
      detail::write_string(properties, it.name);
      properties += ':' + it.schema;
      if (!it.is_required) continue;
      if (!required.empty()) required += ',';
      detail::write_string(required, it.name);
    }
    return R"({"type":"object","properties":{)" + properties + "},\"required\":[" + required +
           "],\"additionalProperties\":false}";
  }

 private:
  struct part {
    std::string name, schema;
    bool is_required;
  };
  std::vector<part> members_;
};

/// The arguments of a tool's call, for a tool without a type of its own.
class arguments {
 public:
  explicit arguments(std::string_view json) noexcept : json_(json) {}

  /// All of them, as a JSON object.
  [[nodiscard]] std::string_view json() const noexcept { return json_; }

  /// The argument of that name. A std::optional may be missing or null; of another type, what is
  /// missing or does not fit fails with status::protocol.
  template <class T>
  [[nodiscard]] expected<T> get(std::string_view name) const {
    T value{};
    bool is_there = false;
    detail::json_reader from(json_);
    const bool is_right = from.object([&](const std::string& member) {
      std::string_view skipped;
      if (member != name) return from.any(skipped);
      is_there = true;
      return detail::read_value(from, value);
    });
    if (is_right && !is_there && !detail::is_optional<T>) {
      from.fail("it is missing");
      from.fail_in(std::string(name));
    } else if (is_right && from.end()) {
      return value;
    }
    return unexpected(error(status::protocol, from.failure(), std::string(json_)));
  }

 private:
  std::string_view json_;
};

// ---- 5. library: version, log, providers ----

/// The version of the library that runs, such as "0.1.0".
[[nodiscard]] inline std::string_view version() noexcept {
  return tolmach_version();
}

/// The version of the ABI that runs: it grows by one when something is added to it.
[[nodiscard]] inline std::uint32_t abi_version() noexcept {
  return tolmach_abi_version();
}

enum class log_level : std::int32_t { none = 0, error, warning, info, debug, trace };

/// Takes a line of the log, and the number of the session that it belongs to (0 for none);
/// the view lives until it returns. Any thread may call it, several
/// at once. It must not block, and an exception that leaves it ends the program.
using log_function =
    std::function<void(log_level level, std::uint64_t session, std::string_view message)>;

/// Sends the library's log lines up to `level` to `log`, for the whole process; an empty
/// function ends that. A line never shows a credential, a header or a prompt. A line under way
/// may still come to a `log` that was replaced; it is destroyed after its last line, perhaps on
/// another thread.
inline void set_log(log_level level, log_function log) {
  if (!log) {
    tolmach_log_set(nullptr, nullptr, nullptr, 0);
    return;
  }
  const tolmach_log_fn trampoline = [](void* function, std::int32_t line_level,
                                       std::uint64_t session, const char* message,
                                       std::size_t length) noexcept {
    (*static_cast<log_function*>(function))(static_cast<log_level>(line_level), session,
                                            std::string_view(message, length));
  };
  const tolmach_release_fn release = [](void* function) noexcept {
    delete static_cast<log_function*>(function);
  };
  auto user = std::make_unique<log_function>(std::move(log));
  tolmach_log_set(trampoline, user.release(), release, static_cast<std::int32_t>(level));
}

/// One thing that a provider or a model can do. The set is open.
enum class capability : std::int32_t {
  stream = TOLMACH_CAN_STREAM,
  history = TOLMACH_CAN_HISTORY,
  system = TOLMACH_CAN_SYSTEM,
  tools = TOLMACH_CAN_TOOLS,
  vision = TOLMACH_CAN_VISION,
  images = TOLMACH_CAN_IMAGES,
  list_models = TOLMACH_CAN_LIST_MODELS,
  needs_auth = TOLMACH_NEEDS_AUTH,
  working = TOLMACH_WORKING,
};

/// What a provider or a model can do.
struct capabilities {
  tolmach_capabilities bits = 0;
  [[nodiscard]] constexpr bool has(capability one) const noexcept {
    return (bits & static_cast<std::int32_t>(one)) != 0;
  }
};

/// A provider that this build can talk to; its texts live as long as the library.
struct provider {
  /// The name to configure it by, its name for people, and its site.
  std::string_view name, label, url;
  /// Where its API is, unless the config's base_url says otherwise.
  std::string_view base_url;
  /// The model asked when nobody names one; empty: name one.
  std::string_view default_model;
  /// The environment variable where its key is usually kept; empty: none.
  std::string_view api_key_env;
  tolmach::capabilities capabilities;
};

namespace detail {

inline provider provider_of(const tolmach_provider& it) noexcept {
  return {view(it.name),          view(it.label),       view(it.url),     view(it.base_url),
          view(it.default_model), view(it.api_key_env), {it.capabilities}};
}

}  // namespace detail

/// The providers that this build can talk to.
[[nodiscard]] inline std::vector<provider> providers() {
  std::vector<provider> all;
  for (std::size_t at = 0; const tolmach_provider* it = tolmach_provider_get(at); ++at) {
    all.push_back(detail::provider_of(*it));
  }
  return all;
}

/// The provider of that name, if there is one.
[[nodiscard]] inline std::optional<provider> find_provider(std::string_view name) {
  const auto* const found = tolmach_provider_find(std::string(name).c_str());
  return found ? std::optional(detail::provider_of(*found)) : std::nullopt;
}

// ---- 6. config ----

/// A duration of the settings that says: without limit.
inline constexpr std::chrono::milliseconds no_limit{-1};

/// The settings of a config with their types. Those without a value stay as they are; which of
/// them a provider has, config::keys() says.
///
///     auto client = tolmach::client::create("openai", tolmach::settings{.max_retries = 5});
///
/// is C++20; before, set the members of a variable.
struct settings {
  // Where to ask, and whom.
  std::optional<std::string> base_url, model, endpoint, api;
  std::optional<std::map<std::string, std::string>> headers;
  std::optional<std::string> user_agent;

  // Credentials.
  std::optional<std::string> api_key, auth_scheme, organization, project, cookie;
  std::optional<std::string> access_token, user, password, scope, auth_url, api_version;

  // How to connect.
  std::optional<std::string> proxy, ca_file, ca_pem, tls_roots, client_cert, client_key;
  std::optional<bool> tls_verify;
  std::optional<std::vector<std::string>> tls_pins;

  // How long to wait, and how often to try. The least is a millisecond; or no_limit.
  std::optional<std::chrono::milliseconds> connect_timeout, first_byte_timeout, idle_timeout,
      total_timeout;
  std::optional<std::int64_t> max_retries;

  // Limits.
  std::optional<std::int64_t> max_event_bytes, max_error_bytes, max_header_bytes, max_json_depth,
      max_tool_calls, max_reply_bytes, queue_bytes;

  // What is done with requests and answers.
  std::optional<bool> heal, estimate_usage, raw_chunks, retry_chunks, think_tags, background;
  std::optional<bool> fetch_urls, fetch_private_urls;
  std::optional<std::map<std::string, std::vector<std::string>>> model_aliases;
  std::optional<std::vector<std::string>> fallback_models;
  std::optional<std::string> anthropic_version;
  std::optional<std::vector<std::string>> anthropic_beta;

  // Recordings.
  std::optional<std::string> record_file, replay_file;
  std::optional<bool> replay_timing;
};

/// The settings that can have another value for one request: request::set(). Those without a
/// value are the config's.
struct options {
  std::optional<std::chrono::milliseconds> connect_timeout, first_byte_timeout, idle_timeout,
      total_timeout;
  std::optional<std::int64_t> max_retries;
  std::optional<std::map<std::string, std::string>> headers;
  std::optional<std::int64_t> max_reply_bytes, queue_bytes;
  std::optional<bool> raw_chunks, retry_chunks, estimate_usage;
};

/// What the values of a key are. The set is open: take one that you do not know for text.
enum class key_kind : std::int32_t {
  text = TOLMACH_KEY_TEXT,
  secret = TOLMACH_KEY_SECRET,
  url = TOLMACH_KEY_URL,
  file = TOLMACH_KEY_FILE,
  number = TOLMACH_KEY_NUMBER,
  milliseconds = TOLMACH_KEY_MILLISECONDS,
  boolean = TOLMACH_KEY_BOOLEAN,
  choice = TOLMACH_KEY_CHOICE,
  json = TOLMACH_KEY_JSON,
};

/// A key that a config has.
struct config_key {
  std::string_view name, default_value;
  /// The values there are, with commas between, for key_kind::choice.
  std::string_view choices;
  /// What it means, in English.
  std::string_view help;
  key_kind kind;
  /// Whether request::option() takes it.
  bool is_option;
};

namespace detail {

inline std::string setting_of(const std::string& text) {
  return text;
}
inline std::string setting_of(bool flag) {
  return flag ? "true" : "false";
}
inline std::string setting_of(std::int64_t number) {
  return std::to_string(number);
}
template <class Rep, class Period>
std::string setting_of(std::chrono::duration<Rep, Period> time) {
  return time == no_limit ? "-1" : std::to_string(milliseconds(time));
}
inline std::string setting_of(const std::vector<std::string>& list) {
  std::string text;
  for (const auto& it : list) text += (text.empty() ? "" : ",") + it;
  return text;
}
inline std::string setting_of(const std::map<std::string, std::string>& map) {
  return to_json(map);
}
inline std::string setting_of(const std::map<std::string, std::vector<std::string>>& map) {
  return to_json(map);
}

/// Which member of settings or options is which key.
inline constexpr auto keys_of(const settings*) noexcept {
  using it = settings;
  return std::tuple(
      member("base_url", &it::base_url), member("model", &it::model),
      member("endpoint", &it::endpoint), member("api", &it::api), member("headers", &it::headers),
      member("user_agent", &it::user_agent), member("api_key", &it::api_key),
      member("auth_scheme", &it::auth_scheme), member("organization", &it::organization),
      member("project", &it::project), member("cookie", &it::cookie),
      member("access_token", &it::access_token), member("user", &it::user),
      member("password", &it::password), member("scope", &it::scope),
      member("auth_url", &it::auth_url), member("api_version", &it::api_version),
      member("proxy", &it::proxy), member("ca_file", &it::ca_file), member("ca_pem", &it::ca_pem),
      member("tls_roots", &it::tls_roots), member("client_cert", &it::client_cert),
      member("client_key", &it::client_key), member("tls_verify", &it::tls_verify),
      member("tls_pins", &it::tls_pins), member("connect_timeout_ms", &it::connect_timeout),
      member("first_byte_timeout_ms", &it::first_byte_timeout),
      member("idle_timeout_ms", &it::idle_timeout), member("total_timeout_ms", &it::total_timeout),
      member("max_retries", &it::max_retries), member("max_event_bytes", &it::max_event_bytes),
      member("max_error_bytes", &it::max_error_bytes),
      member("max_header_bytes", &it::max_header_bytes),
      member("max_json_depth", &it::max_json_depth), member("max_tool_calls", &it::max_tool_calls),
      member("max_reply_bytes", &it::max_reply_bytes), member("queue_bytes", &it::queue_bytes),
      member("heal", &it::heal), member("estimate_usage", &it::estimate_usage),
      member("raw_chunks", &it::raw_chunks), member("retry_chunks", &it::retry_chunks), member("think_tags", &it::think_tags),
      member("background", &it::background), member("fetch_urls", &it::fetch_urls),
      member("fetch_private_urls", &it::fetch_private_urls),
      member("model_aliases", &it::model_aliases), member("fallback_models", &it::fallback_models),
      member("anthropic_version", &it::anthropic_version),
      member("anthropic_beta", &it::anthropic_beta), member("record_file", &it::record_file),
      member("replay_file", &it::replay_file), member("replay_timing", &it::replay_timing));
}

inline constexpr auto keys_of(const options*) noexcept {
  using it = options;
  return std::tuple(
      member("connect_timeout_ms", &it::connect_timeout),
      member("first_byte_timeout_ms", &it::first_byte_timeout),
      member("idle_timeout_ms", &it::idle_timeout), member("total_timeout_ms", &it::total_timeout),
      member("max_retries", &it::max_retries), member("headers", &it::headers),
      member("max_reply_bytes", &it::max_reply_bytes), member("queue_bytes", &it::queue_bytes),
      member("raw_chunks", &it::raw_chunks), member("retry_chunks", &it::retry_chunks), member("estimate_usage", &it::estimate_usage));
}

/// Calls `set(key, value)` for each that has a value, until one fails.
template <class Settings, class Set>
expected<void> each_setting(const Settings& some, Set set) {
  expected<void> done;
  std::apply(
      [&](const auto&... each) {
        const auto apply = [&](const auto& it) {
          const auto& value = some.*(it.at);
          if (done && value) done = set(std::string_view(it.name), setting_of(*value));
        };
        (apply(each), ...);
      },
      keys_of(&some));
  return done;
}

}  // namespace detail

/// The keys that settings, or options, have a member for.
template <class Settings>
[[nodiscard]] std::vector<std::string_view> keys_of() {
  return std::apply(
      [](const auto&... each) { return std::vector<std::string_view>{each.name...}; },
      detail::keys_of(static_cast<const Settings*>(nullptr)));
}

/// A provider and how to reach it: keys and values, each checked as it is set; tolmach.h
/// lists them all.
class config : public detail::handle<tolmach_config> {
 public:
  using handle::handle;

  /// A provider's defaults. Fails with status::argument for a provider that there is not.
  [[nodiscard]] static expected<config> create(std::string_view provider_name) {
    if (detail::has_nul(provider_name)) return detail::nul_inside();
    return detail::make<config, tolmach_config>([&](auto out, auto why) {
      return tolmach_config_new(std::string(provider_name).c_str(), out, why);
    });
  }

  /// Of a JSON object with "provider" and keys: {"provider":"openai","max_retries":3}.
  [[nodiscard]] static expected<config> from_json(std::string_view json) {
    return detail::make<config, tolmach_config>([&](auto out, auto why) {
      return tolmach_config_from_json(detail::data(json), json.size(), out, why);
    });
  }

  /// Sets a key. Fails with status::argument, and leaves the config as it was, for a key that
  /// the provider does not have or a wrong value; the message says what is right.
  [[nodiscard]] expected<void> set(std::string_view key, std::string_view value) {
    if (detail::has_nul(key, value)) return detail::nul_inside();
    return put(key, std::string(value).c_str());
  }

  /// Sets a duration, such as idle_timeout_ms, rounded up to milliseconds; or no_limit.
  template <class Rep, class Period>
  [[nodiscard]] expected<void> set(std::string_view key, std::chrono::duration<Rep, Period> value) {
    return set(key, detail::setting_of(value));
  }

  /// Sets those settings that have a value.
  [[nodiscard]] expected<void> set(const settings& some) {
    return detail::each_setting(some, [this](std::string_view key, const std::string& value) {
      return set(key, value);
    });
  }

  /// Sets one header that is sent with every request.
  [[nodiscard]] expected<void> header(std::string_view header_name, std::string_view value) {
    if (detail::has_nul(header_name, value)) return detail::nul_inside();
    return put_header(header_name, std::string(value).c_str());
  }

  /// Removes a header.
  [[nodiscard]] expected<void> unset_header(std::string_view header_name) {
    if (detail::has_nul(header_name)) return detail::nul_inside();
    return put_header(header_name, nullptr);
  }

  /// The keys that this provider has, its own first: for settings pages and checks. They are views
  /// into the config.
  [[nodiscard]] std::vector<config_key> keys() const& {
    std::vector<config_key> all;
    for (std::size_t at = 0; const tolmach_config_key* it = tolmach_config_key_get(native(), at);
         ++at) {
      all.push_back({detail::view(it->name), detail::view(it->default_value),
                     detail::view(it->choices), detail::view(it->help),
                     static_cast<key_kind>(it->kind), it->is_option != 0});
    }
    return all;
  }
  void keys() const&& = delete;  // The views would outlive the config.

  /// Takes a key back to its default.
  [[nodiscard]] expected<void> unset(std::string_view key) {
    if (detail::has_nul(key)) return detail::nul_inside();
    return put(key, nullptr);
  }

 private:
  expected<void> put(std::string_view key, const char* value) {
    tolmach_error* why = nullptr;
    const auto code = tolmach_config_set(native(), std::string(key).c_str(), value, &why);
    return detail::outcome(code, why);
  }

  expected<void> put_header(std::string_view header_name, const char* value) {
    tolmach_error* why = nullptr;
    const std::string key(header_name);
    const auto code = tolmach_config_header(native(), key.c_str(), value, &why);
    return detail::outcome(code, why);
  }
};

// ---- 7. chunk: one piece of an answer ----

/// What a chunk carries. The set is open: skip the kinds that you do not know.
enum class chunk_kind : std::int32_t {
  /// The answer begins. text: its id; name: the model that answers.
  start = TOLMACH_CHUNK_START,
  /// A piece of the answer's text.
  text = TOLMACH_CHUNK_TEXT,
  /// A piece of the model's reasoning.
  reasoning = TOLMACH_CHUNK_REASONING,
  /// A piece of a refusal.
  refusal = TOLMACH_CHUNK_REFUSAL,
  /// A piece of a tool call. id and name on its first; text: a piece of its arguments.
  tool_call = TOLMACH_CHUNK_TOOL_CALL,
  /// An image. text: its URL, or empty when bytes are given; name: the prompt as revised.
  image = TOLMACH_CHUNK_IMAGE,
  /// A piece of audio in bytes; text: its transcript.
  audio = TOLMACH_CHUNK_AUDIO,
  /// A source. text: its URL; name: its title.
  source = TOLMACH_CHUNK_SOURCE,
  /// What the provider says it is doing.
  progress = TOLMACH_CHUNK_PROGRESS,
  /// Token counts, in usage.
  usage = TOLMACH_CHUNK_USAGE,
  /// The end of a choice. text: stop, length, tool_calls, content_filter or another word.
  finish = TOLMACH_CHUNK_FINISH,
  /// With the config's raw_chunks alone: text is the undecoded event.
  raw = TOLMACH_CHUNK_RAW,
  /// Opaque state of the provider's, as JSON in text. The reply has it already.
  state = TOLMACH_CHUNK_STATE,
  /// How likely the tokens of the answer were, as JSON in text.
  logprobs = TOLMACH_CHUNK_LOGPROBS,
  /// A model, of client::open_models(): model::of() reads it.
  model = TOLMACH_CHUNK_MODEL,
  /// An embedding, of a request with inputs: embedding_of() reads it. index: which input.
  embedding = TOLMACH_CHUNK_EMBEDDING,
  /// With the config's retry_chunks alone: the request failed and is tried again. text: why;
  /// index: the attempt that follows; name: how many milliseconds it waits.
  retry = TOLMACH_CHUNK_RETRY,
  /// A piece of the body that client::open_raw() got, in bytes.
  body = TOLMACH_CHUNK_BODY,
};

/// Token counts; empty where the provider did not say.
struct usage {
  /// Of the prompt (cached ones included), of the answer (reasoning included), and in all.
  std::optional<std::int64_t> input, output, total;
  /// Of the prompt, from a cache; of the answer, spent on reasoning.
  std::optional<std::int64_t> cached_input, reasoning;
  /// Of the prompt, written to a cache.
  std::optional<std::int64_t> cache_write;
};

/// A view of one piece of an answer, good until its session is next polled or ends. The
/// empty one (default made) has kind 0 and nothing in it.
class chunk {
 public:
  chunk() noexcept = default;
  explicit chunk(const tolmach_chunk* native) noexcept : native_(native) {}

  [[nodiscard]] chunk_kind kind() const noexcept {
    return static_cast<chunk_kind>(native_ ? native_->kind : 0);
  }
  /// Which of n answers it belongs to.
  [[nodiscard]] int choice() const noexcept { return native_ ? native_->choice : 0; }
  /// Which tool call, image, ... of that answer.
  [[nodiscard]] int index() const noexcept { return native_ ? native_->index : 0; }
  /// UTF-8 in whole characters, of which any may be NUL.
  [[nodiscard]] std::string_view text() const noexcept { return view(&tolmach_chunk::text); }
  /// The id of a tool call.
  [[nodiscard]] std::string_view id() const noexcept { return view(&tolmach_chunk::id); }
  /// A name; of what, the kind says.
  [[nodiscard]] std::string_view name() const noexcept { return view(&tolmach_chunk::name); }
  /// The media type of bytes().
  [[nodiscard]] std::string_view mime() const noexcept { return view(&tolmach_chunk::mime); }
  /// An image or audio.
  [[nodiscard]] tolmach::bytes bytes() const noexcept {
    return native_ ? tolmach::bytes(native_->bytes, native_->bytes_len) : tolmach::bytes();
  }
  [[nodiscard]] tolmach::usage usage() const noexcept {
    if (!native_) return {};
    const tolmach_usage& counts = native_->usage;
    return {detail::said(counts.input), detail::said(counts.output), detail::said(counts.total),
            detail::said(counts.cached_input), detail::said(counts.reasoning),
            detail::said(counts.cache_write)};
  }

  /// The C object; null where empty.
  [[nodiscard]] const tolmach_chunk* native() const noexcept { return native_; }

 private:
  std::string_view view(tolmach_str tolmach_chunk::* text) const noexcept {
    return native_ ? detail::view(native_->*text) : std::string_view("");
  }

  const tolmach_chunk* native_ = nullptr;
};

/// Some chunks that arrived together: a range of them, good as each of them is.
class batch {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = chunk;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = chunk;

    [[nodiscard]] chunk operator*() const noexcept { return (*of_)[at_]; }
    iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    void operator++(int) noexcept { ++at_; }
    friend bool operator==(const iterator& one, const iterator& other) noexcept {
      return one.at_ == other.at_;
    }
    friend bool operator!=(const iterator& one, const iterator& other) noexcept {
      return one.at_ != other.at_;
    }

   private:
    friend class batch;
    iterator(const batch& of, std::size_t at) noexcept : of_(&of), at_(at) {}
    const batch* of_;
    std::size_t at_;
  };

  batch() noexcept = default;
  explicit batch(const tolmach_batch* native) noexcept : native_(native) {}

  [[nodiscard]] std::size_t size() const noexcept { return native_ ? native_->count : 0; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// `at`: below size().
  [[nodiscard]] chunk operator[](std::size_t at) const noexcept {
    // The library's chunks may be larger than this header's.
    const auto* const first = reinterpret_cast<const char*>(native_->chunks);
    return chunk(reinterpret_cast<const tolmach_chunk*>(first + at * native_->chunk_size));
  }
  [[nodiscard]] iterator begin() const& noexcept { return {*this, 0}; }
  [[nodiscard]] iterator end() const& noexcept { return {*this, size()}; }
  void begin() const&& = delete;  // The iterator would outlive the batch.
  void end() const&& = delete;

  /// The C object; null where empty.
  [[nodiscard]] const tolmach_batch* native() const noexcept { return native_; }

 private:
  const tolmach_batch* native_ = nullptr;
};

/// The numbers of a chunk of chunk_kind::embedding.
[[nodiscard]] inline std::vector<float> embedding_of(const chunk& piece) {
  const auto raw = piece.bytes();
  std::vector<float> numbers(raw.size() / 4);
  for (std::size_t at = 0; at < numbers.size(); ++at) {
    std::uint32_t bits = 0;
    for (std::size_t byte = 0; byte < 4; ++byte) {
      bits |= std::to_integer<std::uint32_t>(raw[at * 4 + byte]) << (8 * byte);
    }
    static_assert(sizeof(float) == sizeof bits);
    std::memcpy(&numbers[at], &bits, sizeof bits);
  }
  return numbers;
}

/// A model that a provider has.
struct model {
  /// The name to ask for it by.
  std::string id;
  /// Who made or serves it; empty when not said.
  std::string owner;
  /// The provider's whole entry, as JSON.
  std::string json;
  /// Tokens that fit its context, when said.
  std::optional<std::int64_t> context_length;
  tolmach::capabilities capabilities;

  /// What a chunk of chunk_kind::model says.
  [[nodiscard]] static model of(const chunk& piece) {
    return {std::string(piece.id()), std::string(piece.name()), std::string(piece.text()),
            piece.usage().total, {piece.native() ? piece.native()->flags : 0}};
  }
};

// ---- 8. answer: a whole one ----

/// A call of a tool, whole.
struct tool_call {
  /// What request::tool_result() takes.
  std::string id;
  std::string name;
  /// A JSON object; tolmach::parse() reads it into a type.
  std::string arguments;
  /// Which call of the answer it is, as chunk::index() says.
  int index = 0;
};

/// An image of an answer: bytes, or else a URL.
struct image {
  std::vector<std::byte> bytes;
  /// The media type of bytes, such as "image/png".
  std::string mime;
  std::string url;
  /// The prompt, where the provider changed it.
  std::string prompt;
  /// Which image of the answer it is.
  int index = 0;
};

/// The audio of an answer, and what is said in it.
struct audio {
  std::vector<std::byte> bytes;
  std::string mime, transcript;
};

/// Something that an answer refers to.
struct source {
  std::string url, title;
};

/// A whole answer; where a request asks for several at once, the first of them.
struct answer {
  std::string text, reasoning;
  /// Why the model does not answer; empty where it does.
  std::string refusal;
  std::vector<tool_call> tool_calls;
  std::vector<image> images;
  tolmach::audio audio;
  std::vector<source> sources;
  tolmach::usage usage;
  /// stop, length, tool_calls, content_filter or another word; empty where it was not said.
  std::string finish_reason;
  /// The provider's id of the request, and the model that answered; empty where not said.
  std::string request_id, model;
  /// How likely the tokens were, where the request asks for that: pieces of JSON.
  std::vector<std::string> logprobs;

  /// The text, which is JSON, as a T. Fails with status::blocked for a refusal, with
  /// status::truncated for an answer that was cut at its limit of tokens, and with
  /// status::protocol for what does not fit; the message says which member is wrong, and
  /// error::body() is the text.
  template <class T>
  [[nodiscard]] expected<T> as() const {
    if (text.empty() && !refusal.empty()) {
      return unexpected(error(status::blocked, "the model refuses: " + refusal, refusal));
    }
    auto parsed = parse<T>(text);
    if (parsed || finish_reason != "length") return parsed;
    return unexpected(error(status::truncated, "the answer was cut at its limit of tokens", text));
  }
};

namespace detail {

inline std::vector<std::byte> copy(const tolmach_chunk& piece) {
  const auto* const begin = reinterpret_cast<const std::byte*>(piece.bytes);
  return {begin, begin + piece.bytes_len};
}

/// Keeps of an answer what the library does not: all but its text and its tool calls.
inline void keep(std::unique_ptr<answer>& kept, const tolmach_chunk& piece) {
  if (piece.choice != 0) return;
  if (!kept) kept = std::make_unique<answer>();
  const auto text = view(piece.text);
  switch (static_cast<chunk_kind>(piece.kind)) {
    case chunk_kind::reasoning: kept->reasoning += text; break;
    case chunk_kind::refusal: kept->refusal += text; break;
    case chunk_kind::image: {
      image made{copy(piece), std::string(view(piece.mime)), std::string(text),
                 std::string(view(piece.name)), piece.index};
      // Some providers send one again, in more detail.
      const auto same = std::find_if(kept->images.begin(), kept->images.end(),
                                     [&](const image& it) { return it.index == made.index; });
      if (same != kept->images.end()) {
        *same = std::move(made);
      } else {
        kept->images.push_back(std::move(made));
      }
      break;
    }
    case chunk_kind::audio: {
      const auto bytes = copy(piece);
      kept->audio.bytes.insert(kept->audio.bytes.end(), bytes.begin(), bytes.end());
      kept->audio.transcript += text;
      if (piece.mime.len > 0) kept->audio.mime = view(piece.mime);
      break;
    }
    case chunk_kind::source:
      kept->sources.push_back({std::string(text), std::string(view(piece.name))});
      break;
    case chunk_kind::usage: kept->usage = chunk(&piece).usage(); break;
    case chunk_kind::finish: kept->finish_reason = text; break;
    case chunk_kind::logprobs: kept->logprobs.emplace_back(text); break;
    default: break;
  }
}

/// Whether keep() has something to do for it. Most chunks of an answer are of the other kinds.
inline bool is_kept(const tolmach_chunk& piece) noexcept {
  return piece.kind != TOLMACH_CHUNK_TEXT && piece.kind != TOLMACH_CHUNK_TOOL_CALL &&
         piece.kind != TOLMACH_CHUNK_START;
}

}  // namespace detail

// ---- 9. session: one answer on its way ----

namespace detail {
using session_handle = handle<tolmach_session>;
}

/// A limit that the provider puts on requests or tokens; empty where it does not say.
struct rate_limit {
  std::optional<std::int64_t> limit, remaining;
  /// When the period ends, counted from the arrival of the response.
  std::optional<std::chrono::milliseconds> reset;
};

/// What is known of a session in addition to its answer; tolmach.h says more of each. The texts are
/// views, good until the session's next poll or end. Times are since the session was opened, and
/// empty where it has not come to that.
struct session_info {
  /// Its number, which lines of the log begin with.
  std::uint64_t id = 0;
  /// How often the request was tried.
  std::int64_t attempts = 0;
  /// The parameters of the request that were changed to suit the provider, as a JSON list.
  std::string_view changed;
  std::string_view request_id, model, provider;
  std::optional<int> http_status;
  bool is_connection_reused = false;
  std::optional<std::chrono::microseconds> resolved, connected, tls_done, sent, headers,
      first_chunk, ended;
  /// The longest time between two arrivals.
  std::optional<std::chrono::microseconds> longest_gap;
  rate_limit requests, tokens;
};

namespace detail {

inline rate_limit limit_of(const tolmach_rate_limit& it) noexcept {
  const auto reset = said(it.reset_ms);
  return {said(it.limit), said(it.remaining),
          reset ? std::optional(std::chrono::milliseconds(*reset)) : std::nullopt};
}

inline session_info info_of(const tolmach_session_info& it) noexcept {
  const auto time = [](std::int64_t count) {
    return count < 0 ? std::nullopt : std::optional(std::chrono::microseconds(count));
  };
  return {it.id,
          it.attempts,
          view(it.changed),
          view(it.request_id),
          view(it.model),
          view(it.provider),
          it.http_status > 0 ? std::optional<int>(it.http_status) : std::nullopt,
          it.connection_reused != 0,
          time(it.resolved),
          time(it.connected),
          time(it.tls_done),
          time(it.sent),
          time(it.headers),
          time(it.first_chunk),
          time(it.ended),
          time(it.longest_gap),
          limit_of(it.requests),
          limit_of(it.tokens)};
}

}  // namespace detail

/// Cancels its session from any thread, at any time: once the session is no more, it does
/// nothing. Copy it to whatever may have to stop an answer.
class canceller {
 public:
  canceller() noexcept = default;

  /// Cancels: never blocks, may be called any number of times.
  void operator()() const noexcept {
    // Holds the session, so that it is not freed under the call.
    if (const auto held = session_.lock()) tolmach_session_cancel(held->native());
  }

 private:
  friend class session;
  explicit canceller(std::weak_ptr<detail::session_handle> held) noexcept
      : session_(std::move(held)) {}

  std::weak_ptr<detail::session_handle> session_;
};

namespace detail {

template <class Ready>
expected<void> on_ready(tolmach_session* session, Ready&& ready) {
  using function = std::decay_t<Ready>;
  auto user = std::make_unique<function>(std::forward<Ready>(ready));
  const tolmach_ready_fn call = [](void* it) noexcept {
    static_cast<void>((*static_cast<function*>(it))());
  };
  const tolmach_release_fn drop = [](void* it) noexcept { delete static_cast<function*>(it); };
  tolmach_error* why = nullptr;
  const auto code = tolmach_session_on_ready(session, call, user.get(), drop, &why);
  if (code == TOLMACH_OK) static_cast<void>(user.release());
  return outcome(code, why);
}

}  // namespace detail

/// What a poll came to: `chunk` with status::ok, `error` with a code below 0, and neither
/// with status::end and status::pending. It does not turn into a bool, since a loop that
/// asked no more than that would lose the error.
struct [[nodiscard]] polled {
  status code = status::pending;
  tolmach::chunk chunk;
  tolmach::error error;
};

#if defined(TOLMACH_HAS_COROUTINES)
namespace detail {

/// Waits until `step`, which polls `session`, has a result.
template <class Session, class Post, class Step>
class awaiter {
 public:
  awaiter(Session& of, Post post, Step step)
      : of_(&of), post_(std::move(post)), step_(std::move(step)) {}
  awaiter(const awaiter&) = delete;
  awaiter& operator=(const awaiter&) = delete;
  ~awaiter() {
    if (wait_) wait_->by = nullptr;
  }

  bool await_ready() {
    result_ = step_();
    return result_.has_value();
  }
  void await_suspend(std::coroutine_handle<> waiting) {
    waiting_ = waiting;
    wait();
  }
  auto await_resume() { return std::move(*result_); }

 private:
  /// One wait for the session: of its calls, which may be too many, the first counts.
  struct once {
    explicit once(awaiter* waiting) noexcept : by(waiting) {}
    std::atomic<bool> is_called{false};
    awaiter* by;
  };

  void wait() {
    const auto current = std::make_shared<once>(this);
    wait_ = current;
    // The coroutine may go on, and end the session, before this call returns: it holds it.
    const auto held = of_->shared_;
    const auto ready = [current, post = post_]() mutable {
      if (current->is_called.exchange(true)) return;
      post([current] {
        if (current->by) current->by->step();
      });
    };
    static_cast<void>(on_ready(held->native(), ready));
  }

  void step() {
    result_ = step_();
    if (!result_) return wait();
    waiting_.resume();
  }

  Session* of_;
  Post post_;
  Step step_;
  std::optional<typename std::invoke_result_t<Step&>::value_type> result_;
  std::coroutine_handle<> waiting_;
  std::shared_ptr<once> wait_;
};

}  // namespace detail
#endif

/// What a poll for all that has arrived came to: as `polled`, with chunks.
struct [[nodiscard]] polled_many {
  status code = status::pending;
  batch chunks;
  tolmach::error error;
};

/// One answer on its way. Its end of life, wherever that comes, ends the request at once.
///
/// It is a range of expected<chunk>, to be gone through once: an error comes as an element,
/// the last, so that no loop can end early without having been handed the reason.
class session {
 public:
  class iterator;

  /// Empty.
  session() noexcept = default;

  /// Adopts `native`, which may be null.
  explicit session(tolmach_session* native)
      : shared_(std::make_shared<detail::session_handle>(native)) {}

  session(session&&) noexcept = default;
  session& operator=(session&&) noexcept = default;

  /// Waits for the next chunk; never says status::pending. What ended the session is said
  /// again by later calls.
  polled next() & {
    for (;;) {
      auto found = polled_in(-1);
      if (found.code != status::pending) return found;
    }
  }

  /// Waits for the next chunk up to `timeout`: status::pending when there is none in time.
  template <class Rep, class Period>
  polled poll(std::chrono::duration<Rep, Period> timeout) & {
    return polled_in(detail::milliseconds(timeout));
  }

  /// Looks for the next chunk and does not wait.
  polled poll() & { return polled_in(0); }

  /// The same for all chunks that have arrived, up to 256: cheaper where there are many.
  polled_many next_many() & {
    for (;;) {
      auto found = polled_many_in(-1);
      if (found.code != status::pending) return found;
    }
  }
  template <class Rep, class Period>
  polled_many poll_many(std::chrono::duration<Rep, Period> timeout) & {
    return polled_many_in(detail::milliseconds(timeout));
  }
  polled_many poll_many() & { return polled_many_in(0); }

  /// Reads what is left, and gives the whole answer, with what was read before. Fails with what
  /// ended the session early; error::answer() then has what came before that.
  [[nodiscard]] expected<tolmach::answer> answer() & {
    for (;;) {
      auto found = next_many();
      if (found.code == status::ok) continue;
      if (found.code == status::end) return whole();
      return unexpected(found.error.with_answer(std::make_shared<tolmach::answer>(whole())));
    }
  }

#if defined(TOLMACH_HAS_COROUTINES)
  /// What co_await waits for the next chunk with, without a thread: `co_await
  /// session.async_next(post)` is next(). `post(resume)` has `resume()` called soon, once, by the
  /// thread or the strand that runs the coroutine; any thread may call `post`. To stop waiting,
  /// cancel the session, or destroy the coroutine where it runs.
  template <class Post>
  [[nodiscard]] auto async_next(Post post) & {
    return detail::awaiter(*this, std::move(post), [this]() -> std::optional<polled> {
      auto found = poll();
      return found.code == status::pending ? std::nullopt : std::optional(std::move(found));
    });
  }

  /// The same for answer().
  template <class Post>
  [[nodiscard]] auto async_answer(Post post) & {
    return detail::awaiter(
        *this, std::move(post), [this]() -> std::optional<expected<tolmach::answer>> {
          for (;;) {
            const auto found = poll_many();
            if (found.code == status::pending) return std::nullopt;
            // It has ended, so that this does not wait.
            if (found.code != status::ok) return answer();
          }
        });
  }
#endif

  /// The text that has been read so far, put together; good until the next poll.
  [[nodiscard]] std::string_view text() const& noexcept {
    return detail::view(tolmach_session_text(native()));
  }
  void text() const&& = delete;  // The view would outlive the session.

  /// What is known of it so far, also when it has failed: attempts, times, rate limits and more.
  [[nodiscard]] session_info info() const& noexcept {
    const auto* const known = tolmach_session_info_get(native());
    return known ? detail::info_of(*known) : session_info();
  }
  void info() const&& = delete;  // The views would outlive the session.

  /// A header of the latest response, also of one that was an error; good until the next poll.
  /// No value if the response has no such header. Credentials are never given.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view header_name) const& {
    if (detail::has_nul(header_name)) return std::nullopt;
    const auto value = tolmach_session_header(native(), std::string(header_name).c_str());
    return value.ptr ? std::optional(detail::view(value)) : std::nullopt;
  }
  void header(std::string_view) const&& = delete;  // The view would outlive the session.

  /// The tool calls that have been read whole so far.
  [[nodiscard]] std::vector<tool_call> tool_calls() const {
    std::vector<tool_call> calls;
    const std::size_t count = tolmach_session_tool_call_count(native());
    calls.reserve(count);
    for (std::size_t at = 0; at < count; ++at) {
      const tolmach_tool_call* const it = tolmach_session_tool_call_get(native(), at);
      if (!it) break;
      calls.push_back({std::string(detail::view(it->id)), std::string(detail::view(it->name)),
                       std::string(detail::view(it->arguments)), it->index});
    }
    return calls;
  }

  /// Waits for the first chunk that has not been read, as ++ of the iterator does for those
  /// that follow.
  [[nodiscard]] iterator begin() &;
  [[nodiscard]] iterator end() const noexcept;

  /// Ends the session at once: each wait, now and later, comes to status::cancelled, unless
  /// the session has already ended. Any thread, also during a wait.
  void cancel() const noexcept { tolmach_session_cancel(native()); }

  /// What cancels this session, and may outlive it.
  [[nodiscard]] tolmach::canceller canceller() const noexcept {
    return tolmach::canceller(shared_);
  }

  /// A descriptor for event loops, readable exactly while poll() would not be pending; -1
  /// where the system has none. Never read or close it, and stop watching it before the
  /// session ends.
  [[nodiscard]] int fd() const noexcept { return tolmach_session_fd(native()); }

  /// Has `ready` called whenever polls stop being pending, at once where they are not now;
  /// there may be a call too many. Replaces the one before. Any thread may call it, several
  /// at once; it must return soon, may use a canceller of this session and nothing else of
  /// it, and an exception that leaves it ends the program. A call under way may outlive the
  /// session: let `ready` own what it touches. It is destroyed after its last call.
  template <class Ready, class = std::enable_if_t<std::is_invocable_v<std::decay_t<Ready>&>>>
  [[nodiscard]] expected<void> on_ready(Ready&& ready) {
    return detail::on_ready(native(), std::forward<Ready>(ready));
  }

  /// Has nothing called any more.
  [[nodiscard]] expected<void> on_ready(std::nullptr_t) {
    tolmach_error* why = nullptr;
    const auto code = tolmach_session_on_ready(native(), nullptr, nullptr, nullptr, &why);
    return detail::outcome(code, why);
  }

  /// What has been read so far, put together: the assistant's message as JSON, good until
  /// the next poll; empty while there is nothing to send back. request::reply() appends it
  /// to a request.
  [[nodiscard]] std::string_view reply() const& noexcept {
    return detail::view(tolmach_session_reply(native()));
  }
  void reply() const&& = delete;  // The view would outlive the session.

  /// The C handle, still owned by this; null where empty.
  [[nodiscard]] tolmach_session* native() const noexcept {
    return shared_ ? shared_->native() : nullptr;
  }

  /// The C handle, yours to free from now on. Its stop token and cancellers are cut off, and
  /// no canceller may be at work meanwhile.
  [[nodiscard]] tolmach_session* release() noexcept {
    stop_.reset();
    const auto shared = std::move(shared_);
    return shared ? shared->release() : nullptr;
  }

  /// Whether it is not empty.
  explicit operator bool() const noexcept { return native() != nullptr; }

 private:
  friend class client;
#if defined(TOLMACH_HAS_COROUTINES)
  template <class, class, class>
  friend class detail::awaiter;
#endif

#if defined(__cpp_lib_jthread)
  void cancel_on(std::stop_token token) {
    stop_ = std::make_shared<std::stop_callback<tolmach::canceller>>(std::move(token), canceller());
  }
#endif

  polled polled_in(std::int64_t milliseconds) {
    const tolmach_chunk* found = nullptr;
    tolmach_error* why = nullptr;
    const status code{tolmach_session_poll(native(), milliseconds, &found, &why)};
    if (is_error(code)) return {code, {}, tolmach::error(code, why)};
    if (found && detail::is_kept(*found)) detail::keep(kept_, *found);
    return {code, tolmach::chunk(found), {}};
  }

  polled_many polled_many_in(std::int64_t milliseconds) {
    const tolmach_batch* found = nullptr;
    tolmach_error* why = nullptr;
    const status code{tolmach_session_poll_many(native(), milliseconds, &found, &why)};
    if (is_error(code)) return {code, {}, tolmach::error(code, why)};
    const batch chunks(found);
    for (const auto& it : chunks) {
      if (detail::is_kept(*it.native())) detail::keep(kept_, *it.native());
    }
    return {code, chunks, {}};
  }

  tolmach::answer whole() const {
    tolmach::answer all = kept_ ? *kept_ : tolmach::answer();
    all.text = text();
    all.tool_calls = tool_calls();
    const auto known = info();
    all.request_id = known.request_id;
    all.model = known.model;
    return all;
  }

  // Shared with cancellers alone, and with them no longer than one call lasts.
  std::shared_ptr<detail::session_handle> shared_;
  // The registration with a stop token, of which C++17 has no type.
  std::shared_ptr<void> stop_;
  // What the library does not keep; null until there is something.
  std::unique_ptr<tolmach::answer> kept_;
};

/// Goes through the rest of a session. What `*` gives is good until the next ++.
class session::iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = expected<chunk>;
  using difference_type = std::ptrdiff_t;
  using pointer = const value_type*;
  using reference = const value_type&;

  /// The end.
  iterator() noexcept = default;

  [[nodiscard]] reference operator*() const noexcept { return now_; }
  [[nodiscard]] pointer operator->() const noexcept { return &now_; }

  iterator& operator++() {
    if (now_) {
      advance();
    } else {
      of_ = nullptr;
    }
    return *this;
  }
  void operator++(int) { ++*this; }

  friend bool operator==(const iterator& one, const iterator& other) noexcept {
    return (one.of_ == nullptr) == (other.of_ == nullptr);
  }
  friend bool operator!=(const iterator& one, const iterator& other) noexcept {
    return !(one == other);
  }

 private:
  friend class session;
  explicit iterator(session& of) : of_(&of) { advance(); }

  void advance() {
    auto found = of_->next();
    if (found.code == status::ok) {
      now_ = found.chunk;
    } else if (is_error(found.code)) {
      now_ = unexpected(std::move(found.error));
    } else {
      of_ = nullptr;
    }
  }

  session* of_ = nullptr;
  value_type now_;
};

inline session::iterator session::begin() & {
  return iterator(*this);
}

inline session::iterator session::end() const noexcept {
  return {};
}

namespace detail {

inline const tolmach_session* native_of(const session& it) noexcept {
  return it.native();
}
inline const tolmach_session* native_of(const session* it) noexcept {
  return it ? it->native() : nullptr;
}

template <class Sessions>
expected<std::optional<std::size_t>> wait_any(const Sessions& sessions, std::int64_t timeout) {
  std::vector<const tolmach_session*> natives;
  for (const auto& it : sessions) natives.push_back(native_of(it));
  std::size_t index = 0;
  tolmach_error* why = nullptr;
  const auto code =
      tolmach_sessions_wait(natives.data(), natives.size(), timeout, &index, &why);
  if (code < 0) return unexpected(error(static_cast<status>(code), why));
  return code == TOLMACH_OK ? std::optional(index) : std::nullopt;
}

}  // namespace detail

/// Waits until one of several sessions has something to poll for, and gives its index; no index if
/// `timeout` passes first. `sessions`: a range of sessions or of pointers to sessions; null pointers
/// and empty sessions are skipped. A session that has ended is always ready: remove it from the
/// range. Fails with status::argument if the range has no session. Do not destroy a session during
/// the call. Needs no descriptor, and works on every system.
template <class Sessions, class Rep, class Period>
[[nodiscard]] expected<std::optional<std::size_t>> wait_any(
    const Sessions& sessions, std::chrono::duration<Rep, Period> timeout) {
  return detail::wait_any(sessions, detail::milliseconds(timeout));
}

/// The same without a limit.
template <class Sessions>
[[nodiscard]] expected<std::optional<std::size_t>> wait_any(const Sessions& sessions) {
  return detail::wait_any(sessions, -1);
}

// ---- 10. tool: a function that the model may call ----

namespace detail {

/// The one parameter of a function object, without reference and const; void for none.
template <class Function>
struct parameter_of : parameter_of<decltype(&Function::operator())> {};
template <class Result, class Parameter>
struct parameter_of<Result (*)(Parameter)> {
  using type = std::decay_t<Parameter>;
};
template <class Result>
struct parameter_of<Result (*)()> {
  using type = void;
};
template <class Class, class Result, class Parameter>
struct parameter_of<Result (Class::*)(Parameter)> : parameter_of<Result (*)(Parameter)> {};
template <class Class, class Result, class Parameter>
struct parameter_of<Result (Class::*)(Parameter) const> : parameter_of<Result (*)(Parameter)> {};
template <class Class, class Result, class Parameter>
struct parameter_of<Result (Class::*)(Parameter) noexcept> : parameter_of<Result (*)(Parameter)> {};
template <class Class, class Result, class Parameter>
struct parameter_of<Result (Class::*)(Parameter) const noexcept>
    : parameter_of<Result (*)(Parameter)> {};
template <class Class, class Result>
struct parameter_of<Result (Class::*)()> : parameter_of<Result (*)()> {};
template <class Class, class Result>
struct parameter_of<Result (Class::*)() const> : parameter_of<Result (*)()> {};
template <class Class, class Result>
struct parameter_of<Result (Class::*)() noexcept> : parameter_of<Result (*)()> {};
template <class Class, class Result>
struct parameter_of<Result (Class::*)() const noexcept> : parameter_of<Result (*)()> {};

template <class T>
inline constexpr bool is_expected = false;
template <class T>
inline constexpr bool is_expected<expected<T>> = true;

inline std::string told_error(const error& why) {
  return "error: " + std::string(why.message());
}

/// What the model is told of a result: text as it is, other values as JSON.
template <class Result>
std::string told(Result&& result) {
  using type = std::decay_t<Result>;
  if constexpr (is_expected<type>) {
    if (!result) return told_error(result.error());
    if constexpr (std::is_void_v<typename type::value_type>) {
      return "done";
    } else {
      return told(*result);
    }
  } else if constexpr (std::is_same_v<type, std::string>) {
    return std::forward<Result>(result);
  } else if constexpr (is_text<type>) {
    return std::string(std::string_view(result));
  } else {
    return to_json(result);
  }
}

template <class Function, class... Arguments>
std::string told_by(Function& function, const Arguments&... with) {
  if constexpr (std::is_void_v<std::invoke_result_t<Function&, const Arguments&...>>) {
    std::invoke(function, with...);
    return "done";
  } else {
    return told(std::invoke(function, with...));
  }
}

}  // namespace detail

/// A function that the model may call: its name, what it is for, the JSON schema of its
/// arguments, and the function. A copy is as good as the original.
class tool {
 public:
  /// Of a function whose one parameter is a described type (see schema), or that has none. What
  /// it returns is what the model is told: text, a value that is written as JSON, nothing, or an
  /// expected of these. Arguments that do not fit, an error, and an exception of a
  /// std::exception are told to the model as text that begins with "error: ".
  template <class Function>
  tool(std::string name, std::string description, Function function)
      : name_(std::move(name)), description_(std::move(description)) {
    using type = typename detail::parameter_of<Function>::type;
    if constexpr (std::is_void_v<type>) {
      schema_ = object_schema().json();
      run_ = [function = std::move(function)](std::string_view) mutable {
        return detail::told_by(function);
      };
    } else {
      static_assert(!std::is_same_v<type, arguments>,
                    "a tool that takes tolmach::arguments needs a schema beside its description");
      schema_ = schema_of<type>();
      run_ = [function = std::move(function)](std::string_view json) mutable {
        const auto given = parse<type>(json);
        if (!given) return detail::told_error(given.error());
        return detail::told_by(function, *given);
      };
    }
  }

  /// Of a function that takes tolmach::arguments.
  template <class Function>
  tool(std::string name, std::string description, const object_schema& schema, Function function)
      : tool(std::move(name), std::move(description), schema.json(), std::move(function)) {}

  /// The same with the schema as JSON.
  template <class Function>
  tool(std::string name, std::string description, std::string schema, Function function)
      : name_(std::move(name)),
        description_(std::move(description)),
        schema_(std::move(schema)),
        run_([function = std::move(function)](std::string_view json) mutable {
          return detail::told_by(function, arguments(json));
        }) {}

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& description() const noexcept { return description_; }
  [[nodiscard]] const std::string& schema() const noexcept { return schema_; }

  /// Runs the function with arguments in JSON, and returns what the model is to be told.
  [[nodiscard]] std::string operator()(std::string_view arguments) const {
    if (arguments.empty()) arguments = "{}";
#if defined(__cpp_exceptions)
    try {
      return run_(arguments);
    } catch (const std::exception& thrown) {
      return std::string("error: ") + thrown.what();
    }
#else
    return run_(arguments);
#endif
  }

 private:
  std::string name_, description_, schema_;
  std::function<std::string(std::string_view)> run_;
};

// ---- 11. request: what to ask ----

/// What to ask, and the conversation so far: OpenAI's chat request, which is translated for
/// every provider. Opening a session copies it: keep it, append, and ask again.
class request : public detail::handle<tolmach_request> {
 public:
  using handle::handle;

  /// Without messages. `model`: empty asks the config's, else the provider's default.
  [[nodiscard]] static expected<request> create(std::string_view model = {}) {
    if (detail::has_nul(model)) return detail::nul_inside();
    return detail::make<request, tolmach_request>([&](auto out, auto why) {
      return tolmach_request_new(model.empty() ? nullptr : std::string(model).c_str(), out, why);
    });
  }

  /// A whole one in OpenAI's chat format.
  [[nodiscard]] static expected<request> from_json(std::string_view json) {
    return detail::make<request, tolmach_request>([&](auto out, auto why) {
      return tolmach_request_from_json(detail::data(json), json.size(), out, why);
    });
  }

  /// Appends a message. `role`: "system", "developer", "user" or "assistant".
  [[nodiscard]] expected<void> message(std::string_view role, std::string_view text) {
    if (detail::has_nul(role)) return detail::nul_inside();
    return call([&](auto why) {
      const std::string name(role);
      return tolmach_request_message(native(), name.c_str(), detail::data(text), text.size(), why);
    });
  }
  [[nodiscard]] expected<void> system(std::string_view text) { return message("system", text); }
  [[nodiscard]] expected<void> user(std::string_view text) { return message("user", text); }
  [[nodiscard]] expected<void> assistant(std::string_view text) {
    return message("assistant", text);
  }

  /// Adds a text whose embedding is asked for, by client::embed(); such a request has no messages.
  [[nodiscard]] expected<void> input(std::string_view text) {
    return call([&](auto why) {
      return tolmach_request_input(native(), detail::data(text), text.size(), why);
    });
  }

  /// Attaches an image, audio or PDF to the last user message. `mime`: its media type, such
  /// as "image/png"; empty where the bytes tell it.
  [[nodiscard]] expected<void> attach(bytes file, std::string_view mime = {}) {
    if (detail::has_nul(mime)) return detail::nul_inside();
    return call([&](auto why) {
      const std::string name(mime);
      return tolmach_request_attach(native(), file.data(), file.size(),
                                    name.empty() ? nullptr : name.c_str(), why);
    });
  }

  /// Attaches what a URL points to, to the last user message. The provider fetches it.
  [[nodiscard]] expected<void> attach_url(std::string_view url) {
    if (detail::has_nul(url)) return detail::nul_inside();
    return call([&](auto why) {
      return tolmach_request_attach_url(native(), std::string(url).c_str(), why);
    });
  }

  /// Appends what `session` has answered so far, the assistant's message with its tool
  /// calls: the next turn of a conversation.
  [[nodiscard]] expected<void> reply(const session& answer) {
    return call([&](auto why) { return tolmach_request_reply(native(), answer.native(), why); });
  }

  /// Offers a tool to the model; one of the same name is replaced. `schema`: the JSON schema of
  /// its arguments; empty for a tool without.
  [[nodiscard]] expected<void> tool(std::string_view tool_name, std::string_view description,
                                    std::string_view schema = {}) {
    if (detail::has_nul(tool_name, description)) return detail::nul_inside();
    return call([&](auto why) {
      return tolmach_request_tool(native(), std::string(tool_name).c_str(),
                                  description.empty() ? nullptr : std::string(description).c_str(),
                                  schema.empty() ? nullptr : schema.data(), schema.size(), why);
    });
  }
  [[nodiscard]] expected<void> tool(const tolmach::tool& offered) {
    return tool(offered.name(), offered.description(), offered.schema());
  }

  /// Appends the result of the tool call of that id, as text or JSON.
  [[nodiscard]] expected<void> tool_result(std::string_view call_id, std::string_view text) {
    if (detail::has_nul(call_id)) return detail::nul_inside();
    return call([&](auto why) {
      const std::string id(call_id);
      return tolmach_request_tool_result(native(), id.c_str(), detail::data(text), text.size(),
                                         why);
    });
  }

  /// Sets any field to a value in JSON: "temperature" to "0.2", "tools" to a list; null
  /// removes it. On failure the request is as it was.
  [[nodiscard]] expected<void> set(std::string_view field, std::string_view json) {
    if (detail::has_nul(field)) return detail::nul_inside();
    return call([&](auto why) {
      const std::string name(field);
      return tolmach_request_set(native(), name.c_str(), detail::data(json), json.size(), why);
    });
  }

  /// Sets any field to a string: "tool_choice" to "auto".
  [[nodiscard]] expected<void> set_string(std::string_view field, std::string_view text) {
    if (detail::has_nul(field)) return detail::nul_inside();
    return call([&](auto why) {
      const std::string name(field);
      return tolmach_request_set_string(native(), name.c_str(), detail::data(text), text.size(),
                                        why);
    });
  }

  /// Has the model answer with the JSON of a T, which answer::as() then reads.
  template <class T>
  [[nodiscard]] expected<void> answer_as(std::string_view type_name = "answer") {
    std::string format = R"({"type":"json_schema","json_schema":{"name":)";
    detail::write_string(format, type_name);
    format += detail::is_strict<T>() ? R"(,"strict":true,"schema":)" : R"(,"schema":)";
    return set("response_format", format + schema_of<T>() + "}}");
  }

  /// A copy, with its options. Neither changes the other.
  [[nodiscard]] expected<request> clone() const {
    return detail::make<request, tolmach_request>(
        [&](auto out, auto why) { return tolmach_request_clone(native(), out, why); });
  }

  /// How many messages there are.
  [[nodiscard]] std::size_t count() const noexcept { return tolmach_request_count(native()); }

  /// Removes the last messages, so that at most `most` remain: undoes a turn that began at that
  /// count().
  [[nodiscard]] expected<void> truncate(std::size_t most) {
    return call([&](auto why) { return tolmach_request_truncate(native(), most, why); });
  }

  /// Gives a key of the config another value for this request alone, such as "max_retries"; it
  /// is never sent. tolmach.h lists the keys.
  [[nodiscard]] expected<void> option(std::string_view key, std::string_view value) {
    if (detail::has_nul(key, value)) return detail::nul_inside();
    return call([&](auto why) {
      return tolmach_request_option(native(), std::string(key).c_str(), std::string(value).c_str(),
                                    why);
    });
  }

  /// Takes a key back to the config's value.
  [[nodiscard]] expected<void> unset_option(std::string_view key) {
    if (detail::has_nul(key)) return detail::nul_inside();
    return call([&](auto why) {
      return tolmach_request_option(native(), std::string(key).c_str(), nullptr, why);
    });
  }

  /// Sets those options that have a value.
  [[nodiscard]] expected<void> set(const options& some) {
    return detail::each_setting(some, [this](std::string_view key, const std::string& value) {
      return option(key, value);
    });
  }

  /// The request as it stands, in OpenAI's chat format; good until it next changes.
  [[nodiscard]] std::string_view json() const& noexcept {
    return detail::view(tolmach_request_json(native()));
  }
  void json() const&& = delete;  // The view would outlive the request.

 private:
  template <class Call>
  static expected<void> call(Call work) {
    tolmach_error* why = nullptr;
    const tolmach_status code = work(&why);
    return detail::outcome(code, why);
  }
};

// ---- 12. client: a provider ready to be asked ----

/// A provider bound to its config, with its open connections. Make one and share it: any
/// number of threads may use it at once. Its sessions outlive it.
class client : public detail::handle<tolmach_client> {
 public:
  using handle::handle;

  /// Of what `settings` says now. Touches no network. Fails with status::auth without a key
  /// where one is needed, and status::argument for settings that do not go together.
  [[nodiscard]] static expected<client> create(const config& settings) {
    return detail::make<client, tolmach_client>([&](auto out, auto why) {
      return tolmach_client_new(settings.native(), out, why);
    });
  }

  /// The same with the config made on the way: create("openai", {{"base_url", url}, ...}).
  [[nodiscard]] static expected<client> create(
      std::string_view provider_name,
      std::initializer_list<std::pair<std::string_view, std::string_view>> settings = {}) {
    auto made = config::create(provider_name);
    if (!made) return unexpected(std::move(made).error());
    for (const auto& [key, value] : settings) {
      if (auto set = made->set(key, value); !set) return unexpected(std::move(set).error());
    }
    return create(*made);
  }

  /// The same with settings by name: create("openai", tolmach::settings{...}).
  template <class Settings, class = std::enable_if_t<std::is_same_v<Settings, settings>>>
  [[nodiscard]] static expected<client> create(std::string_view provider_name,
                                               const Settings& some) {
    auto made = config::create(provider_name);
    if (!made) return unexpected(std::move(made).error());
    if (auto set = made->set(some); !set) return unexpected(std::move(set).error());
    return create(*made);
  }

  /// Opens a session. Returns at once: what resolving, connecting and sending come to is
  /// what the session's polls say.
  [[nodiscard]] expected<session> open(const request& question) const {
    return detail::make<session, tolmach_session>([&](auto out, auto why) {
      return tolmach_session_open(native(), question.native(), out, why);
    });
  }

#if defined(__cpp_lib_jthread)
  /// The same, and a stop requested of `token` cancels the session.
  [[nodiscard]] expected<session> open(const request& question, std::stop_token token) const {
    auto opened = open(question);
    if (opened) opened->cancel_on(std::move(token));
    return opened;
  }
#endif

  /// Opens a session that lists the models there are: a chunk of chunk_kind::model for each.
  [[nodiscard]] expected<session> open_models() const {
    return detail::make<session, tolmach_session>([&](auto out, auto why) {
      return tolmach_session_open_models(native(), out, why);
    });
  }

  /// Asks, and waits for the whole answer. Fails with what ended it early; error::answer() then
  /// has what came before that.
  [[nodiscard]] expected<answer> ask(const request& question) const {
    return answered(open(question));
  }

  /// Asks for an answer of that type (see schema), and waits for it: request::answer_as(), ask()
  /// and answer::as() in one. `question` stays as it is.
  template <class T>
  [[nodiscard]] expected<T> ask_for(const request& question) const {
    return asked_for<T>(question, [this](const request& it) { return open(it); });
  }

  /// Asks, runs the tools that the answer calls, tells their results, and asks again, until an
  /// answer calls none: that one is returned. `conversation` is left with all of it, the last
  /// answer included. A call of a tool that there is not is told to the model as an error, as are
  /// those that fail. An answer that calls tools in round `max_rounds` fails with
  /// status::too_large: its calls are not run, and error::answer() has it.
  [[nodiscard]] expected<answer> run(request& conversation, const std::vector<tool>& tools,
                                     int max_rounds = 10) const {
    return run_with(conversation, tools, max_rounds, [&] { return open(conversation); });
  }

#if defined(__cpp_lib_jthread)
  /// The same, and a stop requested of `token` cancels what is under way.
  [[nodiscard]] expected<answer> ask(const request& question, std::stop_token token) const {
    return answered(open(question, std::move(token)));
  }
  template <class T>
  [[nodiscard]] expected<T> ask_for(const request& question, std::stop_token token) const {
    return asked_for<T>(question, [&](const request& it) { return open(it, token); });
  }
  [[nodiscard]] expected<answer> run(request& conversation, const std::vector<tool>& tools,
                                     std::stop_token token, int max_rounds = 10) const {
    return run_with(conversation, tools, max_rounds, [&] { return open(conversation, token); });
  }
#endif

  /// Asks for the embeddings of a request's inputs, and waits for them: one for each, in order.
  [[nodiscard]] expected<std::vector<std::vector<float>>> embed(const request& question) const {
    auto opened = open(question);
    if (!opened) return unexpected(std::move(opened).error());
    std::vector<std::vector<float>> all;
    for (const auto& piece : *opened) {
      if (!piece) return unexpected(piece.error());
      if (piece->kind() == chunk_kind::embedding) all.push_back(embedding_of(*piece));
    }
    return all;
  }

  /// Opens a session that makes an HTTP request of your own, with the client's credentials and to
  /// its host alone: for what there is no function for. The body of the response comes in chunks of
  /// chunk_kind::body. `path`: below base_url, such as "/files". `content_type`: of the body; empty
  /// is "application/json".
  [[nodiscard]] expected<session> open_raw(std::string_view method, std::string_view path,
                                           bytes body = {},
                                           std::string_view content_type = {}) const {
    if (detail::has_nul(method, path, content_type)) return detail::nul_inside();
    return detail::make<session, tolmach_session>([&](auto out, auto why) {
      return tolmach_session_open_raw(
          native(), std::string(method).c_str(), std::string(path).c_str(),
          content_type.empty() ? nullptr : std::string(content_type).c_str(),
          body.empty() ? nullptr : body.data(), body.size(), out, why);
    });
  }

  /// Cancels every session of this client; it may be used further. Any thread.
  void cancel_all() const noexcept { tolmach_client_cancel_all(native()); }

  /// Asks for the models there are. Blocks, as long as the config's deadlines let it.
  [[nodiscard]] expected<std::vector<model>> models() const { return models_in(-1); }

  /// The same, within `timeout`, retries included.
  template <class Rep, class Period>
  [[nodiscard]] expected<std::vector<model>> models(
      std::chrono::duration<Rep, Period> timeout) const {
    return models_in(detail::milliseconds(timeout));
  }

 private:
  static expected<answer> answered(expected<session> opened) {
    if (!opened) return unexpected(std::move(opened).error());
    return opened->answer();
  }

  template <class T, class Open>
  static expected<T> asked_for(const request& question, Open open_it) {
    auto copy = question.clone();
    if (!copy) return unexpected(std::move(copy).error());
    if (auto set = copy->template answer_as<T>(); !set) {
      return unexpected(std::move(set).error());
    }
    const auto found = answered(open_it(*copy));
    if (!found) return unexpected(found.error());
    return found->template as<T>();
  }

  template <class Open>
  static expected<answer> run_with(request& conversation, const std::vector<tool>& tools,
                                   int max_rounds, Open open_it) {
    for (const auto& it : tools) {
      if (auto offered = conversation.tool(it); !offered) {
        return unexpected(std::move(offered).error());
      }
    }
    for (int round = 1;; ++round) {
      auto opened = open_it();
      if (!opened) return unexpected(std::move(opened).error());
      auto found = opened->answer();
      if (!found) return found;
      if (auto kept = conversation.reply(*opened); !kept) {
        return unexpected(std::move(kept).error());
      }
      if (found->tool_calls.empty()) return found;
      const bool is_last = round >= max_rounds;
      for (const auto& call : found->tool_calls) {
        // Providers want a result for each call, before anything else is said.
        const auto result = is_last ? "error: not run, the limit of rounds is reached"
                                    : result_of(call, tools);
        if (auto told = conversation.tool_result(call.id, result); !told) {
          return unexpected(std::move(told).error());
        }
      }
      if (is_last) {
        const error why(status::too_large, "the answer still calls tools after " +
                                               std::to_string(round) +
                                               (round == 1 ? " round" : " rounds"));
        return unexpected(why.with_answer(std::make_shared<answer>(std::move(*found))));
      }
    }
  }

  static std::string result_of(const tool_call& call, const std::vector<tool>& tools) {
    std::string names;
    for (const auto& it : tools) {
      if (it.name() == call.name) return it(call.arguments);
      names += (names.empty() ? "" : ", ") + it.name();
    }
    return "error: there is no tool \"" + call.name + "\"; there are: " + names;
  }

  expected<std::vector<model>> models_in(std::int64_t milliseconds) const {
    using list = detail::handle<tolmach_models>;
    auto listed = detail::make<list, tolmach_models>([&](auto out, auto why) {
      return tolmach_client_models(native(), milliseconds, out, why);
    });
    if (!listed) return unexpected(std::move(listed).error());
    std::vector<model> models;
    const std::size_t count = tolmach_models_count(listed->native());
    models.reserve(count);
    for (std::size_t at = 0; at < count; ++at) {
      const tolmach_model& it = *tolmach_models_get(listed->native(), at);
      models.push_back({std::string(detail::view(it.id)), std::string(detail::view(it.owner)),
                        std::string(detail::view(it.json)), detail::said(it.context_length),
                        {it.capabilities}});
    }
    return models;
  }
};

}  // inline namespace std_expected or own_expected
}  // inline namespace v0
}  // namespace tolmach

#endif  // TOLMACH_HPP
