package tolmach_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tolmach/tolmach/bindings/go"
)

func TestInfoTellsOfChangesAndAttempts(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var request object
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Request-Id", "req-9")
		w.Header().Set("X-Said", "yes")
		w.Header().Set("X-RateLimit-Limit-Requests", "100")
		w.Header().Set("X-RateLimit-Remaining-Requests", "99")
		w.Header().Set("X-RateLimit-Reset-Requests", "1.5s")
		if request["temperature"] != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":{"message":"Unsupported parameter: 'temperature'","type":"invalid_request_error",`+
				`"param":"temperature","code":"unsupported_parameter"}}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"model\":\"any-2\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(server.Close)
	client := newClient(t, server.URL, "", tolmach.Config{"max_retries": "1"})
	request := newRequest(t, "any", "hello")
	must(t, request.Set("temperature", 0.5))
	session, err := client.Open(t.Context(), request)
	must(t, err)
	defer session.Close()
	_, err = session.Answer()
	must(t, err)
	info, err := session.Info()
	must(t, err)
	want(t, info.Attempts, 2)
	want(t, info.RequestID, "req-9")
	want(t, info.Model, "any-2")
	want(t, len(info.Changes), 1)
	want(t, info.Provider, "openai")
	want(t, info.HTTPStatus, 200)
	for _, reached := range []time.Duration{info.Sent, info.Headers, info.FirstChunk} {
		want(t, 0 <= reached && reached <= info.Ended, true)
	}
	want(t, info.TLSDone < 0, true)
	want(t, info.Requests, tolmach.RateLimit{Limit: 100, Remaining: 99, Reset: 1500 * time.Millisecond})
	want(t, info.Tokens, tolmach.RateLimit{Limit: -1, Remaining: -1, Reset: -1})
	header, found, err := session.Header("x-SAID")
	must(t, err)
	want(t, header, "yes")
	want(t, found, true)
	header, found, err = session.Header("X-Other")
	must(t, err)
	want(t, header, "")
	want(t, found, false)
	_, _, err = session.Header("x\x00")
	wantIs(t, err, tolmach.ErrArgument)
	want(t, info.Changes[0], tolmach.Change{Field: "temperature", Change: "left out"})
}

func TestTextAndCallsOfASessionGrow(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	session := open(t, t.Context(), client, "held", unique(t))
	want(t, nextText(t, session), "first ")
	said, err := session.Text()
	must(t, err)
	want(t, said, "first ")
	request := newRequest(t, "tools", "hello")
	must(t, request.Tool(weather()))
	session, err = client.Open(t.Context(), request)
	must(t, err)
	defer session.Close()
	calls, err := session.ToolCalls()
	must(t, err)
	want(t, len(calls), 0)
	answer, err := session.Answer()
	must(t, err)
	calls, err = session.ToolCalls()
	must(t, err)
	want(t, slices.Equal(calls, answer.ToolCalls), true)
	want(t, len(calls), 2)
}
