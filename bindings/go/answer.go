package tolmach

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// A ToolCall is what the model asks the program to do. [Request.ToolResult] answers it, and
// [Client.Run] does so by itself.
type ToolCall struct {
	// ID is what the result has to name.
	ID string
	// Name of the tool.
	Name string
	// Arguments for it, as JSON.
	Arguments string
}

// Decode reads the arguments into what into points to, as [json.Unmarshal] does. A call
// without arguments is read as {}.
func (c ToolCall) Decode(into any) error {
	return json.Unmarshal(c.arguments(), into)
}

func (c ToolCall) arguments() []byte {
	if strings.TrimSpace(c.Arguments) == "" {
		return []byte("{}")
	}
	return []byte(c.Arguments)
}

// An Image is one that the model made.
type Image struct {
	// MIME is the media type of Bytes.
	MIME string
	// Bytes of the image; nil where there is a URL instead.
	Bytes []byte
	// URL of the image; empty where there are bytes.
	URL string
	// Prompt as the provider revised it; empty when it did not.
	Prompt string
}

// Audio is a spoken answer, or a piece of it.
type Audio struct {
	// MIME is the media type of Bytes.
	MIME string
	// Bytes is the audio data; nil if the provider sent only a transcript.
	Bytes []byte
	// Transcript is what is said in it; empty when the provider did not say.
	Transcript string
}

// A Source is a page that the answer is based on.
type Source struct {
	// URL of the page, and its Title; empty when not said.
	URL, Title string
}

// An Answer is all chunks of a session put together, of the first choice where there are more.
type Answer struct {
	// ID of the answer, and the Model that answered, as the provider calls them; empty when
	// not said.
	ID, Model string
	// RequestID is what the provider's support asks for; empty when there was none.
	RequestID string
	// Text of the answer, the Reasoning before it, and the model's Refusal.
	Text, Reasoning, Refusal string
	// ToolCalls in their order.
	ToolCalls []ToolCall
	// Images in their order.
	Images []Image
	// Audio of the answer.
	Audio Audio
	// Sources in their order.
	Sources []Source
	// Logprobs say how likely the tokens were, where the request asks for it with "logprobs":
	// JSON as the provider put it, in the pieces that it came in.
	Logprobs []json.RawMessage
	// Embeddings of the inputs of [Request.Input], in their order.
	Embeddings [][]float32
	// FinishReason is stop, length, tool_calls, content_filter, or another word of the
	// provider's; empty when the answer has not finished.
	FinishReason string
	// Usage is the last that was reported.
	Usage Usage
}

// Ask sends the request and waits for the whole answer. Where it fails, the answer is what
// arrived before, beside the error; it is nil only where no session could be opened. When ctx
// is done, the request is cancelled at once. The request stays as it is: [Client.Run] also
// appends the answer to it.
func (c *Client) Ask(ctx context.Context, request *Request) (*Answer, error) {
	session, err := c.Open(ctx, request)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	return session.Answer()
}

// A gathering is an answer of which more is to come.
type gathering struct {
	answer                               Answer
	text, reasoning, refusal, transcript []byte
	calls                                []gatheredCall
}

type gatheredCall struct {
	index     int
	id, name  string
	arguments []byte
}

func newGathering() gathering {
	return gathering{answer: Answer{Usage: Usage{-1, -1, -1, -1, -1, -1}}}
}

func (g *gathering) add(chunk *Chunk) {
	if chunk.Kind == ChunkUsage {
		g.answer.Usage = chunk.Usage
	}
	if chunk.Choice != 0 {
		return
	}
	switch chunk.Kind {
	case ChunkStart:
		g.answer.ID, g.answer.Model = chunk.Text, chunk.Name
	case ChunkText:
		g.text = append(g.text, chunk.Text...)
	case ChunkReasoning:
		g.reasoning = append(g.reasoning, chunk.Text...)
	case ChunkRefusal:
		g.refusal = append(g.refusal, chunk.Text...)
	case ChunkToolCall:
		g.addCall(chunk)
	case ChunkImage:
		image := Image{MIME: chunk.MIME, Bytes: chunk.Bytes, URL: chunk.Text, Prompt: chunk.Name}
		g.answer.Images = append(g.answer.Images, image)
	case ChunkAudio:
		if chunk.MIME != "" {
			g.answer.Audio.MIME = chunk.MIME
		}
		g.answer.Audio.Bytes = append(g.answer.Audio.Bytes, chunk.Bytes...)
		g.transcript = append(g.transcript, chunk.Text...)
	case ChunkSource:
		g.answer.Sources = append(g.answer.Sources, Source{URL: chunk.Text, Title: chunk.Name})
	case ChunkEmbedding:
		g.answer.Embeddings = append(g.answer.Embeddings, chunk.Embedding())
	case ChunkLogprobs:
		g.answer.Logprobs = append(g.answer.Logprobs, json.RawMessage(chunk.Text))
	case ChunkFinish:
		g.answer.FinishReason = chunk.Text
	}
}

func (g *gathering) addCall(chunk *Chunk) {
	at := len(g.calls) - 1
	for at >= 0 && g.calls[at].index != chunk.Index {
		at--
	}
	if at < 0 {
		g.calls = append(g.calls, gatheredCall{index: chunk.Index})
		at = len(g.calls) - 1
	}
	call := &g.calls[at]
	if chunk.ID != "" {
		call.id = chunk.ID
	}
	if chunk.Name != "" {
		call.name = chunk.Name
	}
	call.arguments = append(call.arguments, chunk.Text...)
}

// whole is the answer so far; nothing in it is shared with what is to come.
func (g *gathering) whole() *Answer {
	answer := g.answer
	answer.Text, answer.Reasoning, answer.Refusal = string(g.text), string(g.reasoning), string(g.refusal)
	for _, call := range g.calls {
		answer.ToolCalls = append(answer.ToolCalls, ToolCall{call.id, call.name, string(call.arguments)})
	}
	answer.Images = slices.Clone(g.answer.Images)
	answer.Audio.Bytes = bytes.Clone(g.answer.Audio.Bytes)
	answer.Audio.Transcript = string(g.transcript)
	answer.Sources = slices.Clone(g.answer.Sources)
	answer.Embeddings = slices.Clone(g.answer.Embeddings)
	answer.Logprobs = slices.Clone(g.answer.Logprobs)
	return &answer
}
