#!/bin/sh
# snippets.sh LANGUAGE README TEMPLATE: TEMPLATE, with the README's code blocks of that language
# in the place of its lines `@snippet N@`. Fails where the template leaves one of them out.
set -eu
awk -v language="$1" '
  FNR == NR {
    if ($0 == "```" language) { inside = 1; count++ }
    else if ($0 == "```") inside = 0
    else if (inside) block[count] = block[count] $0 "\n"
    next
  }
  match($0, /@snippet [0-9]+@/) {
    number = substr($0, RSTART + 9, RLENGTH - 10) + 0
    if (number < 1 || number > count) { print "there is no snippet " number >"/dev/stderr"; failed = 1 }
    printf "%s", block[number]
    used[number] = 1
    next
  }
  { print }
  END {
    for (number = 1; number <= count; number++)
      if (!used[number]) { print "snippet " number " is not tested:\n" block[number] >"/dev/stderr"; failed = 1 }
    exit failed || count == 0
  }' "$2" "$3"
