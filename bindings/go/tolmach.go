// Package tolmach talks to any language model.
//
// A [Client] is a provider ready to be asked: make one, share it. A [Request] is what to ask:
// a conversation that grows. A [Session] is one answer on its way: range over its chunks as
// they arrive, or take the whole [Answer].
//
//	client, err := tolmach.NewClient("openai", tolmach.Config{"model": "gpt-4o"})
//	...
//	request, err := tolmach.NewRequest("")
//	...
//	err = request.Message(tolmach.User, "Why is the sky blue?")
//	...
//	session, err := client.Open(ctx, request)
//	...
//	defer session.Close()
//	for chunk, err := range session.Chunks() {
//		if err != nil {
//			return err
//		}
//		if chunk.Kind == tolmach.ChunkText {
//			fmt.Print(chunk.Text)
//		}
//	}
//
// # Goroutines
//
// Every method of every type may be called from any number of goroutines at once. A goroutine
// that waits for a chunk is parked by the runtime and holds no thread; where the system has no
// descriptor to wait for, as on Windows, it holds one.
//
// # Closing
//
// Close frees at once what an object holds outside of Go's memory, may be called again and
// from anywhere, and never waits. What uses the object afterwards fails with [ErrClosed]. An
// object that is dropped without it is freed some time after the garbage collector noticed.
//
// # Errors
//
// A failure of the library or the provider is an [*Error]; its class is a [Status], such as
// [ErrRateLimited], for [errors.Is]. One that came of a context's end is that context's error
// as well.
package tolmach

// #include <tolmach.h>
import "C"

import (
	"strings"
	"unsafe"
)

// Version is the version of the library that runs, such as "0.1.0".
func Version() string {
	return C.GoString(C.tolmach_version())
}

// text copies what the library gives out.
func text(given C.tolmach_str) string {
	return strings.Clone(unsafe.String((*byte)(unsafe.Pointer(given.ptr)), given.len))
}

// chars and size are a string for a parameter of pointer and length. The library copies it.
// chars is never NULL, which the library refuses also where the length is 0.
func chars(text string) *C.char {
	if text == "" {
		text = "\x00"
	}
	return (*C.char)(unsafe.Pointer(unsafe.StringData(text)))
}

func size(text string) C.size_t {
	return C.size_t(len(text))
}

// terminated is a string for a parameter that ends at its NUL: a name, a key or a URL.
func terminated(what, text string) (*C.char, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, misuse(what + " cannot hold a NUL character")
	}
	bytes := append([]byte(text), 0)
	return (*C.char)(unsafe.Pointer(&bytes[0])), nil
}
