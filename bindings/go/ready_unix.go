//go:build unix

package tolmach

import (
	"os"
	"syscall"
)

// watch gives a file on a session's descriptor by which the runtime's poller can wait for it;
// nil where there is none. It is a descriptor of its own, as a file closes what it has.
func watch(descriptor int) *os.File {
	if descriptor < 0 {
		return nil
	}
	syscall.ForkLock.RLock()
	own, err := syscall.Dup(descriptor)
	if err == nil {
		syscall.CloseOnExec(own)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil
	}
	// The poller takes what does not block. Nobody reads it, so that it matters to nothing else.
	if err := syscall.SetNonblock(own, true); err != nil {
		syscall.Close(own)
		return nil
	}
	return os.NewFile(uintptr(own), "tolmach session")
}
