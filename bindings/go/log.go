package tolmach

// #include <tolmach.h>
//
// void tolmach_go_log(void *user, int32_t level, uint64_t session, char *message, size_t len);
import "C"

import (
	"context"
	"log/slog"
	"sync/atomic"
	"unsafe"
)

// Where the library's log lines go.
var logger atomic.Pointer[slog.Logger]

// LevelTrace is that of the library's most talkative lines.
const LevelTrace = slog.LevelDebug - 4

// The library's levels, 1 to 5.
var logLevels = [...]slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug, LevelTrace}

// SetLogger sends the library's log lines to to, for the whole process; nil, as at first, sends
// them nowhere. Lines are made down to the level that to has enabled now; they never show a
// credential, a header or a prompt. Their attribute "session" is the number of the session that a
// line belongs to, or 0. The handler is called by any goroutine or thread, several
// at once, and must not block.
func SetLogger(to *slog.Logger) {
	logger.Store(to)
	if to == nil {
		C.tolmach_log_set(nil, nil, nil, 0)
		return
	}
	most := 0
	for i, level := range logLevels {
		if to.Enabled(context.Background(), level) {
			most = i + 1
		}
	}
	C.tolmach_log_set(C.tolmach_log_fn(C.tolmach_go_log), nil, nil, C.int32_t(most))
}

//export tolmach_go_log
func tolmach_go_log(_ unsafe.Pointer, level C.int32_t, session C.uint64_t, message *C.char, length C.size_t) {
	// A line under way may still arrive after the logger was taken away.
	to := logger.Load()
	if to == nil {
		return
	}
	at := min(max(int(level), 1), len(logLevels))
	to.LogAttrs(context.Background(), logLevels[at-1], C.GoStringN(message, C.int(length)), slog.Uint64("session", uint64(session)))
}
