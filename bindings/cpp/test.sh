#!/bin/sh
# Tests the binding: the header by itself, the tests as plain, sanitised and checked programs,
# the CMake package, and the example. The environment says where the library and the servers
# are; nothing is written but in TOLMACH_TEST_WORK.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ -n "${TOLMACH_TEST_WORK:-}" ] || exec sh "$here/../test.sh" cpp
work=$TOLMACH_TEST_WORK
cxx=${CXX:-c++}
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror'
includes="-I$here/include -I$TOLMACH_PREFIX/include"
mkdir -p "$work"

step() {
  printf '== %s\n' "$*"
}

fail() {
  printf 'failed: %s\n' "$*" >&2
  exit 1
}

# Compiles without making anything: check COMPILER FLAGS... FILE
check() {
  # shellcheck disable=SC2086
  "$@" $warnings $includes -fsyntax-only
}

# version COMPILER: what it says of itself.
version() {
  "$1" -dM -E -x c++ /dev/null | grep __VERSION__
}

# compilers: the one that is asked for, and of the usual two those that are others.
compilers() {
  echo "$cxx"
  for name in g++ clang++; do
    if command -v $name >/dev/null && [ "$(version $name)" != "$(version "$cxx")" ]; then echo $name; fi
  done
}

# standards COMPILER: those that it has.
standards() {
  for standard in c++17 c++20 c++2b c++2c; do
    if echo 'int main() {}' | "$1" -std=$standard -x c++ -fsyntax-only - 2>/dev/null; then
      echo $standard
    fi
  done
}

# newest: the last of those of the compiler in use.
newest() {
  standards "$cxx" | tail -n 1
}

the_header_compiles_alone_in_every_standard() {
  for compiler in $(compilers); do
    for standard in $(standards "$compiler"); do
      echo "$compiler -std=$standard"
      check "$compiler" -std=$standard "$here/tests/header.cpp"
      check "$compiler" -std=$standard -fno-exceptions -fno-rtti "$here/tests/header.cpp"
      check "$compiler" -std=$standard -DTOLMACH_EXCEPTIONS "$here/tests/header.cpp"
    done
  done
  if check "$cxx" -std=c++14 "$here/tests/header.cpp" 2>"$work/c++14"; then fail 'C++14 compiles'; fi
  grep -q 'needs C++17' "$work/c++14" || fail "$(cat "$work/c++14")"
}

what_loses_an_error_or_outlives_a_temporary_does_not_compile() {
  for standard in c++17 "$(newest)"; do
    check "$cxx" -std=$standard -DCASE=0 "$here/tests/misuse.cpp"
    for case in $(sed -n 's/^#elif CASE == //p' "$here/tests/misuse.cpp"); do
      if check "$cxx" -std=$standard -DCASE="$case" "$here/tests/misuse.cpp" 2>/dev/null; then
        fail "case $case compiles in $standard"
      fi
    done
  done
}

units_of_several_standards_make_one_program() {
  for standards in 'c++17 c++17' 'c++17 c++20' 'c++17 c++2b' 'c++2b c++2b'; do
    # shellcheck disable=SC2086
    set -- $standards
    standards "$cxx" | grep -qxF "$2" || continue
    # shellcheck disable=SC2086
    {
      "$cxx" -std="$1" $includes -DUNIT=one -c "$here/tests/unit.cpp" -o "$work/one.o"
      "$cxx" -std="$2" $includes -DUNIT=two -c "$here/tests/unit.cpp" -o "$work/two.o"
      "$cxx" -std="$1" $includes "$here/tests/unit.cpp" "$work/one.o" "$work/two.o" \
        -L"$TOLMACH_PREFIX/lib" -ltolmach -o "$work/units"
    }
    "$work/units" || fail "units of $standards"
  done
}

