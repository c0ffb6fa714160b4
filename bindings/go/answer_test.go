package tolmach_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/tolmach/tolmach/bindings/go"
)

func TestAskGivesTheWholeAnswer(t *testing.T) {
	t.Parallel()
	answer, err := onStage(t, nil).Ask(t.Context(), newRequest(t, "words", "hello"))
	must(t, err)
	want(t, answer.Text, "One two three.")
	want(t, answer.Reasoning, "Hm.")
	want(t, answer.FinishReason, "stop")
	want(t, answer.Usage.Total, 8)
}

func TestAnswerHasEverythingThatArrives(t *testing.T) {
	t.Parallel()
	sound := base64.StdEncoding.EncodeToString([]byte("sound"))
	logprobs := object{"content": []any{object{"token": "Hi", "logprob": -0.5}}}
	start := says("Hi")
	start["id"], start["model"] = "chatcmpl-7", "gpt-4o-mini"
	likely := object{"choices": []any{object{"index": 0, "delta": object{"content": "!"}, "logprobs": logprobs}}}
	client, _ := onAnswers(t, []object{
		start,
		likely,
		{"choices": []any{object{"index": 1, "delta": object{"content": "another choice"}}}},
		delta(object{"audio": object{"id": "audio_1", "data": sound, "transcript": "He"}}),
		delta(object{"audio": object{"data": sound, "transcript": "llo"}}),
		delta(object{"annotations": []any{object{"type": "url_citation",
			"url_citation": object{"url": "https://example.com/", "title": "Example"}}}}),
		delta(object{"images": []any{object{"image_url": object{"url": "https://example.com/cat.png"}}}}),
		delta(object{"refusal": "No."}),
		finish("stop"),
	})
	answer, err := client.Ask(t.Context(), newRequest(t, "any", "hello"))
	must(t, err)
	want(t, answer.ID, "chatcmpl-7")
	want(t, answer.Model, "gpt-4o-mini")
	want(t, answer.RequestID, "req-1")
	want(t, answer.Text, "Hi!")
	want(t, answer.Refusal, "No.")
	want(t, string(answer.Audio.Bytes), "soundsound")
	want(t, answer.Audio.Transcript, "Hello")
	want(t, slices.Equal(answer.Sources, []tolmach.Source{{URL: "https://example.com/", Title: "Example"}}), true)
	want(t, len(answer.Images), 1)
	want(t, answer.Images[0].URL, "https://example.com/cat.png")
	want(t, len(answer.Logprobs), 1)
	want(t, json.Valid(answer.Logprobs[0]), true)
	wantHas(t, string(answer.Logprobs[0]), `"logprob":-0.5`)
}

func TestAskThatFailsGivesWhatArrived(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	answer, err := client.Ask(t.Context(), newRequest(t, "truncated", "hello"))
	wantIs(t, err, tolmach.ErrTruncated)
	want(t, answer.Text, "first ")
	answer, err = client.Ask(t.Context(), newRequest(t, "status-429", "hello"))
	wantIs(t, err, tolmach.ErrRateLimited)
	want(t, answer.Text, "")
	want(t, answer.RequestID, "req-42")
}

func TestArgumentsOfACallAreDecoded(t *testing.T) {
	t.Parallel()
	var place struct{ City string }
	must(t, tolmach.ToolCall{Arguments: `{"city":"Oslo"}`}.Decode(&place))
	want(t, place.City, "Oslo")
	must(t, tolmach.ToolCall{}.Decode(&place))
	if err := (tolmach.ToolCall{Arguments: `{"city":`}).Decode(&place); err == nil {
		t.Error("a part of the arguments was decoded")
	}
}

func TestEmbeddingsAreNumbers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Input []string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		want(t, r.URL.Path, "/embeddings")
		want(t, slices.Equal(request.Input, []string{"one", "two"}), true)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"object":"list","model":"small","data":[{"index":0,"embedding":[0.5,-1]},`+
			`{"index":1,"embedding":[2,3.25]}],"usage":{"prompt_tokens":4,"total_tokens":4}}`)
	}))
	t.Cleanup(server.Close)
	request, err := tolmach.NewRequest("small")
	must(t, err)
	defer request.Close()
	must(t, request.Input("one"))
	must(t, request.Input("two"))
	wantIs(t, request.Message(tolmach.User, "three"), tolmach.ErrArgument)
	answer, err := newClient(t, server.URL, "", nil).Ask(t.Context(), request)
	must(t, err)
	want(t, len(answer.Embeddings), 2)
	want(t, slices.Equal(answer.Embeddings[0], []float32{0.5, -1}), true)
	want(t, slices.Equal(answer.Embeddings[1], []float32{2, 3.25}), true)
	want(t, answer.Usage.Input, 4)
}

func TestRetriesAreChunks(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(server.Close)
	client := newClient(t, server.URL, "", tolmach.Config{"max_retries": "1", "retry_chunks": "true"})
	session := open(t, t.Context(), client, "any", "hello")
	chunk, err := session.Next()
	must(t, err)
	want(t, chunk.Kind, tolmach.ChunkRetry)
	want(t, chunk.Index, 2)
	wantHas(t, chunk.Text, "503")
	want(t, chunk.Kind.String(), "retry")
	answer, err := session.Answer()
	must(t, err)
	want(t, answer.Text, "Hi")
}
