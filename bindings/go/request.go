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

// Clone makes a copy of the request, with its options. Neither of the two changes the other.
func (r *Request) Clone() (*Request, error) {
	var copied *Request
	err := r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		var object *C.tolmach_request
		err := outcome(C.tolmach_request_clone(request, &object, &failure), failure)
		if err == nil {
			copied = newRequest(object)
		}
		return err
	})
	return copied, err
}

// Count is how many messages the request has.
func (r *Request) Count() (int, error) {
	count := 0
	err := r.use(func(request *C.tolmach_request) error {
		count = int(C.tolmach_request_count(request))
		return nil
	})
	return count, err
}

// Truncate removes the last messages, so that at most count remain. A program that notes
// [Request.Count] before a turn can undo the turn with it.
func (r *Request) Truncate(count int) error {
	if count < 0 {
		return misuse("a count of messages cannot be negative")
	}
	return r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_request_truncate(request, C.size_t(count), &failure), failure)
	})
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

// Input adds a text whose embedding is asked for, of a model that makes embeddings. A request with
// inputs has no messages. The answer has the Embeddings.
func (r *Request) Input(text string) error {
	return r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_request_input(request, chars(text), size(text), &failure), failure)
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

// Tool adds tools that the model may call. A tool of the same name is replaced. What the model
// calls is run by [Client.Run], or by the program itself, which gives [Request.ToolResult].
func (r *Request) Tool(tools ...Tool) error {
	for _, tool := range tools {
		if err := r.tool(tool); err != nil {
			return err
		}
	}
	return nil
}

func (r *Request) tool(tool Tool) error {
	if tool.err != nil {
		return tool.err
	}
	name, err := terminated("a tool's name", tool.Name)
	if err != nil {
		return err
	}
	var description, schema *C.char
	if tool.Description != "" {
		if description, err = terminated("a tool's description", tool.Description); err != nil {
			return err
		}
	}
	text := string(tool.Schema)
	if text != "" {
		schema = chars(text)
	}
	return r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_request_tool(request, name, description, schema, size(text), &failure), failure)
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

// SetString sets any field of the request to a string: "tool_choice" to "auto".
func (r *Request) SetString(name, value string) error {
	field, err := terminated("a field", name)
	if err != nil {
		return err
	}
	return r.use(func(request *C.tolmach_request) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_request_set_string(request, field, chars(value), size(value), &failure), failure)
	})
}

// Option sets keys of the config for this request alone, such as [WithTotalTimeout],
// [WithMaxRetries] and [WithHeaders]; those whose [Key] has IsOption. Where it fails, the options
// before the wrong one are set. They are never sent, and are not part of the request's JSON.
func (r *Request) Option(options ...Option) error {
	return apply(options, requestOptions{r})
}

type requestOptions struct {
	*Request
}

func (r requestOptions) key(key string, value *string) error {
	return setKey(key, value, func(key, value *C.char) error {
		return r.use(func(request *C.tolmach_request) error {
			var failure *C.tolmach_error
			return outcome(C.tolmach_request_option(request, key, value, &failure), failure)
		})
	})
}

func (r requestOptions) header(string, string) error {
	return misuse("WithHeader is for a client; a request takes all of its headers by WithHeaders")
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
