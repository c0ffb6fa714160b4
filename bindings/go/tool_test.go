package tolmach_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/tolmach/tolmach/bindings/go"
)

type place struct {
	City string `json:"city" description:"its name in English"`
}

func weather() tolmach.Tool {
	return tolmach.NewTool("weather", "The weather at a place", func(_ context.Context, where place) (string, error) {
		return map[string]string{"Oslo": "3 °C", "Bergen": "5 °C"}[where.City], nil
	})
}

// roles of the messages of a request.
func roles(t testing.TB, request *tolmach.Request) string {
	t.Helper()
	data, err := json.Marshal(request)
	must(t, err)
	var given struct{ Messages []struct{ Role string } }
	must(t, json.Unmarshal(data, &given))
	var roles []string
	for _, message := range given.Messages {
		roles = append(roles, message.Role)
	}
	return strings.Join(roles, " ")
}

func TestRunCallsToolsUntilTheAnswer(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"weather", "tools"} {
		request := newRequest(t, model, "How warm is it?")
		answer, err := onStage(t, nil).Run(t.Context(), request, []tolmach.Tool{weather()}, 2)
		must(t, err)
		if model == "weather" {
			want(t, answer.Text, "It is 3 °C.")
			want(t, roles(t, request), "user assistant tool assistant")
		} else {
			want(t, answer.Text, "Oslo: 3 °C, Bergen: 5 °C.")
			want(t, roles(t, request), "user assistant tool tool assistant")
		}
	}
}

func TestRunWithoutToolsIsATurn(t *testing.T) {
	t.Parallel()
	request := newRequest(t, "words", "hello")
	answer, err := onStage(t, nil).Run(t.Context(), request, nil, 1)
	must(t, err)
	want(t, answer.Text, "One two three.")
	want(t, roles(t, request), "user assistant")
}

func TestModelIsToldWhatIsWrongWithItsCalls(t *testing.T) {
	t.Parallel()
	client, sent := onAnswers(t, []object{
		calls(tolmach.ToolCall{ID: "1", Name: "weather", Arguments: `{"city":7}`},
			tolmach.ToolCall{ID: "2", Name: "climate", Arguments: `{}`},
			tolmach.ToolCall{ID: "3", Name: "fails", Arguments: ``},
			tolmach.ToolCall{ID: "4", Name: "weather", Arguments: `{"city":"Oslo"}`},
			tolmach.ToolCall{ID: "5", Name: "numbers", Arguments: `{}`},
			tolmach.ToolCall{ID: "6", Name: "by_hand", Arguments: `{"x":1}`}),
		finish("tool_calls"),
	}, []object{says("Well."), finish("stop")})
	tools := []tolmach.Tool{
		weather(),
		tolmach.NewTool("fails", "", func(context.Context, struct{}) (string, error) { return "", errors.New("out of order") }),
		tolmach.NewTool("numbers", "", func(context.Context, struct{}) ([]int, error) { return []int{1, 2}, nil }),
		{Name: "by_hand", Call: func(_ context.Context, arguments json.RawMessage) (string, error) {
			return string(arguments), nil
		}},
	}
	answer, err := client.Run(t.Context(), newRequest(t, "any", "hello"), tools, 5)
	must(t, err)
	want(t, answer.Text, "Well.")

	first, _ := json.Marshal((<-sent)["tools"])
	wantHas(t, string(first), `"description":"The weather at a place"`, `"its name in English"`, `"name":"by_hand"`)
	messages := (<-sent)["messages"].([]any)
	want(t, len(messages), 8)
	for i, text := range []string{
		"error: wrong arguments: city is of type integer, not string",
		"error: there is no tool climate",
		"error: out of order",
		"3 °C",
		"[1,2]",
		`{"x":1}`,
	} {
		result := messages[i+2].(object)
		want(t, result["role"], any("tool"))
		want(t, result["tool_call_id"], any(string(rune('1'+i))))
		want(t, result["content"], any(text))
	}
}

func TestRunEndsAfterItsRounds(t *testing.T) {
	t.Parallel()
	again := []object{calls(tolmach.ToolCall{ID: "1", Name: "weather", Arguments: `{"city":"Oslo"}`}), finish("tool_calls")}
	client, _ := onAnswers(t, again, again, []object{says("At last."), finish("stop")})
	request := newRequest(t, "any", "hello")
	answer, err := client.Run(t.Context(), request, []tolmach.Tool{weather()}, 2)
	wantIs(t, err, tolmach.ErrRounds)
	var failure *tolmach.AnswerError
	want(t, errors.As(err, &failure), true)
	want(t, failure.Answer, answer)
	want(t, len(answer.ToolCalls), 1)
	want(t, errors.Is(err, tolmach.ErrFormat), false)
	// The request can be sent as it is.
	want(t, roles(t, request), "user assistant tool assistant tool")
	answer, err = client.Run(t.Context(), request, []tolmach.Tool{weather()}, 1)
	must(t, err)
	want(t, answer.Text, "At last.")

	_, err = client.Run(t.Context(), request, nil, 0)
	wantIs(t, err, tolmach.ErrArgument)
}

