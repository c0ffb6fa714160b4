#!/bin/sh
# Builds and tests everything here, in TOLMACH_TEST_WORK. Needs a JDK (17), Maven, cc, CMake and
# readelf; Maven gets the rest from Maven Central.
set -eu
cd "$(dirname "$0")"
[ -n "${TOLMACH_TEST_WORK:-}" ] || exec sh ../test.sh jvm
work=$TOLMACH_TEST_WORK
mkdir -p "$work"
: >"$work/begun"

say() { printf '\n== %s\n' "$*"; }
die() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }

jdk=${JAVA_HOME:-$(java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.home = //p')}
arch=$(uname -m)
case $(uname -s)-$arch in
  Linux-*) os=linux suffix=so flags="-Wl,-z,max-page-size=16384 -Wl,-rpath,\$ORIGIN -Wl,-z,defs" ;;
  Darwin-*) os=macos suffix=dylib flags="-Wl,-rpath,@loader_path"; [ "$arch" != arm64 ] || arch=aarch64 ;;
  *) die "no plan for $(uname -s)" ;;
esac
natives=$work/natives/META-INF/native/$os-$arch
jni=$natives/libtolmach_jni.$suffix

say the JNI library, by cc
mkdir -p "$natives"
# The flags are several words.
# shellcheck disable=SC2086
"${CC:-cc}" -std=c99 -pedantic -Wall -Wextra -Wno-unused-parameter -Werror -O2 -fPIC -shared \
  -fvisibility=hidden -pthread -I"$jdk/include" -I"$jdk/include/$(uname -s | tr '[:upper:]' '[:lower:]')" \
  -I"$TOLMACH_PREFIX/include" native/tolmach_jni.c -o "$jni" -L"$TOLMACH_PREFIX/lib" -ltolmach $flags
cp "$TOLMACH_PREFIX/lib/libtolmach.$suffix" "$natives/"

# Every segment that is loaded starts at a multiple of 16 KB, which is a page on Android.
check_alignment() {
  readelf -lW "$1" | awk '$1 == "LOAD" {n++; if ($NF != "0x4000") bad++} END {exit !(n && !bad)}' ||
    die "$1 is not aligned to 16 KB"
}

say the JNI library, by CMake
{ JAVA_HOME=$jdk cmake -S native -B "$work/cmake" -DTOLMACH_PREFIX="$TOLMACH_PREFIX" -DCMAKE_C_FLAGS=-Werror &&
  cmake --build "$work/cmake"; } >"$work/cmake.log" 2>&1 || { cat "$work/cmake.log"; die "CMake fails"; }
if [ "$os" = linux ]; then
  check_alignment "$jni"
  check_alignment "$work/cmake/libtolmach_jni.so"
fi

# readme LANGUAGE SUFFIX: its code of the README as a program.
readme() {
  sh ../snippets.sh "$1" README.md "examples/Readme.$2.in" >"$work/readme/all"
  { grep '^import ' "$work/readme/all" | sort -u; grep -v '^import ' "$work/readme/all"; } >"$work/readme/Readme.$2"
  rm "$work/readme/all"
}
rm -rf "$work/readme"
mkdir -p "$work/readme"
readme java java
readme kotlin kt
sed -i.bak 's/= Client.builder(/= Readme.onStage(/' "$work/readme/Readme.java"

say the jars and their tests
mvn -B -ntp -Dstyle.color=never -Dtolmach.build="$work" -Dtolmach.library.path="$natives" verify \
  >"$work/mvn.log" 2>&1 || { cat "$work/mvn.log"; die "Maven fails"; }
grep -E 'Tests run:|BUILD' "$work/mvn.log"
! grep -qE 'Tests run:.*Skipped: [1-9]' "$work/mvn.log" || die "a test was skipped"

# What the JVM finds wrong with the JNI code it says wherever surefire lets it.
check_jni() {
  ! grep -rnE -A 9 'WARNING in native|WARNING: JNI|FATAL ERROR in native' "$@" ||
    die "the JVM warns of the JNI code"
}
check_jni "$work/mvn.log" "$work/tolmach/surefire-reports" "$work/tolmach-coroutines/surefire-reports"

# The example, with one line of its answer to see.
chat() {
  answer=$(java -Xcheck:jni "$@" openai Hi model=words proxy=direct \
    base_url="$TOLMACH_TEST_URL" api_key="$TOLMACH_TEST_KEY")
  [ "$answer" = "One two three." ] || die "the example says: $answer"
}
jar=$work/tolmach/tolmach-0.1.0.jar

say the example, with the libraries of the jar
(unset LD_LIBRARY_PATH; chat -cp "$jar" examples/Chat.java)

say the other examples
example() {
  example=$1 model=$2
  shift 2
  java -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -cp "$jar" "examples/$example.java" openai "$@" \
    "model=$model" proxy=direct base_url="$TOLMACH_TEST_URL" api_key="$TOLMACH_TEST_KEY"
}
# expect TEXT EXAMPLE MODEL ...
expect() {
  expected=$1
  shift
  answer=$(example "$@")
  [ "$answer" = "$expected" ] || die "the example $1 says: $answer"
}
expect 'Oslo: 3 °C, Bergen: 5 °C.' Tools tools
expect 'Oslo: 3.0 °C' Structured gpt-4o
expect 'image/png, 70 bytes' Images gpt-image-1 "A pixel" "$work/pixel.png"
[ "$(wc -c <"$work/pixel.png")" -eq 70 ] || die "the example Images wrote something else"
# Enter is pressed before the example listens for it: the session is cancelled all the same.
answer=$(echo | example Cancel held "cancel of the example in Java")
case $answer in *stopped) ;; *) die "the example Cancel says: $answer" ;; esac

say the code of the README
said=$(java -Xcheck:jni -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -cp "$jar" "$work/readme/Readme.java")
[ "$said" = 'One two three.
again in PT7S
Oslo: 3 °C, Bergen: 5 °C.' ] || die "the code of the README says: $said"

mkdir -p "$work/plain"
(cd "$work/plain" && "$jdk/bin/jar" xf "$jar" && rm -r META-INF/native)

say the example, with those of a folder
(unset LD_LIBRARY_PATH; chat -Dtolmach.library.path="$natives" -cp "$work/plain" examples/Chat.java)

say the example, with those of the system
chat -Djava.library.path="$work/cmake" -cp "$work/plain" examples/Chat.java

# Of one system, as it stands there.
if [ "$os-$arch" = linux-x86_64 ]; then
  say the instructions of the README
  rm -rf "$work/manual"
  mkdir -p "$work/manual"
  cp -R . "$work/manual"
  sed -n '/^To build it all/,/^What lies/s/^    //p' README.md | sed "s#PREFIX\([ /]\)#$TOLMACH_PREFIX\1#g" \
    >"$work/manual/build.sh"
  (cd "$work/manual" && JAVA_HOME=$jdk sh -eu build.sh) >"$work/manual.log" 2>&1 ||
    { cat "$work/manual.log"; die "the instructions of the README fail"; }
  (unset LD_LIBRARY_PATH; chat -cp "$work/manual/target/tolmach/tolmach-0.1.0.jar" examples/Chat.java)
fi

[ -z "$(find . -newer "$work/begun")" ] || die "something was written among the sources"
say done
