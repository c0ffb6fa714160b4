#!/bin/sh
# Builds $OUT/program; $PREFIX has the C library.
set -eu
cxx=${CXX:-c++}
command -v "$cxx" >/dev/null || { echo "there is no $cxx" >&2; exit 77; }
"$cxx" -std=c++17 -O3 -Wall -Wextra -Werror main.cpp -o "$OUT/program" -I../../../bindings/cpp/include \
  -I"$PREFIX/include" -L"$PREFIX/lib" -Wl,-rpath,"$PREFIX/lib" -ltolmach
