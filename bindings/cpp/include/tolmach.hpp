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

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
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
#if defined(TOLMACH_EXCEPTIONS)
#if !defined(__cpp_exceptions)
#error "TOLMACH_EXCEPTIONS needs a compiler with exceptions on"
#endif
#include <exception>
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

namespace detail {

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

  /// Adopts what a C function gave beside `code`; `native` may be null.
  error(status code, tolmach_error* native) : error(code, name(code).data()) {
    if (native) native_ = std::shared_ptr<tolmach_error>(native, tolmach_error_free);
  }

  [[nodiscard]] status code() const noexcept { return code_; }
  [[nodiscard]] bool is(status code) const noexcept { return code_ == code; }

  /// One line: what was wrong and what would be right.
  [[nodiscard]] std::string_view message() const noexcept {
    return native_ ? detail::view(tolmach_error_message(native())) : std::string_view(message_);
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
  [[nodiscard]] std::string_view body() const noexcept {
    return detail::view(tolmach_error_body(native()));
  }

  /// The C object; null where there is none.
  [[nodiscard]] const tolmach_error* native() const noexcept { return native_.get(); }

 private:
  status code_ = status::ok;
  const char* message_ = "";
  std::shared_ptr<const tolmach_error> native_;
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

// ---- 4. library: version, log, providers ----

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

/// The providers that this build can talk to.
[[nodiscard]] inline std::vector<provider> providers() {
  std::vector<provider> all;
  for (std::size_t at = 0; const tolmach_provider* it = tolmach_provider_get(at); ++at) {
    all.push_back({detail::view(it->name), detail::view(it->label), detail::view(it->url),
                   detail::view(it->base_url), detail::view(it->default_model),
                   detail::view(it->api_key_env), {it->capabilities}});
  }
  return all;
}

// ---- 5. config ----

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

  /// Sets a key. Fails with status::argument, and leaves the config as it was, for a key that
  /// the provider does not have or a wrong value; the message says what is right.
  [[nodiscard]] expected<void> set(std::string_view key, std::string_view value) {
    if (detail::has_nul(key, value)) return detail::nul_inside();
    return put(key, std::string(value).c_str());
  }

  /// Sets a duration, such as idle_timeout_ms, rounded up to milliseconds.
  template <class Rep, class Period>
  [[nodiscard]] expected<void> set(std::string_view key, std::chrono::duration<Rep, Period> value) {
    return set(key, std::to_string(detail::milliseconds(value)));
  }

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
};

// ---- 6. chunk: one piece of an answer ----

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

// ---- 7. session: one answer on its way ----

namespace detail {
using session_handle = handle<tolmach_session>;
}

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

/// What a poll came to: `chunk` with status::ok, `error` with a code below 0, and neither
/// with status::end and status::pending. It does not turn into a bool, since a loop that
/// asked no more than that would lose the error.
struct [[nodiscard]] polled {
  status code = status::pending;
  tolmach::chunk chunk;
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
    using function = std::decay_t<Ready>;
    auto user = std::make_unique<function>(std::forward<Ready>(ready));
    const tolmach_ready_fn call = [](void* it) noexcept {
      static_cast<void>((*static_cast<function*>(it))());
    };
    const tolmach_release_fn drop = [](void* it) noexcept { delete static_cast<function*>(it); };
    tolmach_error* why = nullptr;
    const auto code = tolmach_session_on_ready(native(), call, user.get(), drop, &why);
    if (code == TOLMACH_OK) static_cast<void>(user.release());
    return detail::outcome(code, why);
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
    return {code, tolmach::chunk(found), {}};
  }

  // Shared with cancellers alone, and with them no longer than one call lasts.
  std::shared_ptr<detail::session_handle> shared_;
  // The registration with a stop token, of which C++17 has no type.
  std::shared_ptr<void> stop_;
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

// ---- 8. request: what to ask ----

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

// ---- 9. client: a provider ready to be asked ----

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
};

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

  /// Asks for the models there are. Blocks, as long as the config's deadlines let it.
  [[nodiscard]] expected<std::vector<model>> models() const { return models_in(-1); }

  /// The same, within `timeout`, retries included.
  template <class Rep, class Period>
  [[nodiscard]] expected<std::vector<model>> models(
      std::chrono::duration<Rep, Period> timeout) const {
    return models_in(detail::milliseconds(timeout));
  }

 private:
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
