//go:build !tolmach_static

package tolmach

// #cgo pkg-config: tolmach
import "C"
