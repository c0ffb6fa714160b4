package tolmach

// #include <tolmach.h>
//
// typedef struct {
//   tolmach_status status;
//   const tolmach_batch *batch;
//   tolmach_error *error;
// } tolmach_go_polled;
//
// // Gives its results by value: outputs in Go's memory would each be allocated anew.
// static tolmach_go_polled tolmach_go_poll(tolmach_session *session, int64_t timeout_ms) {
//   tolmach_go_polled polled = {0, NULL, NULL};
//   polled.status = tolmach_session_poll_many(session, timeout_ms, &polled.batch, &polled.error);
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
	"sync/atomic"
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

	// Whether it was cancelled: what has been polled is then not to be given out any more.
	stopped atomic.Bool
	// When Wait gave it last.
	given atomic.Int64

	// Polling is for one goroutine at a time, and so is what polls have given and gathered.
	polling  sync.Mutex
	batch    batch
	gathered gathering
}

func newSession(ctx context.Context, object *C.tolmach_session) *Session {
	core := &session{object: object, ctx: ctx, gathered: newGathering()}
	core.free = func() {
		// Who takes a chunk of the batch is no user: see next.
		core.polling.Lock()
		defer core.polling.Unlock()
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
		s.stop()
		s.leave()
	}
}

func (s *session) stop() {
	s.stopped.Store(true)
	C.tolmach_session_cancel(s.object)
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
func (s *session) poll(timeout C.int64_t, chunk *Chunk) error {
	s.polling.Lock()
	defer s.polling.Unlock()
	if s.stopped.Load() {
		// The reply has it, and so has the answer.
		for s.batch.count > 0 {
			s.batch.next(chunk)
			s.gathered.add(chunk)
			*chunk = Chunk{}
		}
	}
	if s.batch.count == 0 {
		if err := s.pollMany(timeout); err != nil {
			return err
		}
	}
	s.batch.next(chunk)
	s.gathered.add(chunk)
	return nil
}

// pollMany polls for a batch.
func (s *session) pollMany(timeout C.int64_t) error {
	polled := C.tolmach_go_poll(s.object, timeout)
	switch {
	case polled.status == C.TOLMACH_OK:
		s.batch = newBatch(polled.batch)
		return nil
	case polled.status == C.TOLMACH_PENDING:
		return errPending
	case polled.status > 0:
		return io.EOF
	}
	err := outcome(polled.status, polled.error)
	if errors.Is(err, ErrCancelled) && s.isShut() {
		err = ErrClosed
	} else if errors.Is(err, ErrCancelled) && s.ctx.Err() != nil {
		err = cancelled(s.ctx, "the session was cancelled")
	}
	return err
}

// next gives the next chunk, and waits for it.
func (s *session) next(chunk *Chunk) error {
	if s.ctx.Err() == nil && s.takeFirst(chunk) {
		return nil
	}
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	if s.ctx.Err() != nil {
		// The function that was to be told of it may not have run yet.
		s.stop()
	}
	err := s.poll(0, chunk)
	if err == errPending {
		*chunk, err = s.wait()
	}
	return err
}

// takeFirst takes the first chunk of the batch, if there is one to be given out. That has to be
// quick: it does not even become a user of the session, which is not freed while it has the lock.
func (s *session) takeFirst(chunk *Chunk) bool {
	s.polling.Lock()
	if s.batch.count == 0 || s.stopped.Load() || s.isShut() {
		s.polling.Unlock()
		return false
	}
	s.batch.next(chunk)
	s.gathered.add(chunk)
	s.polling.Unlock()
	return true
}

// wait waits for the next chunk. It is apart from next because what it waits with lies on the heap.
func (s *session) wait() (Chunk, error) {
	var chunk Chunk
	if s.ready != nil {
		// The runtime's poller is told when the descriptor becomes readable, not that it is.
		// No wake-up is lost for that: Read forgets what it was told, then asks the session;
		// and when a session says that nothing is there, its descriptor is not readable, so
		// that it becomes so again with the next chunk, or the end.
		var err error
		waited := s.ready.Read(func(uintptr) bool {
			err = s.poll(0, &chunk)
			return err != errPending
		})
		if waited == nil {
			return chunk, err
		}
	}
	err := s.poll(-1, &chunk)
	return chunk, err
}

// Next waits for the next chunk. It fails with [io.EOF] after the last one, with [ErrTruncated]
// when the answer stopped before its end, with [ErrCancelled] and the context's own error when
// that is done, and then for ever.
func (s *Session) Next() (Chunk, error) {
	var chunk Chunk
	err := s.core.next(&chunk)
	runtime.KeepAlive(s)
	return chunk, err
}

// Chunks gives the chunks as they arrive. An error is the last thing it gives; [io.EOF] is
// none. Leaving the loop early cancels the session: the provider stops, and what has come so
// far is still there for [Request.Reply] and [Session.Answer] until the session is closed.
func (s *Session) Chunks() iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		// Does nothing to a session that has ended.
		defer s.core.cancel()
		defer runtime.KeepAlive(s)
		for {
			var chunk Chunk
			err := s.core.next(&chunk)
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
	answer := s.core.gathered.whole()
	s.core.polling.Unlock()
	// A session that is closed knows no more.
	_ = s.core.read(func(session *C.tolmach_session) error {
		if info := C.tolmach_session_info_get(session); info != nil {
			answer.RequestID = text(info.request_id)
		}
		return nil
	})
	return answer, failure
}

// read gives the session to call, while nobody polls it.
func (s *session) read(call func(*C.tolmach_session) error) error {
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	s.polling.Lock()
	defer s.polling.Unlock()
	return call(s.object)
}

// Reply is what has arrived so far, put together: the assistant's message as JSON; empty
// while there is nothing to send back. Most programs want [Request.Reply], which appends it to
// a request.
func (s *Session) Reply() (string, error) {
	var reply string
	err := s.core.read(func(session *C.tolmach_session) error {
		reply = text(C.tolmach_session_reply(session))
		return nil
	})
	return reply, err
}

// Close cancels the session where it still runs, and frees it. A [Session.Next] under way fails
// with [ErrClosed]. It returns nil.
func (s *Session) Close() error {
	s.core.close()
	return nil
}
