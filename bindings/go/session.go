package tolmach

// #include <tolmach.h>
//
// typedef struct {
//   tolmach_status status;
//   const tolmach_chunk *chunk;
//   tolmach_error *error;
// } tolmach_go_polled;
//
// // Gives its results by value: outputs in Go's memory would each be allocated anew.
// static tolmach_go_polled tolmach_go_poll(tolmach_session *session, int64_t timeout_ms) {
//   tolmach_go_polled polled = {0, NULL, NULL};
//   polled.status = tolmach_session_poll(session, timeout_ms, &polled.chunk, &polled.error);
//   return polled;
// }
import "C"

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"runtime"
	"sync"
	"syscall"
)

// A Session is one answer on its way. It ends with its last chunk, with an error, when the
// context that it was opened with is done, when a loop over its chunks is left early, or when
// it is closed; the connection to the provider is closed with it.
type Session struct {
	core *session
}

// What a session's cleanup and its context's end hold on to, which must not be the Session.
type session struct {
	guard
	object *C.tolmach_session
	ctx    context.Context
	// Withdraws the wish to be told of the context's end.
	forget func() bool
	// Readable while there is something to poll for; ready waits for it. Nil where the system
	// has no such thing.
	descriptor *os.File
	ready      syscall.RawConn

	// Polling is for one goroutine at a time, and so is what polls have gathered.
	polling  sync.Mutex
	gathered gathering
}

func newSession(ctx context.Context, object *C.tolmach_session) *Session {
	core := &session{object: object, ctx: ctx, gathered: newGathering()}
	core.free = func() {
		// The runtime's poller has to let go of the descriptor first.
		if core.descriptor != nil {
			core.descriptor.Close()
		}
		C.tolmach_session_free(object)
	}
	core.descriptor = watch(int(C.tolmach_session_fd(object)))
	if core.descriptor != nil {
		core.ready, _ = core.descriptor.SyscallConn()
	}
	core.forget = context.AfterFunc(ctx, core.cancel)
	opened := &Session{core}
	runtime.AddCleanup(opened, (*session).close, core)
	return opened
}

func (s *session) cancel() {
	if s.enter() {
		C.tolmach_session_cancel(s.object)
		s.leave()
	}
}

// close cancels the session, so that whoever waits for a chunk leaves; the last one frees it.
func (s *session) close() {
	if s.enter() {
		s.forget()
		s.shut()
		C.tolmach_session_cancel(s.object)
		s.leave()
	}
}

// Says that there is no chunk yet.
var errPending = errors.New("pending")

// poll gives the next chunk, waited for up to timeout milliseconds.
func (s *session) poll(timeout C.int64_t) (Chunk, error) {
	s.polling.Lock()
	defer s.polling.Unlock()
	polled := C.tolmach_go_poll(s.object, timeout)
	switch {
	case polled.status == C.TOLMACH_OK:
		chunk := newChunk(polled.chunk)
		s.gathered.add(&chunk)
		return chunk, nil
	case polled.status == C.TOLMACH_PENDING:
		return Chunk{}, errPending
	case polled.status > 0:
		return Chunk{}, io.EOF
	}
	err := outcome(polled.status, polled.error)
	if errors.Is(err, ErrCancelled) && s.isShut() {
		err = ErrClosed
	} else if errors.Is(err, ErrCancelled) && s.ctx.Err() != nil {
		err = cancelled(s.ctx, "the session was cancelled")
	}
	return Chunk{}, err
}

// next gives the next chunk, and waits for it.
func (s *session) next() (Chunk, error) {
	if s.ctx.Err() != nil {
		// The function that was to be told of it may not have run yet.
		C.tolmach_session_cancel(s.object)
	}
	chunk, err := s.poll(0)
	if err != errPending {
		return chunk, err
	}
	if s.ready != nil {
		// The runtime's poller is told when the descriptor becomes readable, not that it is.
		// No wake-up is lost for that: Read forgets what it was told, then asks the session;
		// and when a session says that nothing is there, its descriptor is not readable, so
		// that it becomes so again with the next chunk, or the end.
		waited := s.ready.Read(func(uintptr) bool {
			chunk, err = s.poll(0)
			return err != errPending
		})
		if waited == nil {
			return chunk, err
		}
	}
	return s.poll(-1)
}

// Next waits for the next chunk. It fails with [io.EOF] after the last one, with [ErrTruncated]
// when the answer stopped before its end, with [ErrCancelled] and the context's own error when
// that is done, and then for ever.
func (s *Session) Next() (Chunk, error) {
	defer runtime.KeepAlive(s)
	if !s.core.enter() {
		return Chunk{}, ErrClosed
	}
	defer s.core.leave()
	return s.core.next()
}

// Chunks gives the chunks as they arrive. An error is the last thing it gives; [io.EOF] is
// none. Leaving the loop early cancels the session: the provider stops, and what has come so
// far is still there for [Request.Reply] and [Session.Answer] until the session is closed.
func (s *Session) Chunks() iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		// Does nothing to a session that has ended.
		defer s.core.cancel()
		for {
			chunk, err := s.Next()
			if err == io.EOF || !yield(chunk, err) || err != nil {
				return
			}
		}
	}
}

// Answer waits for the rest of the answer and gives all of it, from its first chunk on. Where
// it fails, it gives what has come until then, beside the error.
func (s *Session) Answer() (*Answer, error) {
	var failure error
	for _, err := range s.Chunks() {
		failure = err
	}
	s.core.polling.Lock()
	defer s.core.polling.Unlock()
	answer := s.core.gathered.whole()
	if s.core.enter() {
		defer s.core.leave()
		if info := C.tolmach_session_info_get(s.core.object); info != nil {
			answer.RequestID = text(info.request_id)
		}
	}
	return answer, failure
}

// Reply is what has been polled so far, put together: the assistant's message as JSON; empty
// while there is nothing to send back. Most programs want [Request.Reply], which appends it to
// a request.
func (s *Session) Reply() (string, error) {
	if !s.core.enter() {
		return "", ErrClosed
	}
	defer s.core.leave()
	s.core.polling.Lock()
	defer s.core.polling.Unlock()
	return text(C.tolmach_session_reply(s.core.object)), nil
}

// Close cancels the session where it still runs, and frees it. A [Session.Next] under way fails
// with [ErrClosed]. It returns nil.
func (s *Session) Close() error {
	s.core.close()
	return nil
}
