package tolmach_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tolmach/tolmach/bindings/go"
)

// Longer than anything takes that is not broken.
const long = 5 * time.Minute

func environment(t testing.TB, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: test.sh needs the servers that the tests of the library start", name)
	}
	return value
}

// newClient asks the server at url.
func newClient(t testing.TB, url, key string, settings tolmach.Config) *tolmach.Client {
	t.Helper()
	config := tolmach.Config{"base_url": url, "api_key": key, "proxy": "direct", "max_retries": "0"}
	maps.Copy(config, settings)
	client, err := tolmach.NewClient("openai", config)
	must(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

// onStage asks the scripted server.
func onStage(t testing.TB, settings tolmach.Config) *tolmach.Client {
	t.Helper()
	return newClient(t, environment(t, "TOLMACH_TEST_URL"), environment(t, "TOLMACH_TEST_KEY"), settings)
}

// onReal asks the real server.
func onReal(t testing.TB) *tolmach.Client {
	t.Helper()
	return newClient(t, environment(t, "TOLMACH_TEST_REAL_URL"), environment(t, "TOLMACH_TEST_REAL_KEY"), nil)
}

// onScript asks a server of the test's own, which answers a message by what script says.
func onScript(t testing.TB, script func(ctx context.Context, message string, say func(text string))) *tolmach.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Messages []struct{ Content string } }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		say := func(text string) {
			quoted, _ := json.Marshal(text)
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%s}}]}\n\n", quoted)
			w.(http.Flusher).Flush()
		}
		script(r.Context(), request.Messages[0].Content, say)
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(server.Close)
	return newClient(t, server.URL, "", nil)
}

// An event of an answer, as the protocol has it.
type object = map[string]any

func delta(fields object) object {
	return object{"choices": []any{object{"index": 0, "delta": fields}}}
}

func says(text string) object {
	return delta(object{"content": text})
}

func finish(reason string) object {
	return object{"choices": []any{object{"index": 0, "delta": object{}, "finish_reason": reason}}}
}

func calls(calls ...tolmach.ToolCall) object {
	var list []any
	for i, call := range calls {
		list = append(list, object{"index": i, "id": call.ID, "type": "function",
			"function": object{"name": call.Name, "arguments": call.Arguments}})
	}
	return delta(object{"tool_calls": list})
}

// onAnswers asks a server of the test's own, which answers one request after the other with those
// events, and gives what it was sent.
func onAnswers(t testing.TB, answers ...[]object) (*tolmach.Client, <-chan object) {
	t.Helper()
	sent := make(chan object, len(answers))
	var next atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request object
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
			return
		}
		number := int(next.Add(1)) - 1
		if number >= len(answers) {
			t.Errorf("request %d is one too many: %v", number+1, request)
			return
		}
		sent <- request
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Request-Id", fmt.Sprintf("req-%d", number+1))
		for _, event := range answers[number] {
			data, _ := json.Marshal(event)
			fmt.Fprintf(w, "data: %s\n\n", data)
		}
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	t.Cleanup(server.Close)
	return newClient(t, server.URL, "", nil), sent
}

// newRequest asks model one thing.
func newRequest(t testing.TB, model, message string) *tolmach.Request {
	t.Helper()
	request, err := tolmach.NewRequest(model)
	must(t, err)
	t.Cleanup(func() { request.Close() })
	must(t, request.Message(tolmach.User, message))
	return request
}

func open(t testing.TB, ctx context.Context, client *tolmach.Client, model, message string) *tolmach.Session {
	t.Helper()
	request := newRequest(t, model, message)
	session, err := client.Open(ctx, request)
	must(t, err)
	t.Cleanup(func() { session.Close() })
	return session
}

// answer is the text of a whole answer.
func answer(t testing.TB, client *tolmach.Client, model, message string) string {
	t.Helper()
	session := open(t, t.Context(), client, model, message)
	defer session.Close()
	answer, err := session.Answer()
	must(t, err)
	return answer.Text
}

// nextText is the next piece of text.
func nextText(t testing.TB, session *tolmach.Session) string {
	t.Helper()
	for {
		chunk, err := session.Next()
		must(t, err)
		if chunk.Kind == tolmach.ChunkText {
			return chunk.Text
		}
	}
}

// unique is a message that no other test sends, in this run or another.
func unique(t testing.TB) string {
	return t.Name() + " " + rand.Text()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantIs(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("%v is not %v", err, target)
		}
	}
}

// wantHas looks for parts in a text.
func wantHas(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q has no %q", text, part)
		}
	}
}

func want[T comparable](t testing.TB, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("got %v, want %v", got, wanted)
	}
}

// within waits for done, and fails where it takes too long.
func within(t testing.TB, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(long):
		t.Fatal("nothing came of it")
	}
}

// started runs work beside the test, and tells when it is done.
func started(work func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	return done
}

// await looks until it is so.
func await(t testing.TB, so func() bool) {
	t.Helper()
	for start := time.Now(); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > long {
			t.Fatal("it does not come about")
		}
	}
}
