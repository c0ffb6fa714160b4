package tolmach

// #include <tolmach.h>
import "C"

import (
	"encoding/json"
	"runtime"
	"sync"
	"unsafe"
)

// A Role is who says a message.
type Role string

// The roles there are. What the model says is appended by [Request.Reply], what a tool says by
// [Request.ToolResult].
const (
	System    Role = "system"
	Developer Role = "developer"
	User      Role = "user"
	Assistant Role = "assistant"
)

// A Request is what to ask: a conversation, the model and its settings, in OpenAI's chat
// format, which is translated for every provider. A session copies it, so that it can go on
// growing while it is answered. When a method fails, the request is as it was.
type Request struct {
	mu      sync.Mutex
	object  *C.tolmach_request
	cleanup runtime.Cleanup
}

// NewRequest makes a request without messages. Where model is "", the config's is asked, or
// else the provider's default.
func NewRequest(model string) (*Request, error) {
	var name *C.char
	if model != "" {
		var err error
		if name, err = terminated("a model", model); err != nil {
			return nil, err
		}
	}
	var failure *C.tolmach_error
	var object *C.tolmach_request
	if err := outcome(C.tolmach_request_new(name, &object, &failure), failure); err != nil {
		return nil, err
	}
	return newRequest(object), nil
}

// ParseRequest makes a request of a whole one in OpenAI's chat format: what
// [Request.MarshalJSON] gives.
func ParseRequest(data []byte) (*Request, error) {
	var failure *C.tolmach_error
	var object *C.tolmach_request
	text := string(data)
	err := outcome(C.tolmach_request_from_json(chars(text), size(text), &object, &failure), failure)
	if err != nil {
		return nil, err
	}
	return newRequest(object), nil
}

func newRequest(object *C.tolmach_request) *Request {
	request := &Request{object: object}
	request.cleanup = runtime.AddCleanup(request, freeRequest, object)
	return request
}

func freeRequest(object *C.tolmach_request) {
	C.tolmach_request_free(object)
}

// use gives the object to call, which has it for itself and must not wait for anything.
func (r *Request) use(call func(*C.tolmach_request) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.object == nil {
		return ErrClosed
	}
	return call(r.object)
}

// Message appends a message.
func (r *Request) Message(role Role, text string) error {
	name, err := terminated("a role", string(role))
	if err != nil {
		return err
	}
	return r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_request_message(request, name, chars(text), size(text), &failure), failure)
	})
}

// Attach attaches an image, audio or PDF to the last user message. mime is its media type, such
// as "image/png", or "" where the bytes tell it: JPEG, PNG, GIF, WebP, WAV, MP3, Ogg, FLAC, PDF.
func (r *Request) Attach(data []byte, mime string) error {
	if len(data) == 0 {
		return misuse("there are no bytes to attach")
	}
	var name *C.char
	if mime != "" {
		var err error
		if name, err = terminated("a media type", mime); err != nil {
			return err
		}
	}
	return r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		status := C.tolmach_request_attach(request, unsafe.Pointer(&data[0]), C.size_t(len(data)), name, &failure)
		return outcome(status, failure)
	})
}

// AttachURL attaches what a URL points to, to the last user message; the provider fetches it,
// or the library where it does not ("gigachat") and the config's fetch_urls is "true".
// The URL is http, https, or a data URL of an image or audio.
func (r *Request) AttachURL(url string) error {
	name, err := terminated("a URL", url)
	if err != nil {
		return err
	}
	return r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_request_attach_url(request, name, &failure), failure)
	})
}

// Reply appends what session has answered so far, tool calls included: the next turn of the
// conversation; nothing where there is nothing to send back. The session may be in use, or cut short, but not closed.
func (r *Request) Reply(session *Session) error {
	if !session.core.enter() {
		return ErrClosed
	}
	defer session.core.leave()
	return r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_request_reply(request, session.core.object, &failure), failure)
	})
}

// ToolResult appends the result of the [ToolCall] of that ID, as text or JSON.
func (r *Request) ToolResult(callID, result string) error {
	id, err := terminated("a call's id", callID)
	if err != nil {
		return err
	}
	return r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_request_tool_result(request, id, chars(result), size(result), &failure), failure)
	})
}

// Set sets any field of the request to value, as [json.Marshal] writes it: "temperature" to
// 0.2, "tools" to a list; a [json.RawMessage] is taken as it stands, nil removes the field.
func (r *Request) Set(name string, value any) error {
	field, err := terminated("a field", name)
	if err != nil {
		return err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	text := string(data)
	return r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_request_set(request, field, chars(text), size(text), &failure), failure)
	})
}

// MarshalJSON gives the request as it stands, in OpenAI's chat format.
func (r *Request) MarshalJSON() ([]byte, error) {
	var data []byte
	err := r.use(func(request *C.tolmach_request) error {
		data = []byte(text(C.tolmach_request_json(request)))
		return nil
	})
	return data, err
}

// Close frees the request. Sessions opened with it live on. It returns nil.
func (r *Request) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanup.Stop()
	freeRequest(r.object)
	r.object = nil
	return nil
}
