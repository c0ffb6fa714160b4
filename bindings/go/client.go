package tolmach

// #include <tolmach.h>
import "C"

import (
	"context"
	"runtime"
	"sync"
	"unsafe"
)

// A Client is a provider bound to its config, with its open connections.
type Client struct {
	core *client
}

type client struct {
	guard
	object *C.tolmach_client
}

// NewClient binds a provider of [Providers] to its settings, of which the last of a key counts.
// It touches no network. It fails with [ErrAuth] when the provider needs a key and there is
// none, and with [ErrArgument] for an unknown provider, key or value.
func NewClient(provider string, options ...Option) (*Client, error) {
	settings, err := newConfig(provider)
	if err != nil {
		return nil, err
	}
	return settings.client(options)
}

// ParseClient makes a client of JSON, such as a part of a program's own settings file: an object
// with "provider" and any of its keys, as strings, numbers, booleans and objects. What options
// set counts more.
func ParseClient(data []byte, options ...Option) (*Client, error) {
	var settings config
	var failure *C.tolmach_error
	text := string(data)
	err := outcome(C.tolmach_config_from_json(chars(text), size(text), &settings.object, &failure), failure)
	if err != nil {
		return nil, err
	}
	return settings.client(options)
}

// client makes one of the config, which is freed.
func (c config) client(options []Option) (*Client, error) {
	defer C.tolmach_config_free(c.object)
	if err := apply(options, c); err != nil {
		return nil, err
	}
	core := &client{}
	core.free = func() { C.tolmach_client_free(core.object) }
	var failure *C.tolmach_error
	if err := outcome(C.tolmach_client_new(c.object, &core.object, &failure), failure); err != nil {
		return nil, err
	}
	client := &Client{core}
	runtime.AddCleanup(client, (*guard).shut, &core.guard)
	return client, nil
}

func apply(options []Option, on settable) error {
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option.set(on); err != nil {
			return err
		}
	}
	return nil
}

// The library makes the workers of sessions one after the other. Goroutines had better queue for
// that here, where the one that waits holds no thread.
var opening sync.Mutex

// Open asks the provider, and returns at once: what fails on the way is told by the session.
// The request is copied. When ctx is done, the session is cancelled at once.
func (c *Client) Open(ctx context.Context, request *Request) (*Session, error) {
	return c.open(ctx, func(session **C.tolmach_session) error {
		return request.use(func(request *C.tolmach_request) error {
			var failure *C.tolmach_error
			return outcome(C.tolmach_session_open(c.core.object, request, session, &failure), failure)
		})
	})
}

// OpenModels asks for the models there are: the session gives a [ChunkModel] for each, in the
// provider's order. It fails with [ErrUnsupported] when the provider lists none.
func (c *Client) OpenModels(ctx context.Context) (*Session, error) {
	return c.open(ctx, func(session **C.tolmach_session) error {
		var failure *C.tolmach_error
		return outcome(C.tolmach_session_open_models(c.core.object, session, &failure), failure)
	})
}

// OpenRaw makes an HTTP request of the program's own, with the client's credentials, to a path below
// its base_url: for files, batches, token counts and whatever else this package has no function
// for. The response's body comes as [ChunkBody]s. An empty contentType is "application/json"; GET
// and DELETE have no body. A status other than 2xx is an error, whose Body has the response.
func (c *Client) OpenRaw(ctx context.Context, method, path, contentType string, body []byte) (*Session, error) {
	verb, err := terminated("a method", method)
	if err != nil {
		return nil, err
	}
	where, err := terminated("a path", path)
	if err != nil {
		return nil, err
	}
	var mime *C.char
	if contentType != "" {
		if mime, err = terminated("a content type", contentType); err != nil {
			return nil, err
		}
	}
	return c.open(ctx, func(session **C.tolmach_session) error {
		var failure *C.tolmach_error
		status := C.tolmach_session_open_raw(c.core.object, verb, where, mime,
			unsafe.Pointer(unsafe.SliceData(body)), C.size_t(len(body)), session, &failure)
		return outcome(status, failure)
	})
}

// Raw does what [Client.OpenRaw] does, and waits for the whole response.
func (c *Client) Raw(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	session, err := c.OpenRaw(ctx, method, path, contentType, body)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	response := []byte{}
	for chunk, err := range session.Chunks() {
		if err != nil {
			return nil, err
		}
		if chunk.Kind == ChunkBody {
			response = append(response, chunk.Bytes...)
		}
	}
	return response, nil
}

// open opens a session by what call does with the client.
func (c *Client) open(ctx context.Context, call func(session **C.tolmach_session) error) (*Session, error) {
	if ctx.Err() != nil {
		return nil, cancelled(ctx, "the session was not opened")
	}
	if !c.core.enter() {
		return nil, ErrClosed
	}
	defer c.core.leave()
	opening.Lock()
	defer opening.Unlock()
	var object *C.tolmach_session
	if err := call(&object); err != nil {
		return nil, err
	}
	return newSession(ctx, object), nil
}

// A Model is one that a provider lists.
type Model struct {
	// ID is the name to ask for it by.
	ID string
	// Owner made or serves it; empty when not said.
	Owner string
	// JSON is the provider's whole entry.
	JSON string
	// ContextLength is how many tokens fit its context; -1 when not said.
	ContextLength int64
	// Capabilities are what the entry says it can do.
	Capabilities Capabilities
}

// Models asks for the models there are, and waits for all of them: see [Client.OpenModels].
func (c *Client) Models(ctx context.Context) ([]Model, error) {
	session, err := c.OpenModels(ctx)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	models := []Model{}
	for chunk, err := range session.Chunks() {
		if err != nil {
			return nil, err
		}
		if chunk.Kind == ChunkModel {
			models = append(models, Model{
				ID:            chunk.ID,
				Owner:         chunk.Name,
				JSON:          chunk.Text,
				ContextLength: chunk.Usage.Total,
				Capabilities:  chunk.Capabilities,
			})
		}
	}
	return models, nil
}

// CancelAll cancels all sessions of the client that still run.
func (c *Client) CancelAll() error {
	if !c.core.enter() {
		return ErrClosed
	}
	defer c.core.leave()
	C.tolmach_client_cancel_all(c.core.object)
	return nil
}

// Close frees the client. Its sessions live on. It returns nil.
func (c *Client) Close() error {
	c.core.shut()
	return nil
}
