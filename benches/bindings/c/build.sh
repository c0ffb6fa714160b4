#!/bin/sh
# Builds $OUT/program; $PREFIX has the C library.
set -eu
command -v cc >/dev/null || { echo 'there is no cc' >&2; exit 77; }
cc -std=c99 -O3 -Wall -Wextra -Werror main.c -o "$OUT/program" -I"$PREFIX/include" -L"$PREFIX/lib" \
  -Wl,-rpath,"$PREFIX/lib" -ltolmach
