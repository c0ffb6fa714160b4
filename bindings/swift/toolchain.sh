#!/usr/bin/env bash
# Swift for a machine that has none: `toolchain.sh DIR` makes DIR/root, a Debian that has
# it, and DIR/bin/swift, which runs it. Does nothing where they are there.
# Needs debootstrap, and the right to mount in a namespace of its own.
set -euo pipefail

main() {
  local folder place as_root=()
  mkdir -p "$1/bin" "$1/home"
  folder=$(cd "$1" && pwd)
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  if [ ! -d "$folder/root" ]; then
    place=$(mirror)
    # Only a whole root gets its name.
    "${as_root[@]}" rm -rf "$folder/root.part"
    "${as_root[@]}" debootstrap --variant=minbase \
      --include=swiftlang,g++,libstdc++-14-dev,libc6-dev,git,pkg-config,ca-certificates \
      trixie "$folder/root.part" ${place:+"$place"} >"$folder/root.log" 2>&1 ||
      { tail -n 20 "$folder/root.log" >&2; return 1; }
    "${as_root[@]}" rm -rf "$folder/root.part/var/cache/apt/archives"
    "${as_root[@]}" mv "$folder/root.part" "$folder/root"
  fi
  wrapper >"$folder/bin/swift.part"
  chmod +x "$folder/bin/swift.part"
  mv "$folder/bin/swift.part" "$folder/bin/swift"
}

# Where this machine has its Debian from, if that is known; debootstrap knows another place.
mirror() {
  { sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources
    sed -n 's/^deb \(\[.*\] \)\?\([^ ]*\) .*/\2/p' /etc/apt/sources.list; } 2>/dev/null |
    grep -v security | head -n 1 || true
}

# The program lays the root's /usr over this machine's, for itself alone, and leaves all other
# folders as they are: the project, what is built and what it is linked with have the paths
# they have outside, and nothing is left behind.
wrapper() {
  cat <<'END'
#!/usr/bin/env bash
set -euo pipefail
folder=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
user=()
[ "$(id -u)" = 0 ] || user=(--map-root-user)

kept=("HOME=$folder/home" PATH=/usr/bin:/bin LANG=C.UTF-8)
for name in "${!TOLMACH_@}" PKG_CONFIG_PATH LD_LIBRARY_PATH TMPDIR TERM \
  ASAN_OPTIONS LSAN_OPTIONS TSAN_OPTIONS \
  http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  [ -z "${!name+is set}" ] || kept+=("$name=${!name}")
done

# The thread sanitizer cannot bear addresses as random as some systems make them: setarch -R.
# shellcheck disable=SC2016
exec unshare --mount --propagation private "${user[@]}" bash -c '
  set -e
  root=$0
  for own in /usr/local /usr/src; do
    [ ! -d "$own" ] || mount --rbind "$own" "$root$own"
  done
  for other in /etc/alternatives /etc/ld.so.cache /usr; do
    mount --rbind "$root$other" "$other"
  done
  cd "$PWD"
  exec env -i "$@"' "$folder/root" "${kept[@]}" setarch -R swift "$@"
END
}

[ $# = 1 ] || { echo "usage: toolchain.sh DIR" >&2; exit 2; }
main "$1"
