package tolmach

// #include <tolmach.h>
import "C"

import "encoding/json"

// Info is what is known of a session in addition to its answer; complete once the session has
// ended.
type Info struct {
	// Attempts is how often the request was tried so far: 0 before the first try.
	Attempts int
	// Changes are the parameters of the request that were changed to suit the provider.
	Changes []Change
	// RequestID is the provider's id of the latest request, for its support; empty where it gave
	// none.
	RequestID string
	// Model that answers; empty before its answer begins.
	Model string
}

// A Change says what was done to a field of the request that the provider does not take.
type Change struct {
	Field, Change string
}

// Info is what is known of the session now. It waits for a [Session.Next] under way where the
// system has no descriptors to wait for, as on Windows.
func (s *Session) Info() (*Info, error) {
	var info *Info
	err := s.core.read(func(session *C.tolmach_session) error {
		given := C.tolmach_session_info_get(session)
		if given == nil {
			return errNoMemory
		}
		info = &Info{
			Attempts:  int(given.attempts),
			RequestID: text(given.request_id),
			Model:     text(given.model),
		}
		return json.Unmarshal([]byte(text(given.changed)), &info.Changes)
	})
	return info, err
}

var errNoMemory = &Error{Status: ErrNoMemory, Message: "there is no memory for what is known of the session", RetryAfter: -1}
