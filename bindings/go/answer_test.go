package tolmach_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
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
