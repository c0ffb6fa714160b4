//go:build linux

package tolmach_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tolmach/tolmach/bindings/go"
)

// The tests of this file count what the process has, and so do not run beside others.

// goThreads counts Go's own threads; the library gives its workers names.
func goThreads(t *testing.T) int {
	t.Helper()
	own, err := os.ReadFile("/proc/self/comm")
	must(t, err)
	names, err := filepath.Glob("/proc/self/task/*/comm")
	must(t, err)
	count := 0
	for _, name := range names {
		// A thread that has ended in the meantime is none.
		if comm, err := os.ReadFile(name); err == nil && string(comm) == string(own) {
			count++
		}
	}
	return count
}

// A handful: what the runtime makes for reasons of its own.
const handful = 20

func TestThousandWaitingGoroutinesHoldNoThreads(t *testing.T) {
	const sessions = 1000
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	client := newClient(t, "http://"+listener.Addr().String(), "", nil)
	before := goThreads(t)
	var opened []*tolmach.Session
	var waiting sync.WaitGroup
	for range sessions {
		session := open(t, t.Context(), client, "any", "hello")
		opened = append(opened, session)
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			_, err := session.Next()
			want(t, err, tolmach.ErrClosed)
		}()
		// Once its worker has connected, it has its name.
		connection, err := listener.Accept()
		must(t, err)
		defer connection.Close()
	}
	awaitParked(t, sessions)
	if more := goThreads(t) - before; more > handful {
		t.Errorf("%d goroutines that wait added %d threads", sessions, more)
	}
	for _, session := range opened {
		must(t, session.Close())
	}
	within(t, started(waiting.Wait))
}

// awaitParked waits until that many goroutines are parked in Next.
func awaitParked(t *testing.T, count int) {
	t.Helper()
	await(t, func() bool {
		stacks := make([]byte, 16<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		parked := 0
		for _, stack := range strings.Split(string(stacks), "\n\n") {
			if strings.Contains(stack, "[IO wait") && strings.Contains(stack, "(*Session).Next") {
				parked++
			}
		}
		return parked == count
	})
}

func TestFiveHundredSessionsAtOnce(t *testing.T) {
	const sessions = 500
	// More than a server that is short of time may have room for at once: it resets some.
	client, message := onStage(t, tolmach.Config{"max_retries": "9"}), unique(t)
	before := goThreads(t)
	var first, done sync.WaitGroup
	first.Add(sessions)
	for range sessions {
		session := open(t, t.Context(), client, "gated", message)
		done.Add(1)
		go func() {
			defer done.Done()
			said := ""
			for chunk, err := range session.Chunks() {
				if err != nil {
					t.Error(err)
					return
				}
				if chunk.Kind == tolmach.ChunkText && said == "" {
					first.Done()
				}
				if chunk.Kind == tolmach.ChunkText {
					said += chunk.Text
				}
			}
			want(t, said, "first second")
		}()
	}
	within(t, started(first.Wait))
	if more := goThreads(t) - before; more > handful {
		t.Errorf("%d sessions that wait added %d threads of Go's", sessions, more)
	}
	want(t, answer(t, client, "open", message), "opened")
	within(t, started(done.Wait))
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

// However a session ends, and whoever frees it: it gives back what it had. Descriptors are
// counted here; memory is watched by the address sanitizer.
func TestNothingIsLeftBehind(t *testing.T) {
	// The runtime's poller has descriptors of its own, from the first that it watches.
	want(t, answer(t, onStage(t, nil), "words", "hello"), "One two three.")
	before := descriptors(t)
	stage, key := environment(t, "TOLMACH_TEST_URL"), environment(t, "TOLMACH_TEST_KEY")
	cycle := func(round int) {
		client, err := tolmach.NewClient("openai", tolmach.Config{"base_url": stage, "api_key": key, "proxy": "direct"})
		must(t, err)
		for _, model := range []string{"words", "held", "truncated", "look"} {
			request, err := tolmach.NewRequest(model)
			must(t, err)
			must(t, request.Message(tolmach.User, unique(t)))
			session, err := client.Open(t.Context(), request)
			must(t, err)
			switch (round + len(model)) % 3 {
			case 0: // dropped, unread
			case 1: // left early, dropped
				for range session.Chunks() {
					break
				}
			case 2: // closed
				_, err := session.Next()
				must(t, err)
				must(t, session.Close())
			}
		}
		// Every other client is dropped as well.
		if round%2 == 0 {
			must(t, client.Close())
		}
	}
	for round := range 100 {
		cycle(round)
	}
	await(t, func() bool {
		runtime.GC()
		return descriptors(t) <= before
	})
}
