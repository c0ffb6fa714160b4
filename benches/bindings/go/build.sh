#!/bin/sh
# Builds $OUT/program; $PREFIX has the C library.
set -eu
for tool in go cc pkg-config; do
  command -v $tool >/dev/null || { echo "there is no $tool" >&2; exit 77; }
done
# Go's cache does not know what pkg-config says: a build for another prefix is not this one's.
export CGO_LDFLAGS="-O2 -g -Wl,-rpath,$PREFIX/lib" GOFLAGS=-buildvcs=false GOWORK=off
go build -o "$OUT/program" .
