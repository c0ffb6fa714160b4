package tolmach_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

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
	want(t, info.Changes[0], tolmach.Change{Field: "temperature", Change: "left out"})
}