# tests NAME FLAGS...: builds the tests as a program of that name. (Not every valgrind reads
# DWARF 5.)
tests() {
  name=$1
  shift
  mkdir -p "$work/$name"
  for source in main answers cancelling conversation coroutines errors library settings streaming values; do
    # shellcheck disable=SC2086
    "$cxx" "$@" -gdwarf-4 $warnings $includes -c "$here/tests/$source.cpp" -o "$work/$name/$source.o"
  done
  "$cxx" "$@" "$work/$name"/*.o -L"$TOLMACH_PREFIX/lib" -ltolmach -pthread -o "$work/$name/tests"
}

tests_pass_without_exceptions() {
  tests plain -std=c++17 -fno-exceptions -fno-rtti
  "$work/plain/tests"
}

tests_pass_under_the_sanitizers() {
  if ! echo 'int main() {}' | "$cxx" -fsanitize=address,undefined -x c++ - -o "$work/sanitized" 2>/dev/null; then
    echo "$cxx has no sanitizers here: not done"
    return 0
  fi
  tests sanitizers "-std=$(standards "$cxx" | sed -n '1,2p' | tail -n 1)" -DTOLMACH_EXCEPTIONS \
    -fsanitize=address,undefined -fno-sanitize-recover=all
  "$work/sanitizers/tests"
}

tests_pass_in_the_newest_standard_and_under_valgrind() {
  tests newest "-std=$(newest)" -O1 -DTOLMACH_EXCEPTIONS
  "$work/newest/tests"
  if ! command -v valgrind >/dev/null; then
    echo 'there is no valgrind: not done'
    return 0
  fi
  kinds=definite,indirect,possible
  TOLMACH_TEST_SETTLE=1 valgrind -q --max-threads=3000 --leak-check=full --show-leak-kinds=$kinds \
    --errors-for-leak-kinds=$kinds --error-exitcode=99 "$work/newest/tests"
}

# converse CHAT: has a conversation with the scripted server by the program of the example.
converse() {
  said=$(printf 'Hello\nAnd again\n' | "$1" openai base_url="$TOLMACH_TEST_URL" \
    api_key="$TOLMACH_TEST_KEY" proxy=direct model=words)
  [ "$said" = "$(printf 'One two three.\nOne two three.')" ] || fail "$1 says $said"
  if said=$(echo Hello | "$1" openai base_url="$TOLMACH_TEST_URL" api_key="$TOLMACH_TEST_KEY" \
    proxy=direct max_retries=0 model=status-429 2>&1); then fail "$1 is happy with a 429"; fi
  case $said in
    *'Scripted 429'*'try again in 7000 ms'*) ;;
    *) fail "$1 says $said" ;;
  esac
}

# example NAME STANDARD: builds it, and names the program.
example() {
  # shellcheck disable=SC2086
  "$cxx" -std="$2" $warnings $includes "$here/examples/$1.cpp" -L"$TOLMACH_PREFIX/lib" -ltolmach -pthread \
    -o "$work/example-$1" || fail "the example $1 in $2"
  program=$work/example-$1
}

# says EXPECTED COMMAND...: what it prints, errors included, has to be that.
says() {
  expected=$1
  shift
  said=$("$@" 2>&1) || true
  [ "$said" = "$expected" ] || fail "$* says: $said"
}

the_examples_run() {
  settings="base_url=$TOLMACH_TEST_URL api_key=$TOLMACH_TEST_KEY proxy=direct max_retries=0"
  example tools c++17
  says 'Oslo: 3 °C, Bergen: 5 °C.' "$program" openai 'How warm is it?' $settings model=tools
  says '["error: nothing is known of Rome","error: the future is not known","error: city: it is missing at byte 2"]' \
    "$program" openai '[["weather","{\"city\":\"Rome\"}"],["weather","{\"city\":\"Oslo\",\"days_ahead\":1}"],["weather","{}"]]' \
    $settings model=calls
  example structured c++17
  says 'Oslo: 3 degrees' "$program" openai 'How warm is it?' $settings model=gpt-4o
  says 'structured: celsius: it is missing at byte 15
structured: it was {"city":"Oslo"}' "$program" openai '{"city":"Oslo"}' $settings model=echo
  example images c++17
  says "$work/pixel.png: image/png, 70 bytes" "$program" openai make 'A pixel' "$work/pixel.png" $settings model=gpt-image-1
  says 'image/png 70 bytes, sum 4086.' "$program" openai look "$work/pixel.png" $settings model=look
  example cancel c++17
  # Standard input that has ended is nobody's Enter.
  says 'first 
It took too long.
So far it was: first ' "$program" openai "late" 1 $settings model=held </dev/null
  echo | says '
Given up.
So far it was: ' "$program" openai "given up" 60 $settings model=silent
}

coroutines_of_asio_run() {
  if ! standards "$cxx" | grep -qx c++20 || ! echo '#include <asio.hpp>' | "$cxx" -std=c++20 -x c++ -fsyntax-only - 2>/dev/null; then
    [ -z "${TOLMACH_TEST_NO_SKIP:-}" ] || fail 'there is no Asio (libasio-dev)'
    echo 'there is no Asio, or no C++20: not done'
    return 0
  fi
  settings="base_url=$TOLMACH_TEST_URL api_key=$TOLMACH_TEST_KEY proxy=direct max_retries=0"
  example asio c++20
  # shellcheck disable=SC2086
  [ "$("$program" openai one two three -- $settings model=echo | sort)" = 'one: one
three: three
two: two' ] || fail 'the answers of asio'
  # shellcheck disable=SC2086
  says 'one: '"$(echo "$TOLMACH_TEST_URL" | sed 's#http://\(.*\)/v1#\1#')"' answered 400: Scripted 400' \
    "$program" openai one -- $settings model=status-400
  # Ctrl-C, as soon as it is waited for: nothing else ends these.
  # shellcheck disable=SC2086
  "$program" openai one two -- $settings model=silent &
  process=$!
  until [ "$((0x$(sed -n 's/^SigCgt:[[:space:]]*//p' /proc/$process/status) & 2))" != 0 ]; do sleep 0.1; done
  kill -INT $process
  code=0
  wait $process || code=$?
  [ $code = 130 ] || fail "asio ends with $code when it is interrupted"
}

