package tolmach_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/tolmach/tolmach/bindings/go"
)

type report struct {
	City    string   `json:"city"`
	Degrees float64  `json:"degrees"`
	Unit    string   `json:"unit" enum:"celsius,fahrenheit"`
	Notes   []string `json:"notes"`
}

func TestAnswerIsReadIntoAStruct(t *testing.T) {
	t.Parallel()
	client, sent := onAnswers(t, []object{
		says(`{"city":"Oslo","degrees":3.5,`), says(`"unit":"celsius","notes":["cold"]}`), finish("stop"),
	})
	value, answer, err := tolmach.AskFor[report](t.Context(), client, newRequest(t, "any", "hello"))
	must(t, err)
	want(t, value.City, "Oslo")
	want(t, value.Degrees, 3.5)
	want(t, len(value.Notes), 1)
	want(t, answer.FinishReason, "stop")
	schema, err := tolmach.Schema[report]()
	must(t, err)
	format := (<-sent)["response_format"].(object)
	want(t, format["type"], any("json_schema"))
	given := format["json_schema"].(object)
	want(t, given["strict"], any(true))
	data, err := json.Marshal(given["schema"])
	must(t, err)
	var wanted any
	must(t, json.Unmarshal(schema, &wanted))
	wantedData, err := json.Marshal(wanted)
	must(t, err)
	want(t, string(data), string(wantedData))
}

func TestOptionalFieldsAreNotStrict(t *testing.T) {
	t.Parallel()
	client, sent := onAnswers(t, []object{says(`{}`), finish("stop")})
	type loose struct {
		City string `json:"city,omitempty"`
	}
	_, _, err := tolmach.AskFor[loose](t.Context(), client, newRequest(t, "any", "hello"))
	must(t, err)
	want(t, (<-sent)["response_format"].(object)["json_schema"].(object)["strict"], any(false))
}

func TestAnswerThatDoesNotFitIsAnError(t *testing.T) {
	t.Parallel()
	for text, answer := range map[string][]object{
		`"There is no JSON."`:              {says(`There is no JSON.`), finish("stop")},
		"city is missing":                  {says(`{"degrees":3}`), finish("stop")},
		`unit is "kelvin"`:                 {says(`{"city":"Oslo","degrees":3,"unit":"kelvin","notes":[]}`), finish("stop")},
		"it ended with length":             {says(`{"city":"Os`), finish("length")},
		"the model refused: I will not.":   {delta(object{"refusal": "I will not."}), finish("stop")},
		"it is of type array, not object:": {says(`[]`), finish("stop")},
		"EOF":                              {says(` `), finish("stop")},
	} {
		client, _ := onAnswers(t, answer)
		_, got, err := tolmach.AskFor[report](t.Context(), client, newRequest(t, "any", "hello"))
		wantIs(t, err, tolmach.ErrFormat)
		var failure *tolmach.AnswerError
		if !errors.As(err, &failure) {
			t.Fatalf("%v is no *tolmach.AnswerError", err)
		}
		want(t, failure.Answer, got)
		wantHas(t, err.Error(), text)
	}
}

func TestWhatIsAskedForHasToBeAStruct(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	_, _, err := tolmach.AskFor[[]string](t.Context(), client, newRequest(t, "words", "hello"))
	wantIs(t, err, tolmach.ErrArgument)
	_, _, err = tolmach.AskFor[report](t.Context(), client, newRequest(t, "status-429", "hello"))
	wantIs(t, err, tolmach.ErrRateLimited)
}
