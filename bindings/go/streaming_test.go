package tolmach_test

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/tolmach/tolmach/bindings/go"
)

func TestPieceIsInHandBeforeTheNextIsSent(t *testing.T) {
	t.Parallel()
	client, message := onStage(t, nil), unique(t)
	session := open(t, t.Context(), client, "gated", message)
	want(t, nextText(t, session), "first ")
	want(t, answer(t, client, "open", message), "opened")
	want(t, nextText(t, session), "second")
	answer, err := session.Answer()
	must(t, err)
	want(t, answer.Text, "first second")
}

func TestChunksSayWhatTheyCarry(t *testing.T) {
	t.Parallel()
	session := open(t, t.Context(), onStage(t, nil), "words", "hello")
	texts := map[tolmach.ChunkKind]string{}
	var usage tolmach.Usage
	for chunk, err := range session.Chunks() {
		must(t, err)
		texts[chunk.Kind] += chunk.Text
		if chunk.Kind == tolmach.ChunkUsage {
			usage = chunk.Usage
		}
	}
	want(t, texts[tolmach.ChunkReasoning], "Hm.")
	want(t, texts[tolmach.ChunkText], "One two three.")
	want(t, texts[tolmach.ChunkFinish], "stop")
	want(t, usage, tolmach.Usage{Input: 3, Output: 5, Total: 8, CachedInput: -1, Reasoning: -1, CacheWrite: -1})
	want(t, tolmach.ChunkToolCall.String(), "tool call")
	want(t, tolmach.ChunkKind(14), tolmach.ChunkLogprobs)
	want(t, tolmach.ChunkLogprobs.String(), "logprobs")
	want(t, tolmach.ChunkKind(99).String(), "kind 99")
}

func TestUsageHasEveryCount(t *testing.T) {
	t.Parallel()
	answer, err := open(t, t.Context(), onStage(t, nil), "counted", "hello").Answer()
	must(t, err)
	want(t, answer.Usage, tolmach.Usage{
		Input: 9, Output: 5, Total: 14, CachedInput: 4, Reasoning: 2, CacheWrite: 3,
	})
}

func TestUnknownCountsAreMinusOne(t *testing.T) {
	t.Parallel()
	answer, err := open(t, t.Context(), onStage(t, nil), "emoji", "hello").Answer()
	must(t, err)
	want(t, answer.Usage, tolmach.Usage{
		Input: -1, Output: -1, Total: -1, CachedInput: -1, Reasoning: -1, CacheWrite: -1,
	})
}

func TestAnswerIsAllChunksTogether(t *testing.T) {
	t.Parallel()
	session := open(t, t.Context(), onStage(t, nil), "words", "hello")
	want(t, nextText(t, session), "One ")
	for range 2 {
		answer, err := session.Answer()
		must(t, err)
		want(t, answer.Reasoning, "Hm.")
		want(t, answer.Text, "One two three.")
		want(t, answer.FinishReason, "stop")
		want(t, answer.Usage.Total, 8)
	}
	reply, err := session.Reply()
	must(t, err)
	if !strings.Contains(reply, `"One two three."`) || !strings.Contains(reply, `"assistant"`) {
		t.Errorf("the reply is %s", reply)
	}
}

func TestNextGivesEOFForEver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	session := open(t, ctx, onStage(t, nil), "words", "hello")
	_, err := session.Answer()
	must(t, err)
	for range 2 {
		_, err := session.Next()
		want(t, err, io.EOF)
		// An answer that has ended has ended well, whatever comes of its context.
		cancel()
	}
	for range session.Chunks() {
		t.Error("there is a chunk after the last one")
	}
}

func TestCharactersArriveWhole(t *testing.T) {
	t.Parallel()
	session := open(t, t.Context(), onStage(t, nil), "emoji", "hello")
	var said strings.Builder
	for chunk, err := range session.Chunks() {
		must(t, err)
		if !utf8.ValidString(chunk.Text) {
			t.Errorf("%q is not valid UTF-8", chunk.Text)
		}
		if chunk.Kind == tolmach.ChunkText {
			said.WriteString(chunk.Text)
		}
	}
	want(t, said.String(), "Привет, 世界 👋 👩‍👩‍👧 ok")
}

func TestTwentyThousandPiecesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	// What waits for the program is held back: the server has to wait as well.
	session := open(t, t.Context(), onStage(t, tolmach.Config{"queue_bytes": "4096"}), "many", "hello")
	number := 0
	for chunk, err := range session.Chunks() {
		must(t, err)
		if chunk.Kind != tolmach.ChunkText {
			continue
		}
		for _, piece := range strings.Fields(chunk.Text) {
			want(t, piece, strconv.Itoa(number))
			number++
		}
	}
	want(t, number, 20_000)
}

func TestGoroutinesShareASession(t *testing.T) {
	t.Parallel()
	session := open(t, t.Context(), onStage(t, nil), "many", "hello")
	var mu sync.Mutex
	var readers sync.WaitGroup
	seen := map[string]int{}
	for range 4 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for chunk, err := range session.Chunks() {
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, piece := range strings.Fields(chunk.Text) {
					seen[piece]++
				}
				mu.Unlock()
			}
		}()
	}
	readers.Wait()
	for number := range 20_000 {
		want(t, seen[strconv.Itoa(number)], 1)
	}
}

// Every piece is sent once the one before it has been received, so that each is waited for:
// one wake-up too few, and the test hangs.
func TestNoWakeUpIsLost(t *testing.T) {
	t.Parallel()
	const sessions, rounds = 8, 500
	var turns [sessions]chan struct{}
	for number := range turns {
		turns[number] = make(chan struct{})
	}
	client := onScript(t, func(ctx context.Context, message string, say func(string)) {
		number, _ := strconv.Atoi(message)
		for round := range rounds {
			say(fmt.Sprintf("%d ", round))
			select {
			case <-turns[number]:
			case <-ctx.Done():
				return
			}
		}
	})
	var readers sync.WaitGroup
	for number, turn := range turns {
		session := open(t, t.Context(), client, "any", strconv.Itoa(number))
		readers.Add(1)
		go func() {
			defer readers.Done()
			round := 0
			for chunk, err := range session.Chunks() {
				if err != nil {
					t.Error(err)
					return
				}
				if chunk.Kind == tolmach.ChunkText {
					want(t, chunk.Text, fmt.Sprintf("%d ", round))
					round++
					turn <- struct{}{}
				}
			}
			want(t, round, rounds)
		}()
	}
	readers.Wait()
}
