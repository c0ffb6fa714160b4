package tolmach_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tolmach/tolmach/bindings/go"
)

// failure is the error that an answer ends with.
func failure(t testing.TB, client *tolmach.Client, model string) *tolmach.Error {
	t.Helper()
	_, err := open(t, t.Context(), client, model, unique(t)).Answer()
	return details(t, err)
}

func details(t testing.TB, err error) *tolmach.Error {
	t.Helper()
	var details *tolmach.Error
	if !errors.As(err, &details) {
		t.Fatalf("%v is no *tolmach.Error", err)
	}
	return details
}

func TestErrorsOfTheProviderHaveTheirClass(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	for model, status := range map[string]tolmach.Status{
		"status-400":     tolmach.ErrBadRequest,
		"status-401":     tolmach.ErrAuth,
		"status-402":     tolmach.ErrQuota,
		"quota":          tolmach.ErrQuota,
		"status-403":     tolmach.ErrAuth,
		"status-404":     tolmach.ErrNotFound,
		"unheard-of":     tolmach.ErrNotFound,
		"status-413":     tolmach.ErrBadRequest,
		"status-422":     tolmach.ErrBadRequest,
		"status-429":     tolmach.ErrRateLimited,
		"status-500":     tolmach.ErrServer,
		"status-503":     tolmach.ErrServer,
		"context-length": tolmach.ErrContextLength,
		"blocked":        tolmach.ErrBlocked,
		"fails":          tolmach.ErrProvider,
		"truncated":      tolmach.ErrTruncated,
		"html":           tolmach.ErrProtocol,
	} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			err := failure(t, client, model)
			wantIs(t, err, status)
			want(t, err.Status, status)
		})
	}
}

func TestErrorTellsWhatTheProviderSaid(t *testing.T) {
	t.Parallel()
	err := failure(t, onStage(t, nil), "status-429")
	want(t, err.HTTPStatus, 429)
	want(t, err.RetryAfter, 7*time.Second)
	want(t, err.ProviderCode, "code_429")
	want(t, err.RequestID, "req-42")
	for _, text := range []string{err.Message, err.Body, err.Error()} {
		if !strings.Contains(text, "Scripted 429") {
			t.Errorf("%q does not say what the provider said", text)
		}
	}
}

func TestErrorTellsNothingThatTheProviderDidNotSay(t *testing.T) {
	t.Parallel()
	err := failure(t, onStage(t, nil), "truncated")
	want(t, err.HTTPStatus, 0)
	want(t, err.RetryAfter < 0, true)
	want(t, err.ProviderCode+err.RequestID, "")
}

func TestWrongKeyIsRefusedAndNotTold(t *testing.T) {
	t.Parallel()
	key := "a-key-that-nobody-may-see"
	err := failure(t, newClient(t, environment(t, "TOLMACH_TEST_URL"), key, nil), "words")
	wantIs(t, err, tolmach.ErrAuth)
	want(t, err.HTTPStatus, 401)
	if told := fmt.Sprintf("%v %+v %#v", err, *err, err); strings.Contains(told, key) {
		t.Errorf("%s", told)
	}
}

func TestErrorsOfTheWayHaveTheirClass(t *testing.T) {
	t.Parallel()
	say := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", strings.Repeat("x", 1<<20))
	}
	plain := httptest.NewServer(http.HandlerFunc(say))
	t.Cleanup(plain.Close)
	stranger := httptest.NewUnstartedServer(http.HandlerFunc(say))
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	t.Cleanup(stranger.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nobody := "http://" + listener.Addr().String()
	must(t, listener.Close())
	for name, way := range map[string]struct {
		model    string
		settings tolmach.Config
		status   tolmach.Status
	}{
		"deadline":    {"silent", tolmach.Config{"first_byte_timeout_ms": "50"}, tolmach.ErrTimeout},
		"closed port": {"words", tolmach.Config{"base_url": nobody}, tolmach.ErrConnect},
		"no host":     {"words", tolmach.Config{"base_url": "http://nothing.invalid", "connect_timeout_ms": "60000"}, tolmach.ErrDNS},
		"unknown CA":  {"words", tolmach.Config{"base_url": stranger.URL}, tolmach.ErrTLS},
		"no TLS":      {"words", tolmach.Config{"base_url": "https" + strings.TrimPrefix(plain.URL, "http")}, tolmach.ErrTLS},
		"limit":       {"any", tolmach.Config{"base_url": plain.URL, "max_event_bytes": "1024"}, tolmach.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantIs(t, failure(t, onStage(t, way.settings), way.model), way.status)
		})
	}
}

