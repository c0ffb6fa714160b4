package tolmach

// #include <tolmach.h>
import "C"

import (
	"encoding/json"
	"time"
)

// Info is what is known of a session in addition to its answer; complete once the session has
// ended. Except for Changes and Model, all of it is of the latest attempt.
type Info struct {
	// ID is the session's number, which the log's lines name; the first is 1.
	ID uint64
	// Provider is its name, as in [Providers].
	Provider string
	// Attempts is how often the request was tried so far: 0 before the first try.
	Attempts int
	// Changes are the parameters of the request that were changed to suit the provider.
	Changes []Change
	// RequestID is the provider's id of the latest request, for its support; empty where it gave
	// none.
	RequestID string
	// Model that answers; empty before its answer begins.
	Model string
	// HTTPStatus of the latest response, such as 200; 0 before it.
	HTTPStatus int
	// ConnectionReused tells whether the connection was one that an earlier request had left open.
	ConnectionReused bool
	// How long after it was opened the session had the server's address, a connection, an
	// encrypted one, had sent its request, had the headers of the response, its first chunk, and
	// its end; negative where it has not come to that, or skipped it.
	Resolved, Connected, TLSDone, Sent, Headers, FirstChunk, Ended time.Duration
	// LongestGap is the longest time between two arrivals of data; negative before the second.
	LongestGap time.Duration
	// Requests and Tokens are the limits that the provider told.
	Requests, Tokens RateLimit
}

// A RateLimit is how much a provider allows in a period; -1 where it did not say.
type RateLimit struct {
	// Limit is how many requests or tokens are allowed, and Remaining how many of them are left.
	Limit, Remaining int64
	// Reset is how long it is until the period ends, counted from the arrival of the response;
	// negative where the provider did not say.
	Reset time.Duration
}

// A Change says what was done to a field of the request that the provider does not take.
type Change struct {
	Field, Change string
}

// Info is what is known of the session now. Like the session's other knowledge it waits for a
// [Session.Next] under way where the system has no descriptors to wait for, as on Windows.
func (s *Session) Info() (*Info, error) {
	var info *Info
	err := s.core.read(func(session *C.tolmach_session) error {
		given := C.tolmach_session_info_get(session)
		if given == nil {
			return errNoMemory
		}
		info = &Info{
			ID:               uint64(given.id),
			Provider:         text(given.provider),
			Attempts:         int(given.attempts),
			RequestID:        text(given.request_id),
			Model:            text(given.model),
			HTTPStatus:       int(given.http_status),
			ConnectionReused: given.connection_reused != 0,
			Resolved:         since(given.resolved),
			Connected:        since(given.connected),
			TLSDone:          since(given.tls_done),
			Sent:             since(given.sent),
			Headers:          since(given.headers),
			FirstChunk:       since(given.first_chunk),
			Ended:            since(given.ended),
			LongestGap:       since(given.longest_gap),
			Requests:         rateLimit(given.requests),
			Tokens:           rateLimit(given.tokens),
		}
		return json.Unmarshal([]byte(text(given.changed)), &info.Changes)
	})
	return info, err
}

// since is a time in microseconds, which is negative where there is none.
func since(given C.int64_t) time.Duration {
	if given < 0 {
		return -1
	}
	return time.Duration(given) * time.Microsecond
}

func rateLimit(given C.tolmach_rate_limit) RateLimit {
	limit := RateLimit{Limit: int64(given.limit), Remaining: int64(given.remaining), Reset: -1}
	if given.reset_ms >= 0 {
		limit.Reset = time.Duration(given.reset_ms) * time.Millisecond
	}
	return limit
}

var errNoMemory = &Error{Status: ErrNoMemory, Message: "there is no memory for what is known of the session", RetryAfter: -1}

// Header is a header of the latest response, its lines joined by ", ", and whether there is one.
// Credentials are never given.
func (s *Session) Header(name string) (string, bool, error) {
	key, err := terminated("a header's name", name)
	if err != nil {
		return "", false, err
	}
	var value string
	var found bool
	err = s.core.read(func(session *C.tolmach_session) error {
		given := C.tolmach_session_header(session, key)
		if found = given.ptr != nil; found {
			value = text(given)
		}
		return nil
	})
	return value, found, err
}

// Text is the text that has arrived so far.
func (s *Session) Text() (string, error) {
	var said string
	err := s.core.read(func(session *C.tolmach_session) error {
		said = text(C.tolmach_session_text(session))
		return nil
	})
	return said, err
}

// ToolCalls are the complete ones that have arrived so far: those that [Request.Reply] appends.
func (s *Session) ToolCalls() ([]ToolCall, error) {
	var calls []ToolCall
	err := s.core.read(func(session *C.tolmach_session) error {
		for i := range C.tolmach_session_tool_call_count(session) {
			call := C.tolmach_session_tool_call_get(session, i)
			if call == nil {
				return errNoMemory
			}
			calls = append(calls, ToolCall{text(call.id), text(call.name), text(call.arguments)})
		}
		return nil
	})
	return calls, err
}