# consumer NAME OPTIONS...: a project that uses the package, built and run.
consumer() {
  name=$1
  shift
  cmake -S "$here/tests/consumer" -B "$work/$name" -DCHAT="$here/examples/chat.cpp" "$@" >"$work/$name.log" ||
    fail "$(cat "$work/$name.log")"
  cmake --build "$work/$name" >>"$work/$name.log" || fail "$(cat "$work/$name.log")"
  # Each finds its own library: neither may need the environment's.
  (
    unset LD_LIBRARY_PATH
    converse "$work/$name/chat_shared"
    converse "$work/$name/chat_static"
  )
  if command -v readelf >/dev/null; then
    readelf -d "$work/$name/chat_shared" | grep -q 'NEEDED.*libtolmach\.so\.0' || fail 'chat_shared needs no libtolmach'
    if readelf -d "$work/$name/chat_static" | grep -q 'NEEDED.*libtolmach'; then fail 'chat_static needs libtolmach'; fi
  fi
}

the_installed_package_is_found_by_cmake() {
  cmake -S "$here" -B "$work/package" -DTOLMACH_PREFIX="$TOLMACH_PREFIX" >"$work/package.log"
  cmake --build "$work/package" >>"$work/package.log"
  cmake --install "$work/package" --prefix "$work/prefix" >>"$work/package.log"
  consumer installed -DCMAKE_PREFIX_PATH="$work/prefix"
}

# The README's commands and lines, with folders of the test's own.
the_instructions_of_the_readme_work() {
  rm -rf "$work/manual"
  mkdir -p "$work/manual/app"
  install=$(sed -n 's/^    \(cmake -S .*\)/\1/p' "$here/README.md")
  cd "$work/manual"
  # shellcheck disable=SC2001
  eval "$(echo "$install" | sed "s#bindings/cpp#$here -DTOLMACH_PREFIX=$TOLMACH_PREFIX#; s#/usr/local#$work/manual/prefix#")" \
    >log || fail "$(cat log)"
  {
    echo 'cmake_minimum_required(VERSION 3.18)'
    echo 'project(app LANGUAGES CXX)'
    echo "add_executable(app $here/examples/chat.cpp)"
    sed -n 's/^    \(find_package.*\)/\1/p; s/^    \(target_link_libraries.*\)/\1/p' "$here/README.md"
  } >app/CMakeLists.txt
  cmake -S app -B built -DCMAKE_PREFIX_PATH="$work/manual/prefix" >>log || fail "$(cat log)"
  cmake --build built >>log || fail "$(cat log)"
  cp "$here/examples/chat.cpp" main.cpp
  line=$(grep -o 'c++ -std=c++17 main.cpp [^`]*' "$here/README.md")
  PKG_CONFIG_PATH=$work/manual/prefix/lib/pkgconfig eval "$line"
  (
    export LD_LIBRARY_PATH="$work/manual/prefix/lib"
    converse "$work/manual/built/app"
    converse "$work/manual/a.out"
  )
  cd "$here"
}

