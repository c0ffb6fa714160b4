//go:build tolmach_static

package tolmach

// Where the shared library lies beside the static one, -ltolmach alone would take it: named
// by its file, the static one comes first, and as nothing is left for the other to give, it is
// not asked for.

// #cgo pkg-config: --static tolmach
// #cgo !darwin,!windows LDFLAGS: -Wl,--as-needed -l:libtolmach.a
import "C"
