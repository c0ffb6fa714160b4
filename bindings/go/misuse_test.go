package tolmach_test

import (
	"encoding/json"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/tolmach/tolmach/bindings/go"
)

func TestUseAfterCloseIsAnError(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	session := open(t, t.Context(), client, "words", "hello")
	request := newRequest(t, "words", "hello")
	closed := newRequest(t, "words", "hello")
	_, err := session.Answer()
	must(t, err)
	for range 2 {
		must(t, session.Close())
		must(t, client.Close())
		must(t, closed.Close())
	}
	_, next := session.Next()
	_, whole := session.Answer()
	_, reply := session.Reply()
	_, info := session.Info()
	_, _, header := session.Header("X-Request-Id")
	_, said := session.Text()
	_, calls := session.ToolCalls()
	_, opened := client.Open(t.Context(), request)
	_, models := client.Models(t.Context())
	_, waited := tolmach.Wait(t.Context(), session)
	want(t, waited, nil)
	_, raw := client.Raw(t.Context(), "GET", "/files", "", nil)
	_, openedModels := client.OpenModels(t.Context())
	_, sent := onStage(t, nil).Open(t.Context(), closed)
	_, asked := client.Ask(t.Context(), request)
	_, ran := client.Run(t.Context(), request, nil, 1)
	_, _, read := tolmach.AskFor[struct{}](t.Context(), client, request)
	_, cloned := closed.Clone()
	_, counted := closed.Count()
	_, marshalled := json.Marshal(closed)
	for what, err := range map[string]error{
		"Next": next, "Answer": whole, "session.Reply": reply, "Info": info, "Header": header, "Text": said, "ToolCalls": calls, "request.Reply": request.Reply(session),
		"Open": opened, "Models": models, "OpenModels": openedModels, "Raw": raw, "CancelAll": client.CancelAll(), "Input": closed.Input("x"),
		"Message": closed.Message(tolmach.User, "x"), "Attach": closed.Attach([]byte("x"), ""),
		"AttachURL": closed.AttachURL("https://example.com"), "ToolResult": closed.ToolResult("x", "x"),
		"Ask": asked, "Run": ran, "AskFor": read, "Clone": cloned, "Count": counted,
		"Truncate": closed.Truncate(0), "SetString": closed.SetString("x", "y"),
		"Tool": closed.Tool(tolmach.Tool{Name: "x"}), "Option": closed.Option(tolmach.WithMaxRetries(1)),
		"Set": closed.Set("x", 1), "MarshalJSON": marshalled, "Open with it": sent,
	} {
		if !errors.Is(err, tolmach.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, err := range session.Chunks() {
		want(t, err, tolmach.ErrClosed)
	}
}

func TestObjectsOutliveWhatTheyWereMadeOf(t *testing.T) {
	t.Parallel()
	client, request := onStage(t, nil), newRequest(t, "words", "hello")
	session, err := client.Open(t.Context(), request)
	must(t, err)
	defer session.Close()
	must(t, client.Close())
	must(t, request.Close())
	answer, err := session.Answer()
	must(t, err)
	want(t, answer.Text, "One two three.")
}

// Whoever closes, reads, cancels and appends, and when: it is an outcome, never a crash.
func TestEverythingAtOnceIsHarmless(t *testing.T) {
	t.Parallel()
	client := onStage(t, tolmach.Config{"max_retries": "9"})
	request := newRequest(t, "words", "hello")
	var all sync.WaitGroup
	for range 50 {
		session := open(t, t.Context(), client, "many", "hello")
		for _, use := range []func() error{
			func() error {
				for range session.Chunks() {
				}
				return nil
			},
			func() error { _, err := session.Next(); return err },
			func() error { _, err := session.Reply(); return err },
			func() error { return request.Reply(session) },
			func() error { _, err := json.Marshal(request); return err },
			session.Close,
			session.Close,
		} {
			all.Add(1)
			go func() {
				defer all.Done()
				err := use()
				known := errors.Is(err, tolmach.ErrClosed) || errors.Is(err, tolmach.ErrCancelled)
				if err != nil && err != io.EOF && !known {
					t.Error(err)
				}
			}()
		}
	}
	all.Wait()
}

// What has been polled for together is not given out any more.
func TestClosedBatchIsGone(t *testing.T) {
	t.Parallel()
	session := open(t, t.Context(), onStage(t, nil), "many", "hello")
	for range 1000 {
		_, err := session.Next()
		must(t, err)
	}
	must(t, session.Close())
	_, err := session.Next()
	want(t, err, tolmach.ErrClosed)
}
