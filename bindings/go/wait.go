package tolmach

// #include <tolmach.h>
import "C"

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
)

// Wait waits until [Session.Next] of one of the sessions would return at once, and gives its
// index; of several, the one that it gave the longest ago. A session that has ended, or is closed,
// is always ready: replace it by nil, which is skipped, once its end is seen. When ctx is done,
// Wait returns its error.
//
// A goroutine for each session does the same for less; Wait is for programs that want to read
// several sessions in one.
func Wait(ctx context.Context, sessions ...*Session) (int, error) {
	objects := make([]*C.tolmach_session, 0, len(sessions))
	var waiting []*Session
	for _, session := range sessions {
		if session == nil || !session.core.enter() {
			continue
		}
		defer session.core.leave()
		waiting = append(waiting, session)
		objects = append(objects, session.core.object)
	}
	for {
		index, found := firstReady(sessions)
		if found {
			return index, nil
		}
		if len(waiting) == 0 {
			return 0, misuse("there is no session to wait for")
		}
		if ctx.Err() != nil {
			return 0, cancelled(ctx, "the sessions were not waited for")
		}
		if !park(ctx, waiting) {
			// A while, so that the context's end is seen.
			var index C.size_t
			C.tolmach_sessions_wait(&objects[0], C.size_t(len(objects)), 50, &index, nil)
		}
	}
}

// When a session was given by Wait, in the order of these events.
var given atomic.Int64

// firstReady gives the ready session that Wait gave the longest ago.
func firstReady(sessions []*Session) (int, bool) {
	first := -1
	for i, session := range sessions {
		if session == nil || !session.core.isReady() {
			continue
		}
		if first < 0 || session.core.given.Load() < sessions[first].core.given.Load() {
			first = i
		}
	}
	if first < 0 {
		return 0, false
	}
	sessions[first].core.given.Store(given.Add(1))
	return first, true
}

// isReady tells whether polls would give something now.
func (s *session) isReady() bool {
	if !s.enter() {
		return true
	}
	defer s.leave()
	if s.polling.TryLock() {
		left := s.batch.count
		s.polling.Unlock()
		if left > 0 {
			return true
		}
	}
	var index C.size_t
	return C.tolmach_sessions_wait(&s.object, 1, 0, &index, nil) == C.TOLMACH_OK
}

// park lets the runtime's poller wait until one of the sessions may be ready, or the context is
// done; it does not where one of the sessions has no descriptor.
func park(ctx context.Context, sessions []*Session) bool {
	files := make([]*os.File, 0, len(sessions))
	woken := make(chan struct{}, len(sessions))
	var readers sync.WaitGroup
	// The files are closed first, which ends those that still read.
	defer func() {
		for _, file := range files {
			file.Close()
		}
		readers.Wait()
	}()
	for _, session := range sessions {
		if session.core.ready == nil {
			return false
		}
		file := watch(int(C.tolmach_session_fd(session.core.object)))
		if file == nil {
			return false
		}
		files = append(files, file)
		connection, err := file.SyscallConn()
		if err != nil {
			return false
		}
		readers.Add(1)
		go func() {
			defer readers.Done()
			// It asks the session first, so that no wake-up is lost: see next.
			err := connection.Read(func(uintptr) bool { return session.core.isReady() })
			if err == nil {
				woken <- struct{}{}
			}
		}()
	}
	select {
	case <-woken:
	case <-ctx.Done():
	}
	return true
}