func TestCallsOfAnAnswerRunAtOnce(t *testing.T) {
	t.Parallel()
	var both sync.WaitGroup
	both.Add(2)
	meet := tolmach.NewTool("weather", "", func(_ context.Context, where place) (string, error) {
		both.Done()
		within(t, started(both.Wait))
		return where.City, nil
	})
	answer, err := onStage(t, nil).Run(t.Context(), newRequest(t, "tools", "hello"), []tolmach.Tool{meet}, 2)
	must(t, err)
	want(t, answer.Text, "Oslo: Oslo, Bergen: Bergen.")
}

func TestFailedTurnLeavesTheRequestAsItWas(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	request := newRequest(t, "weather", "hello")
	ctx, cancel := context.WithCancel(t.Context())
	stop := tolmach.NewTool("weather", "", func(ctx context.Context, _ place) (string, error) {
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	})
	_, err := client.Run(ctx, request, []tolmach.Tool{stop}, 5)
	wantIs(t, err, context.Canceled, tolmach.ErrCancelled)
	want(t, roles(t, request), "user")
	answer, err := client.Run(t.Context(), request, []tolmach.Tool{weather()}, 5)
	must(t, err)
	want(t, answer.Text, "It is 3 °C.")

	request = newRequest(t, "truncated", "hello")
	answer, err = client.Run(t.Context(), request, nil, 5)
	wantIs(t, err, tolmach.ErrTruncated)
	want(t, answer.Text, "first ")
	want(t, roles(t, request), "user")
}

func TestPanicOfAToolIsOneOfRun(t *testing.T) {
	t.Parallel()
	request := newRequest(t, "weather", "hello")
	breaks := tolmach.NewTool("weather", "", func(context.Context, place) (string, error) { panic("broken") })
	defer func() {
		want(t, recover(), any("broken"))
		want(t, roles(t, request), "user")
	}()
	_, err := onStage(t, nil).Run(t.Context(), request, []tolmach.Tool{breaks}, 5)
	t.Errorf("there was no panic, but %v", err)
}

func TestCallThatIsNotWholeIsAnError(t *testing.T) {
	t.Parallel()
	client, _ := onAnswers(t, []object{
		calls(tolmach.ToolCall{ID: "1", Name: "weather", Arguments: `{"city":`}), finish("length"),
	})
	request := newRequest(t, "any", "hello")
	answer, err := client.Run(t.Context(), request, []tolmach.Tool{weather()}, 5)
	wantIs(t, err, tolmach.ErrFormat)
	want(t, answer.FinishReason, "length")
	want(t, roles(t, request), "user")
}

func TestWrongToolIsRefused(t *testing.T) {
	t.Parallel()
	request := newRequest(t, "any", "hello")
	for _, tool := range []tolmach.Tool{
		{}, {Name: "a b"}, {Name: "x\x00"}, {Name: "x", Description: "\x00"}, {Name: "x", Schema: json.RawMessage("[]")},
		tolmach.NewTool("x", "", func(context.Context, int) (string, error) { return "", nil }),
	} {
		wantIs(t, request.Tool(tool), tolmach.ErrArgument)
		_, err := onStage(t, nil).Run(t.Context(), request, []tolmach.Tool{tool}, 1)
		wantIs(t, err, tolmach.ErrArgument)
	}
	data, err := json.Marshal(request)
	must(t, err)
	want(t, strings.Contains(string(data), "tools"), false)
}

func TestTurnIsUndone(t *testing.T) {
	t.Parallel()
	request := newRequest(t, "any", "one")
	must(t, request.Message(tolmach.User, "two"))
	copied, err := request.Clone()
	must(t, err)
	must(t, request.Truncate(1))
	must(t, request.Truncate(7))
	count, err := request.Count()
	must(t, err)
	want(t, count, 1)
	count, err = copied.Count()
	must(t, err)
	want(t, count, 2)
	wantIs(t, request.Truncate(-1), tolmach.ErrArgument)
	must(t, request.SetString("tool_choice", `"auto"`))
	data, err := json.Marshal(request)
	must(t, err)
	wantHas(t, string(data), `"tool_choice":"\"auto\""`)
	wantIs(t, request.SetString("x\x00", ""), tolmach.ErrArgument)
}
