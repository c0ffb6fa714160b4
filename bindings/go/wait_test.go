package tolmach_test

import (
	"context"
	"testing"
	"time"

	"github.com/tolmach/tolmach/bindings/go"
)

func TestWaitGivesTheSessionThatIsReady(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*tolmach.Session){
		"in the poller": func(*tolmach.Session) {},
		"in a thread":   (*tolmach.Session).WaitInThread,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, message := onStage(t, nil), unique(t)
			quiet := open(t, t.Context(), client, "held", message)
			want(t, nextText(t, quiet), "first ")
			gated := open(t, t.Context(), client, "gated", message)
			want(t, nextText(t, gated), "first ")
			prepare(quiet)
			prepare(gated)

			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			waiting := started(func() {
				_, err := tolmach.Wait(ctx, quiet, nil, gated)
				wantIs(t, err, context.DeadlineExceeded, tolmach.ErrCancelled)
			})
			within(t, waiting)

			waiting = started(func() {
				index, err := tolmach.Wait(t.Context(), quiet, nil, gated)
				want(t, err, nil)
				want(t, index, 2)
				want(t, nextText(t, gated), "second")
			})
			want(t, answer(t, client, "open", message), "opened")
			within(t, waiting)

			// A session that has ended is ready, and one that is closed.
			must(t, quiet.Close())
			_, err := gated.Answer()
			must(t, err)
			seen := map[int]bool{}
			for range 2 {
				index, err := tolmach.Wait(t.Context(), quiet, gated)
				must(t, err)
				seen[index] = true
			}
			want(t, len(seen), 2)
		})
	}
	for _, none := range [][]*tolmach.Session{nil, {nil}} {
		_, err := tolmach.Wait(t.Context(), none...)
		wantIs(t, err, tolmach.ErrArgument)
	}
}

// Chunks that were polled together with one that has been given are ready, and nothing in the
// library says so.
func TestRestOfABatchIsReady(t *testing.T) {
	t.Parallel()
	const pieces = 100
	read := make(chan struct{})
	client := onScript(t, func(ctx context.Context, _ string, say func(string)) {
		for range pieces {
			say("x")
		}
		select {
		case <-read:
		case <-ctx.Done():
		}
	})
	session := open(t, t.Context(), client, "any", "hello")
	for said := 0; said < pieces; {
		_, err := tolmach.Wait(t.Context(), session)
		must(t, err)
		chunk, err := session.Next()
		must(t, err)
		said += len(chunk.Text)
	}
	close(read)
	_, err := session.Answer()
	must(t, err)
}

func TestAllSessionsOfAClientAreCancelled(t *testing.T) {
	t.Parallel()
	client, message := onStage(t, nil), unique(t)
	one, other := open(t, t.Context(), client, "held", message), open(t, t.Context(), client, "silent", message+" too")
	want(t, nextText(t, one), "first ")
	waiting := started(func() {
		_, err := other.Next()
		wantIs(t, err, tolmach.ErrCancelled)
	})
	must(t, client.CancelAll())
	within(t, waiting)
	_, err := one.Next()
	wantIs(t, err, tolmach.ErrCancelled)
	// The client is good for more.
	wasClosed(t, client, message)
	wasClosed(t, client, message+" too")
}
