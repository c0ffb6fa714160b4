package tolmach

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
)

// A Tool is a function of the program that the model may call. [NewTool] makes one of a Go
// function.
type Tool struct {
	// Name is what the model calls it by: letters, digits, "_" and "-".
	Name string
	// Description tells the model when and how to use it.
	Description string
	// Schema is the JSON schema of its arguments, an object; empty for a tool without any.
	Schema json.RawMessage
	// Call gives the result for a call's arguments, as text or JSON. The text of an error is
	// the result as well: the model reads it. [Client.Run] may make several calls at once.
	Call func(ctx context.Context, arguments json.RawMessage) (string, error)

	// What is wrong with the type that the tool was made of.
	err error
}

// NewTool makes a tool of a function. A is the struct of its arguments, by the rules of
// [Schema], which arguments are checked by before call is called. A result that is a string is
// given to the model as it is, any other as JSON. Where A has no schema, it is [Request.Tool]
// that fails.
func NewTool[A, R any](name, description string, call func(ctx context.Context, arguments A) (R, error)) Tool {
	schema, err := schemaOf(reflect.TypeFor[A]())
	if err != nil {
		return Tool{Name: name, err: err}
	}
	return Tool{
		Name:        name,
		Description: description,
		Schema:      schema.json(),
		Call: func(ctx context.Context, data json.RawMessage) (string, error) {
			var arguments A
			if err := schema.decode(data, &arguments); err != nil {
				return "", fmt.Errorf("wrong arguments: %w", err)
			}
			result, err := call(ctx, arguments)
			if err != nil {
				return "", err
			}
			if text, ok := any(result).(string); ok {
				return text, nil
			}
			given, err := json.Marshal(result)
			return string(given), err
		},
	}
}

// Run goes on with the conversation until the model calls no more tools, and gives its last
// answer. It adds the tools to the request, asks, runs what the answer calls, each call in a
// goroutine of its own, appends the answer and the results, and asks again, up to maxRounds
// times in all. An unknown tool, arguments that do not fit and an error of a tool are results
// that the model is told of; a panic of a tool is a panic of Run.
//
// The request holds the conversation afterwards, with the last answer. Where Run fails, it holds
// every turn that is complete, so that Run can go on with it; the answer is what arrived of the
// last one, beside the error. [ErrRounds] says that the last round called tools as well, whose
// results are in the request. Nothing else may change the request meanwhile.
func (c *Client) Run(ctx context.Context, request *Request, tools []Tool, maxRounds int) (*Answer, error) {
	if maxRounds < 1 {
		return nil, misuse("there has to be at least one round")
	}
	if err := request.Tool(tools...); err != nil {
		return nil, err
	}
	byName := map[string]Tool{}
	for _, tool := range tools {
		byName[tool.Name] = tool
	}
	for round := 1; ; round++ {
		answer, calls, err := c.turn(ctx, request, byName)
		if err != nil || calls == 0 {
			return answer, err
		}
		if round == maxRounds {
			return answer, &AnswerError{Answer: answer, class: ErrRounds}
		}
	}
}

// turn asks once, appends the answer and what the tools give, and counts their calls. Where it
// fails, the request is as it was.
func (c *Client) turn(ctx context.Context, request *Request, tools map[string]Tool) (*Answer, int, error) {
	before, err := request.Count()
	if err != nil {
		return nil, 0, err
	}
	session, err := c.Open(ctx, request)
	if err != nil {
		return nil, 0, err
	}
	defer session.Close()
	answer, err := session.Answer()
	if err != nil {
		return answer, 0, err
	}
	// A call that is not complete is not in the reply, and cannot be answered.
	calls, err := session.ToolCalls()
	if err != nil {
		return answer, 0, err
	}
	if len(calls) == 0 && len(answer.ToolCalls) > 0 {
		reason := "the arguments of the tool call " + answer.ToolCalls[0].Name + " are not whole"
		return answer, 0, &AnswerError{Answer: answer, class: ErrFormat, reason: reason}
	}
	results := callAll(ctx, tools, calls)
	if ctx.Err() != nil && len(calls) > 0 {
		return answer, 0, cancelled(ctx, "the tools were cancelled")
	}
	if err = request.Reply(session); err == nil {
		for i, call := range calls {
			if err = request.ToolResult(call.ID, results[i]); err != nil {
				break
			}
		}
	}
	if err != nil {
		// The first failure is the one to tell.
		_ = request.Truncate(before)
	}
	return answer, len(calls), err
}

// callAll runs all calls at once, and gives their results in their order.
func callAll(ctx context.Context, tools map[string]Tool, calls []ToolCall) []string {
	results := make([]string, len(calls))
	panics := make([]any, len(calls))
	var all sync.WaitGroup
	for i, call := range calls {
		all.Add(1)
		go func() {
			defer all.Done()
			defer func() { panics[i] = recover() }()
			results[i] = tools[call.Name].result(ctx, call)
		}()
	}
	all.Wait()
	for _, reason := range panics {
		if reason != nil {
			panic(reason)
		}
	}
	return results
}

// result is what the model is told of a call.
func (t Tool) result(ctx context.Context, call ToolCall) string {
	if t.Call == nil {
		return "error: there is no tool " + call.Name
	}
	result, err := t.Call(ctx, call.arguments())
	if err != nil {
		return "error: " + err.Error()
	}
	return result
}
