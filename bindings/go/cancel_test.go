package tolmach_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tolmach/tolmach/bindings/go"
)

// wasClosed waits until the server saw the connection of that message closed.
func wasClosed(t *testing.T, client *tolmach.Client, message string) {
	t.Helper()
	want(t, answer(t, client, "was-closed", message), "closed")
}

func TestCancelledContextEndsTheWait(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*tolmach.Session){
		"in the poller": func(*tolmach.Session) {},
		"in a thread":   (*tolmach.Session).WaitInThread,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, message := onStage(t, nil), unique(t)
			ctx, cancel := context.WithCancel(t.Context())
			session := open(t, ctx, client, "held", message)
			prepare(session)
			want(t, nextText(t, session), "first ")
			waiting := started(func() {
				for range 2 {
					_, err := session.Next()
					wantIs(t, err, context.Canceled, tolmach.ErrCancelled)
				}
			})
			cancel()
			within(t, waiting)
			wasClosed(t, client, message)
		})
	}
}

func TestDeadlineOfTheContextEndsTheWait(t *testing.T) {
	t.Parallel()
	client, message := onStage(t, nil), unique(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	session, err := client.Open(ctx, newRequest(t, "silent", message))
	// On a machine that is slow enough, it is over before it began.
	if err == nil {
		defer session.Close()
		_, err = session.Answer()
	}
	wantIs(t, err, context.DeadlineExceeded, tolmach.ErrCancelled)
	want(t, errors.Is(err, tolmach.ErrTimeout), false)
}

func TestReasonOfTheContextIsTold(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	reason := errors.New("the user went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	session := open(t, ctx, client, "held", unique(t))
	cancel(reason)
	_, err := session.Next()
	wantIs(t, err, reason, context.Canceled, tolmach.ErrCancelled)
	want(t, err.Error(), "tolmach: the session was cancelled: context canceled: the user went away")
}

func TestNothingIsAskedOnceTheContextIsDone(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Open(ctx, newRequest(t, "words", "hello"))
	wantIs(t, err, context.Canceled, tolmach.ErrCancelled)
	_, err = client.Models(ctx)
	wantIs(t, err, context.Canceled, tolmach.ErrCancelled)
}

func TestCancelledQuestionForModelsReturns(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	asked := make(chan net.Conn)
	go func() {
		if connection, err := listener.Accept(); err == nil {
			asked <- connection
		}
	}()
	t.Cleanup(func() { listener.Close() })
	client := newClient(t, "http://"+listener.Addr().String(), "", nil)
	ctx, cancel := context.WithCancel(t.Context())
	waiting := started(func() {
		_, err := client.Models(ctx)
		wantIs(t, err, context.Canceled, tolmach.ErrCancelled)
	})
	connection := <-asked
	cancel()
	within(t, waiting)
	// The connection is closed at once.
	within(t, started(func() { io.Copy(io.Discard, connection) }))
	must(t, connection.Close())
}

func TestLeavingTheLoopEndsTheRequest(t *testing.T) {
	t.Parallel()
	client, message := onStage(t, nil), unique(t)
	session := open(t, t.Context(), client, "held", message)
	for chunk, err := range session.Chunks() {
		must(t, err)
		if chunk.Kind == tolmach.ChunkText {
			break
		}
	}
	wasClosed(t, client, message)
	_, err := session.Next()
	wantIs(t, err, tolmach.ErrCancelled)
	answer, err := session.Answer()
	wantIs(t, err, tolmach.ErrCancelled)
	want(t, answer.Text, "first ")
	must(t, newRequest(t, "words", "go on").Reply(session))
}

// Chunks come from the library in batches: of one that is under way, the rest is not given out any
// more, but belongs to the answer as it does to the reply.
func TestCancelledBatchIsInTheAnswerAndTheReply(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	request := newRequest(t, "many", "hello")
	for name, end := range map[string]func(*tolmach.Session, context.CancelFunc){
		"loop": func(session *tolmach.Session, _ context.CancelFunc) {
			for range session.Chunks() {
				break
			}
		},
		"context": func(_ *tolmach.Session, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			session, err := client.Open(ctx, request)
			must(t, err)
			defer session.Close()
			// By then more of them have arrived than one by one.
			for range 1000 {
				_, err := session.Next()
				must(t, err)
			}
			end(session, cancel)
			_, err = session.Next()
			wantIs(t, err, tolmach.ErrCancelled)
			answer, err := session.Answer()
			wantIs(t, err, tolmach.ErrCancelled)
			reply, err := session.Reply()
			must(t, err)
			var message struct{ Content string }
			must(t, json.Unmarshal([]byte(reply), &message))
			want(t, answer.Text, message.Content)
			want(t, len(strings.Fields(answer.Text)) >= 999, true)
		})
	}
}

func TestPanicInTheLoopEndsTheRequest(t *testing.T) {
	t.Parallel()
	client, message := onStage(t, nil), unique(t)
	session := open(t, t.Context(), client, "held", message)
	func() {
		defer func() { want(t, recover(), any("enough")) }()
		for range session.Chunks() {
			panic("enough")
		}
	}()
	wasClosed(t, client, message)
}

func TestCloseEndsAWaitElsewhere(t *testing.T) {
	t.Parallel()
	client, message := onStage(t, nil), unique(t)
	session := open(t, t.Context(), client, "held", message)
	want(t, nextText(t, session), "first ")
	waiting := started(func() {
		_, err := session.Next()
		want(t, err, tolmach.ErrClosed)
	})
	must(t, session.Close())
	within(t, waiting)
	wasClosed(t, client, message)
}

func TestDroppedSessionIsFreed(t *testing.T) {
	t.Parallel()
	client, message := onStage(t, nil), unique(t)
	func() {
		request := newRequest(t, "held", message)
		// That its context lives on does not keep it.
		session, err := client.Open(t.Context(), request)
		must(t, err)
		want(t, nextText(t, session), "first ")
	}()
	closed := started(func() { wasClosed(t, client, message) })
	await(t, func() bool {
		runtime.GC()
		select {
		case <-closed:
			return true
		default:
			return false
		}
	})
}

func TestSessionIsKeptWhileItIsWaitedFor(t *testing.T) {
	t.Parallel()
	client, message := onStage(t, nil), unique(t)
	session, err := client.Open(t.Context(), newRequest(t, "gated", message))
	must(t, err)
	want(t, nextText(t, session), "first ")
	waiting := started(func() {
		// The last use there is of it.
		chunk, err := session.Next()
		want(t, err, nil)
		want(t, chunk.Text, "second")
	})
	for range 20 {
		runtime.GC()
	}
	want(t, answer(t, client, "open", message), "opened")
	within(t, waiting)
}
