package tolmach_test

import (
	"testing"
	"time"

	"github.com/tolmach/tolmach/bindings/go"
)

func TestRealServerAnswers(t *testing.T) {
	t.Parallel()
	said := answer(t, onReal(t), "gpt-4o", "hello")
	want(t, said, "Hello from a server that nobody here wrote: Привет, 世界 👋!")
}

func TestRealServerCallsATool(t *testing.T) {
	t.Parallel()
	client := onReal(t)
	request := newRequest(t, "gpt-4o", "weather")
	must(t, request.Set("tools", tool("get_weather")))
	asked := goOn(t, client, request)
	want(t, len(asked.ToolCalls), 1)
	want(t, asked.ToolCalls[0].Name, "get_weather")
	want(t, asked.ToolCalls[0].Arguments, `{"city":"Oslo"}`)
	must(t, request.ToolResult(asked.ToolCalls[0].ID, "3 °C"))
	want(t, goOn(t, client, request).Text, "Three degrees in Oslo.")
}

func TestRealServerLimitsItsRate(t *testing.T) {
	t.Parallel()
	_, err := open(t, t.Context(), onReal(t), "gpt-4o", "too fast").Answer()
	wantIs(t, err, tolmach.ErrRateLimited)
	want(t, details(t, err).RetryAfter, 7*time.Second)
}

func TestRealServerCutsAnAnswer(t *testing.T) {
	t.Parallel()
	_, err := open(t, t.Context(), onReal(t), "gpt-4o", "cut me off").Answer()
	wantIs(t, err, tolmach.ErrTruncated)
}

func TestRealServerListsItsModels(t *testing.T) {
	t.Parallel()
	models, err := onReal(t).Models(t.Context())
	must(t, err)
	want(t, len(models) > 0, true)
}
