package tolmach_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/tolmach/tolmach/bindings/go"
)

func TestModelsAreListed(t *testing.T) {
	t.Parallel()
	models, err := onStage(t, nil).Models(t.Context())
	must(t, err)
	want(t, len(models), 2)
	want(t, models[0].ID, "words")
	want(t, models[1].ID, "emoji")
	want(t, models[0].Owner, "stage")
	want(t, models[0].ContextLength, 4096)
	want(t, json.Valid([]byte(models[0].JSON)), true)
}

func TestModelsAreChunksOfASession(t *testing.T) {
	t.Parallel()
	session, err := onStage(t, nil).OpenModels(t.Context())
	must(t, err)
	defer session.Close()
	var models []string
	for chunk, err := range session.Chunks() {
		must(t, err)
		want(t, chunk.Kind, tolmach.ChunkModel)
		want(t, chunk.Index, len(models))
		models = append(models, chunk.ID)
	}
	want(t, strings.Join(models, " "), "words emoji")
}

func TestProvidersAreListed(t *testing.T) {
	t.Parallel()
	byName := map[string]tolmach.Provider{}
	for _, provider := range tolmach.Providers() {
		byName[provider.Name] = provider
	}
	openai := byName["openai"]
	want(t, openai.APIKeyEnv, "OPENAI_API_KEY")
	want(t, openai.BaseURL, "https://api.openai.com/v1")
	want(t, openai.Label != "" && openai.URL != "", true)
	want(t, openai.Capabilities.Has(tolmach.CanStream|tolmach.CanTools), true)
	want(t, tolmach.CanStream.Has(tolmach.CanStream|tolmach.CanTools), false)
}

func TestVersionIsThatOfTheLibrary(t *testing.T) {
	t.Parallel()
	want(t, strings.Count(tolmach.Version(), "."), 2)
}

// A place for log lines that any thread may write to.
type page struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (p *page) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines.Write(line)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines.String()
}

// Not beside other tests: the log is the process's.
func TestLogGoesToTheLogger(t *testing.T) {
	var page page
	options := &slog.HandlerOptions{Level: tolmach.LevelTrace}
	tolmach.SetLogger(slog.New(slog.NewTextHandler(&page, options)))
	defer tolmach.SetLogger(nil)
	want(t, answer(t, onStage(t, nil), "words", "hello"), "One two three.")
	if lines := page.String(); !strings.Contains(lines, "level=DEBUG msg=\"http: asking ") {
		t.Errorf("the log is %q", lines)
	} else if !regexp.MustCompile(`asking [^\n]* session=[1-9]`).MatchString(lines) {
		t.Errorf("no session is named: %q", lines)
	} else if strings.Contains(lines, environment(t, "TOLMACH_TEST_KEY")) {
		t.Errorf("the key is in the log: %s", lines)
	}

	tolmach.SetLogger(nil)
	want(t, answer(t, onStage(t, nil), "words", "hello"), "One two three.")
	want(t, strings.Count(page.String(), "asking "), 1)
}
