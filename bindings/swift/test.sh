#!/bin/sh
# Builds the package and runs its tests and its example, in $TOLMACH_TEST_WORK alone.
set -eu
cd "$(dirname "$0")"
[ -n "${TOLMACH_TEST_WORK:-}" ] || exec sh ../test.sh swift
work=$TOLMACH_TEST_WORK
mkdir -p "$work"
export TMPDIR="$work"

# pm COMMAND BUILD [ARGUMENT ...]: a command of the package manager, with a build of its own.
pm() {
  command=$1 build=$2
  shift 2
  swift "$command" --scratch-path "$work/$build" --cache-path "$work/cache" \
    --config-path "$work/config" --security-path "$work/security" "$@"
}

# tests BUILD [ARGUMENT ...]
tests() {
  build=$1
  shift
  echo "== the tests: $build $*"
  pm test "$build" --disable-xctest -Xswiftc -warnings-as-errors "$@" >"$work/$build.log" 2>&1 ||
    { cat "$work/$build.log"; exit 1; }
  grep 'Test run with [1-9][0-9]* tests passed' "$work/$build.log" || { cat "$work/$build.log"; exit 1; }
}

tests plain
TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/Tests/thread-sanitizer.supp"
ASAN_OPTIONS=detect_leaks=1
LSAN_OPTIONS="suppressions=$PWD/Tests/leak-sanitizer.supp print_suppressions=0"
export TSAN_OPTIONS ASAN_OPTIONS LSAN_OPTIONS
tests thread --sanitize=thread
tests address --sanitize=address

echo "== the examples"
pm build plain -Xswiftc -warnings-as-errors
# example NAME MODEL [ARGUMENT ...]
example() {
  name=$1 model=$2
  shift 2
  pm run plain --skip-build "$name" "$@" "base_url=$TOLMACH_TEST_URL" \
    "api_key=$TOLMACH_TEST_KEY" proxy=direct max_retries=0 "model=$model"
}
chat() {
  example chat "$2" openai "$1"
}
said=$(example tools tools openai | tail -n 1)
test "$said" = "Oslo: 3 °C, Bergen: 5 °C."
test "$(example structured gpt-4o openai)" = "Oslo: 3.0 °C"
example images gpt-image-1 "$work/image" openai "a pixel"
test "$(head -c 4 "$work/image-1.png" | tail -c 3)" = PNG
test "$(example cancel held 1 openai)" = "first [stopped]"
test "$(chat Hi words)" = "One two three."
if chat Hi status-429 2>"$work/said"; then exit 1; fi
grep "Scripted 429.*try again in 7" "$work/said"

echo "== the program of the README is the example"
sed -n '/^```swift$/,/^```$/p' README.md | sed '1d; /^```$/,$d' | diff - Examples/chat/main.swift

echo "== the code of the README, in a package made by its lines"
rm -rf "$work/user"
mkdir -p "$work/user/Sources/readme"
cat >"$work/user/Package.swift" <<END
// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "user",
  platforms: [.macOS(.v13)],
  dependencies: [
$(sed -n 's/^    \(\.package(path.*)\)/    \1/p' README.md | sed "s#path: \"[^\"]*\"#path: \"$PWD\"#")
  ],
  targets: [
    .executableTarget(name: "readme", dependencies: [
$(sed -n 's/^    \(\.product(.*)\)/      \1/p' README.md)
    ]),
  ]
)
END
sh ../snippets.sh swift README.md Tests/README.swift.in |
  sed "s#\"api_key\": key,#&\"base_url\": \"$TOLMACH_TEST_URL\", \"proxy\": \"direct\", \"model\": \"gpt-4o\",#" \
    >"$work/user/Sources/readme/main.swift"
said=$(pm run user --package-path "$work/user" readme | tr '\n' ' ')
test "$said" = "Oslo: 3 °C, Bergen: 5 °C. Oslo: 3 °C, Bergen: 5 °C. Oslo 3.0 " || { echo "the code of the README says: $said"; exit 1; }

echo "== the package takes an XCFramework, whose module map serves the sources"
export TOLMACH_XCFRAMEWORK=CTolmach.xcframework
pm package plain dump-package | grep '"type" : "binary"'
mkdir -p "$work/framework"
cp -R Headers "$work/framework/"
cp "$TOLMACH_PREFIX/include/tolmach.h" "$work/framework/Headers/CTolmach/"
swift -frontend -typecheck -swift-version 6 -module-name Tolmach -I "$work/framework/Headers" \
  -module-cache-path "$work/modules" Sources/Tolmach/*.swift
