package tolmach

import (
	"context"
	"fmt"
	"reflect"
)

// AskFor asks for an answer that is a T, a struct, by the rules of [Schema]: it sets the
// request's "response_format", asks, checks the answer and reads it. An answer that is not a T,
// such as a refusal, is an [*AnswerError] of class [ErrFormat], which has it.
func AskFor[T any](ctx context.Context, client *Client, request *Request) (T, *Answer, error) {
	var value T
	schema, err := schemaOf(reflect.TypeFor[T]())
	if err != nil {
		return value, nil, err
	}
	format := map[string]any{"type": "json_schema", "json_schema": map[string]any{
		"name": "answer", "schema": schema.json(), "strict": schema.strict,
	}}
	if err := request.Set("response_format", format); err != nil {
		return value, nil, err
	}
	answer, err := client.Ask(ctx, request)
	if err != nil {
		return value, answer, err
	}
	err = schema.read(answer, &value)
	return value, answer, err
}

// read reads the value that an answer was asked to be.
func (s schema) read(answer *Answer, into any) error {
	wrong := &AnswerError{Answer: answer, class: ErrFormat}
	if answer.Refusal != "" {
		wrong.reason = "the model refused: " + answer.Refusal
		return wrong
	}
	err := s.decode([]byte(answer.Text), into)
	if err == nil {
		return nil
	}
	wrong.reason = err.Error()
	if answer.FinishReason != "stop" && answer.FinishReason != "" {
		wrong.reason += ", and it ended with " + answer.FinishReason
	}
	wrong.reason += fmt.Sprintf(": %.200q", answer.Text)
	return wrong
}
