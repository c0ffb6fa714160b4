#!/bin/sh
# Tests the module: `cargo test --test bindings go_` runs this.
set -e
cd "$(dirname "$0")"
[ -n "${TOLMACH_TEST_WORK:-}" ] || exec sh ../test.sh go
here=$(pwd)
mkdir -p "$TOLMACH_TEST_WORK"
# The module may lie in any checkout, or in none.
export GOFLAGS=-buildvcs=false GOWORK=off
# Go's cache does not know what pkg-config says: a build for another prefix is not this one's.
export CGO_LDFLAGS="-O2 -g -Wl,-rpath-link,$TOLMACH_PREFIX/lib"

unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "gofmt: $unformatted"; exit 1; }
go vet ./...

# The shared library: data races, and pointers of Go's where C may not have them.
GOEXPERIMENT=cgocheck2 GODEBUG=cgocheck=1 go test -timeout 30m -race -shuffle=on -count=2 ./...

# The static library: memory that is left behind, or used when it is gone.
go test -timeout 30m -asan -tags tolmach_static -shuffle=on -count=1 ./...

# A program of somebody else's that keeps its dependencies beside it, linked either way.
user="$TOLMACH_TEST_WORK/user"
mkdir -p "$user"
cp examples/chat/main.go "$user"
cd "$user"
go mod init example.com/chat 2>/dev/null
go mod edit -require=github.com/tolmach/tolmach/bindings/go@v0.1.0 \
  -replace="github.com/tolmach/tolmach/bindings/go@v0.1.0=$here"
go mod vendor
go build -mod=vendor -o chat-shared .
go build -mod=vendor -o chat-static -tags tolmach_static .
ask() {
  "$@" openai hello "base_url=$TOLMACH_TEST_URL" "api_key=$TOLMACH_TEST_KEY" proxy=direct model=words
}
[ "$(ask ./chat-shared)" = "One two three." ]
# The README's own way to run it.
[ "$(cd "$here" && eval "$(sed -n 's/^    \(go run .*\)/\1/p' README.md)" "base_url=$TOLMACH_TEST_URL" \
  "api_key=$TOLMACH_TEST_KEY" proxy=direct)" = "One two three." ]
[ "$(ask env -u LD_LIBRARY_PATH ./chat-static)" = "One two three." ]
ldd ./chat-shared | grep -q libtolmach
if ldd ./chat-static | grep libtolmach; then
  echo "chat-static is not static"
  exit 1
fi

# The code of the README, on the scripted server.
mkdir -p "$TOLMACH_TEST_WORK/readme"
cd "$TOLMACH_TEST_WORK/readme"
sh "$here/../snippets.sh" go "$here/README.md" "$here/README.go.in" |
  sed 's/NewClient("openai", tolmach.Config{/&"base_url": os.Getenv("TOLMACH_TEST_URL"), "api_key": os.Getenv("TOLMACH_TEST_KEY"), "proxy": "direct", /' >main.go
cp ../user/go.mod .
go vet .
said=$(go run .)
[ "$said" = "One two three.
Oslo: 3 °C, Bergen: 5 °C. <nil>
true
7s req-42
true" ] || { echo "the code of the README says: $said"; exit 1; }

echo "all of Go's tests passed"
