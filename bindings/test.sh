#!/bin/sh
# test.sh NAME: has cargo build the library, start the servers that the tests talk to, and run
# bindings/NAME/test.sh. What is missing on the machine fails it.
set -eu
cd "$(dirname "$0")/.."
if ! command -v cargo >/dev/null; then
  echo "bindings/$1/test.sh: there is no cargo, which builds the library and starts the servers" >&2
  echo "that the tests need: install Rust, then cargo test --test bindings $1_" >&2
  exit 2
fi
TOLMACH_TEST_NO_SKIP=1 exec cargo test --test bindings "$1_"
