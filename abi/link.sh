#!/bin/sh
# link.sh STATIC-LIBRARY OUTPUT: makes the shared library of the static one, with a version for
# each symbol (TOLMACH_0.1 for those of 0.1), for distributions that want them. cargo's own
# shared library has none, since rustc gives the linker a version script of its own. Linux and
# the BSDs. CC is the compiler, LDFLAGS are passed on.
#
#     cargo rustc --release --lib --crate-type staticlib
#     abi/link.sh target/release/libtolmach.a libtolmach.so.0
set -eu
[ $# = 2 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$(dirname "$0")
script=$(mktemp)
trap 'rm -f "$script"' EXIT

# A symbol has the version of the first list that has it.
known=' '
before=
for list in $(ls "$folder"/*.txt | sort -V); do
  version=$(basename "$list" .txt)
  node=TOLMACH_${version%.*}
  names=
  for name in $(sed -n 's/^function .*[ *]\(tolmach_[a-z0-9_]*\)(.*/\1/p' "$list"); do
    case $known in *" $name "*) ;; *) names="$names $name;" known="$known$name " ;; esac
  done
  [ -n "$names" ] || continue
  if [ -z "$before" ]; then
    echo "$node { global:$names local: *; };"
  else
    echo "$node { global:$names } $before;"
  fi
  before=$node
done >"$script"

${CC:-cc} -shared -o "$2" -Wl,--whole-archive "$1" -Wl,--no-whole-archive \
  -Wl,--version-script="$script" -Wl,-soname,libtolmach.so.0 -Wl,-z,nodelete -Wl,-z,defs \
  -Wl,--gc-sections ${LDFLAGS:-} -pthread -ldl -lm -lgcc_s