func TestMistakesAreToldAsSuch(t *testing.T) {
	t.Parallel()
	newClient := func(provider string, config tolmach.Config) error {
		_, err := tolmach.NewClient(provider, config)
		return err
	}
	newRequest := func(model string) error {
		_, err := tolmach.NewRequest(model)
		return err
	}
	parse := func(data string) error {
		_, err := tolmach.ParseRequest([]byte(data))
		return err
	}
	request, err := tolmach.NewRequest("")
	must(t, err)
	for what, err := range map[string]error{
		"unknown provider":    newClient("nobody", nil),
		"NUL in a provider":   newClient("openai\x00", nil),
		"unknown key":         newClient("openai", tolmach.Config{"colour": "blue"}),
		"NUL in a key":        newClient("openai", tolmach.Config{"model\x00": "x"}),
		"wrong value":         newClient("openai", tolmach.Config{"max_retries": "many"}),
		"NUL in a value":      newClient("openai", tolmach.Config{"model": "x\x00"}),
		"NUL in a model":      newRequest("x\x00"),
		"bad model":           newRequest("\xff"),
		"bad JSON":            parse("{"),
		"empty JSON":          parse(""),
		"unknown role":        request.Message("ghost", "boo"),
		"bad input":           request.Input("\xff"),
		"NUL in a role":       request.Message("user\x00", "boo"),
		"bad text":            request.Message(tolmach.User, "\xff"),
		"nothing to attach":   request.Attach(nil, ""),
		"NUL in a type":       request.Attach([]byte("x"), "image/png\x00"),
		"no user message":     request.AttachURL("https://example.com/cat.png"),
		"NUL in a URL":        request.AttachURL("https://example.com/\x00"),
		"no call":             request.ToolResult("", "x"),
		"NUL in a call's id":  request.ToolResult("x\x00", "x"),
		"wrong type of field": request.Set("messages", 1),
		"NUL in a field":      request.Set("x\x00", 1),
	} {
		if !errors.Is(err, tolmach.ErrArgument) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := request.Set("x", func() {}); err == nil {
		t.Error("a function is no JSON")
	}
	data, err := request.MarshalJSON()
	must(t, err)
	if strings.Contains(string(data), "ghost") {
		t.Errorf("a call that failed left its mark: %s", data)
	}
}

func TestClassesAreAnOpenSet(t *testing.T) {
	t.Parallel()
	for _, status := range []tolmach.Status{tolmach.ErrInternal, tolmach.ErrNoMemory, tolmach.ErrBusy, tolmach.ErrUnsupported, -99} {
		err := fmt.Errorf("asking: %w", &tolmach.Error{Status: status, Message: "odd"})
		wantIs(t, err, status)
		want(t, errors.Is(err, tolmach.ErrServer), false)
		want(t, errors.Is(err, context.Canceled), false)
		var class tolmach.Status
		want(t, errors.As(err, &class), true)
		want(t, class, status)
		want(t, err.Error(), "asking: tolmach: odd")
	}
	want(t, tolmach.ErrInternal.Error(), "TOLMACH_E_INTERNAL")
	want(t, int32(tolmach.ErrNoMemory), -22)
	want(t, tolmach.Status(-99).Error(), "unknown status")
}