the_installed_package_is_found_by_pkg_config() {
  PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig
  # shellcheck disable=SC2046
  "$cxx" -std=c++17 "$here/examples/chat.cpp" $(pkg-config --cflags --libs tolmach) \
    -Wl,-rpath,"$work/prefix/lib" -o "$work/chat"
  [ "$(pkg-config --variable=prefix tolmach)" = "$work/prefix" ] || fail 'tolmach.pc has another prefix'
  (
    unset LD_LIBRARY_PATH
    converse "$work/chat"
  )
}

# Building the library takes minutes: a cargo of this test's own gives what is built already,
# where it is asked in the right way.
the_package_of_a_checkout_is_built_by_cargo() {
  mkdir -p "$work/bin"
  cat >"$work/bin/cargo" <<END
#!/bin/sh
set -eu
case "\$*" in
  "rustc --release --lib --locked --crate-type cdylib --manifest-path "*"/Cargo.toml --target-dir "*) file=libtolmach.so ;;
  "rustc --release --lib --locked --crate-type staticlib --manifest-path "*"/Cargo.toml --target-dir "*) file=libtolmach.a ;;
  *) echo "cargo \$*: not expected" >&2; exit 1 ;;
esac
test -f "\$8"
mkdir -p "\${10}/release"
cp "$TOLMACH_PREFIX/lib/\$file" "\${10}/release/"
END
  chmod +x "$work/bin/cargo"
  consumer fetched -DTOLMACH_CHECKOUT="$here/../.." -DTOLMACH_CARGO="$work/bin/cargo"
  cmake -S "$here" -B "$work/built" -DTOLMACH_CARGO="$work/bin/cargo" >"$work/built.log"
  cmake --build "$work/built" >>"$work/built.log"
  cmake --install "$work/built" --prefix "$work/prefix-of-cargo" >>"$work/built.log"
  (cd "$work/prefix" && find . -type f -o -type l) | sort >"$work/files"
  (cd "$work/prefix-of-cargo" && find . -type f -o -type l) | sort | diff "$work/files" -
}

# With the scripted server in the place of the real one.
the_code_of_the_readme_runs() {
  sh "$here/../snippets.sh" cpp "$here/README.md" "$here/tests/README.cpp.in" |
    sed 's/client::create("openai")/client::create("openai", {{"base_url", std::getenv("TOLMACH_TEST_URL")}, {"api_key", std::getenv("TOLMACH_TEST_KEY")}, {"proxy", "direct"}})/' \
      >"$work/readme.cpp"
  for standard in c++17 "$(newest)"; do
    # shellcheck disable=SC2086
    "$cxx" -std="$standard" $warnings $includes "$work/readme.cpp" -L"$TOLMACH_PREFIX/lib" -ltolmach -o "$work/readme"
    said=$(OPENAI_API_KEY=$TOLMACH_TEST_KEY "$work/readme") || fail "the code of the README in $standard: $said"
    [ "$said" = 'One two three.
One two three.
Oslo: 3 °C, Bergen: 5 °C.' ] || fail "the code of the README says in $standard: $said"
  done
}

for test in \
  the_header_compiles_alone_in_every_standard \
  what_loses_an_error_or_outlives_a_temporary_does_not_compile \
  units_of_several_standards_make_one_program \
  the_code_of_the_readme_runs \
  the_examples_run \
  coroutines_of_asio_run \
  the_installed_package_is_found_by_cmake \
  the_installed_package_is_found_by_pkg_config \
  the_instructions_of_the_readme_work \
  the_package_of_a_checkout_is_built_by_cargo \
  tests_pass_without_exceptions \
  tests_pass_under_the_sanitizers \
  tests_pass_in_the_newest_standard_and_under_valgrind; do
  step "$test"
  $test
done
step 'all of it passes'
