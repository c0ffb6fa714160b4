package tolmach

// #include <tolmach.h>
import "C"

import (
	"context"
	"runtime"
	"sync"
	"time"
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
	if ctx.Err() != nil {
		return nil, cancelled(ctx, "the session was not opened")
	}
	if !c.core.enter() {
		return nil, ErrClosed
	}
	defer c.core.leave()
	var object *C.tolmach_session
	err := request.use(func(request *C.tolmach_request) error {
		opening.Lock()
		defer opening.Unlock()
		var failure *C.tolmach_error
		return outcome(C.tolmach_session_open(c.core.object, request, &object, &failure), failure)
	})
	if err != nil {
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

// Models asks for the models there are. It fails with [ErrUnsupported] when the provider lists
// none. When ctx is done it returns at once; the question itself, which the library cannot take
// back, keeps a thread until it is answered or one of the config's deadlines passes.
func (c *Client) Models(ctx context.Context) ([]Model, error) {
	if ctx.Err() != nil {
		return nil, cancelled(ctx, "the models were not asked for")
	}
	if !c.core.enter() {
		return nil, ErrClosed
	}
	timeout := C.int64_t(-1)
	if deadline, ok := ctx.Deadline(); ok {
		// A little more than is left: it is the context that is to say that it is over.
		timeout = C.int64_t((time.Until(deadline) + time.Second).Milliseconds())
	}
	type answer struct {
		models []Model
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		defer c.core.leave()
		models, err := c.core.models(timeout)
		answered <- answer{models, err}
	}()
	select {
	case answer := <-answered:
		return answer.models, answer.err
	case <-ctx.Done():
		return nil, cancelled(ctx, "the models were not waited for")
	}
}

func (c *client) models(timeout C.int64_t) ([]Model, error) {
	var failure *C.tolmach_error
	var list *C.tolmach_models
	err := outcome(C.tolmach_client_models(c.object, timeout, &list, &failure), failure)
	if err != nil {
		return nil, err
	}
	defer C.tolmach_models_free(list)
	models := make([]Model, C.tolmach_models_count(list))
	for i := range models {
		given := C.tolmach_models_get(list, C.size_t(i))
		models[i] = Model{
			ID:            text(given.id),
			Owner:         text(given.owner),
			JSON:          text(given.json),
			ContextLength: int64(given.context_length),
			Capabilities:  Capabilities(given.capabilities),
		}
	}
	return models, nil
}

// Close frees the client. Its sessions live on. It returns nil.
func (c *Client) Close() error {
	c.core.shut()
	return nil
}
