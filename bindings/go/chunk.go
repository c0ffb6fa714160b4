package tolmach

// #include <tolmach.h>
import "C"

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"
)

// A ChunkKind says what a chunk carries. The set is open: skip the kinds you do not know.
type ChunkKind int32

const (
	// ChunkStart: the answer begins. Text: its id; Name: the model that answers.
	ChunkStart ChunkKind = C.TOLMACH_CHUNK_START
	// ChunkText: a piece of the answer's text.
	ChunkText ChunkKind = C.TOLMACH_CHUNK_TEXT
	// ChunkReasoning: a piece of the model's reasoning. Name: the field it came in.
	ChunkReasoning ChunkKind = C.TOLMACH_CHUNK_REASONING
	// ChunkRefusal: a piece of a refusal.
	ChunkRefusal ChunkKind = C.TOLMACH_CHUNK_REFUSAL
	// ChunkToolCall: a piece of a tool call. ID and Name on its first piece; Text: a piece of
	// its arguments. [Session.Answer] has it whole.
	ChunkToolCall ChunkKind = C.TOLMACH_CHUNK_TOOL_CALL
	// ChunkImage: an image in Bytes, or its URL in Text. Name: the prompt as it was revised.
	ChunkImage ChunkKind = C.TOLMACH_CHUNK_IMAGE
	// ChunkAudio: a piece of audio in Bytes. Text: its transcript.
	ChunkAudio ChunkKind = C.TOLMACH_CHUNK_AUDIO
	// ChunkSource: a source. Text: its URL; Name: its title.
	ChunkSource ChunkKind = C.TOLMACH_CHUNK_SOURCE
	// ChunkProgress: what the provider says it is doing, in Text.
	ChunkProgress ChunkKind = C.TOLMACH_CHUNK_PROGRESS
	// ChunkUsage: token counts, in Usage.
	ChunkUsage ChunkKind = C.TOLMACH_CHUNK_USAGE
	// ChunkFinish: the end of a choice. Text: stop, length, tool_calls, content_filter, or
	// another word of the provider's; Name: as the provider put it.
	ChunkFinish ChunkKind = C.TOLMACH_CHUNK_FINISH
	// ChunkRaw: with the config's raw_chunks alone, the undecoded event in Text.
	ChunkRaw ChunkKind = C.TOLMACH_CHUNK_RAW
	// ChunkState: opaque state of the provider's, as JSON in Text. The reply has it already.
	ChunkState ChunkKind = C.TOLMACH_CHUNK_STATE
	// ChunkLogprobs: how likely the tokens of the answer were, as JSON in Text.
	ChunkLogprobs ChunkKind = C.TOLMACH_CHUNK_LOGPROBS
	// ChunkModel: a model, of [Client.OpenModels]. ID: the name to ask for it by; Name: its owner;
	// Text: the provider's entry, as JSON; Index: its place; Capabilities; Usage.Total: how many
	// tokens fit its context, -1 when not said.
	ChunkModel ChunkKind = C.TOLMACH_CHUNK_MODEL
	// ChunkEmbedding: the numbers that stand for an input of [Request.Input], as [Chunk.Embedding].
	// Index: which input.
	ChunkEmbedding ChunkKind = C.TOLMACH_CHUNK_EMBEDDING
	// ChunkRetry: with [WithRetryChunks] alone, the request has failed and is tried again. Text: the
	// error; Index: the number of the attempt that follows; Name: the milliseconds until then.
	ChunkRetry ChunkKind = C.TOLMACH_CHUNK_RETRY
	// ChunkBody: a piece of the response to [Client.OpenRaw], in Bytes; pieces may end anywhere.
	// MIME: the response's Content-Type.
	ChunkBody ChunkKind = C.TOLMACH_CHUNK_BODY
)

var chunkKinds = map[ChunkKind]string{
	ChunkStart: "start", ChunkText: "text", ChunkReasoning: "reasoning", ChunkRefusal: "refusal",
	ChunkToolCall: "tool call", ChunkImage: "image", ChunkAudio: "audio", ChunkSource: "source",
	ChunkProgress: "progress", ChunkUsage: "usage", ChunkFinish: "finish", ChunkRaw: "raw",
	ChunkState: "state", ChunkLogprobs: "logprobs", ChunkModel: "model",
	ChunkEmbedding: "embedding", ChunkRetry: "retry", ChunkBody: "body",
}

// String is a word for the kind.
func (k ChunkKind) String() string {
	if name, ok := chunkKinds[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", int32(k))
}

// Usage counts tokens; -1 where the provider did not say.
type Usage struct {
	// Input is the prompt's, Output the answer's, Total both.
	Input, Output, Total int64
	// CachedInput is the part of Input from a cache, Reasoning the part of Output spent on it.
	CachedInput, Reasoning int64
	// CacheWrite is the part of Input written to a cache.
	CacheWrite int64
}

// A Chunk is one piece of an answer. It is a copy, and yours. The texts of chunks that arrived
// together share their memory: [strings.Clone] one that outlives the others by far.
type Chunk struct {
	// Kind says what it carries, and what the other fields mean.
	Kind ChunkKind
	// Choice is which of n answers it belongs to; Index which tool call, image, ... of that.
	Choice, Index int
	// Text is always in whole characters.
	Text string
	// ID of a tool call, or of a model.
	ID string
	// Name of what the kind says.
	Name string
	// MIME is the media type of Bytes.
	MIME string
	// Bytes of an image or audio; nil when there are none.
	Bytes []byte
	// Usage is told by a ChunkUsage.
	Usage Usage
	// Capabilities of a model.
	Capabilities Capabilities
}

// A batch is what one poll gave: chunks in C's memory, which lives until the next poll, and a copy
// of all their text, which theirs is cut from.
type batch struct {
	first unsafe.Pointer
	count int
	size  uintptr
	start uintptr
	text  string
}

func newBatch(given *C.tolmach_batch) batch {
	return batch{
		first: unsafe.Pointer(given.chunks),
		count: int(given.count),
		size:  uintptr(given.chunk_size),
		start: uintptr(unsafe.Pointer(given.memory.ptr)),
		text:  text(given.memory),
	}
}

func (b *batch) cut(given C.tolmach_str) string {
	if given.len == 0 {
		return ""
	}
	at := uintptr(unsafe.Pointer(given.ptr)) - b.start
	return b.text[at : at+uintptr(given.len)]
}

// next takes the first of the chunks, of which there has to be one, into an empty one. Most have
// nothing but a text, and this is done for each.
func (b *batch) next(chunk *Chunk) {
	given := (*C.tolmach_chunk)(b.first)
	b.count--
	if b.count > 0 {
		b.first = unsafe.Add(b.first, b.size)
	}
	chunk.Kind = ChunkKind(given.kind)
	chunk.Choice = int(given.choice)
	chunk.Index = int(given.index)
	if given.text.len > 0 {
		chunk.Text = b.cut(given.text)
	}
	if given.id.len > 0 {
		chunk.ID = b.cut(given.id)
	}
	if given.name.len > 0 {
		chunk.Name = b.cut(given.name)
	}
	if given.mime.len > 0 {
		chunk.MIME = b.cut(given.mime)
	}
	if given.bytes != nil {
		chunk.Bytes = bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(given.bytes)), given.bytes_len))
	}
	if chunk.Kind == ChunkUsage || chunk.Kind == ChunkModel {
		chunk.Capabilities = Capabilities(given.flags)
		chunk.Usage = Usage{
			Input:       int64(given.usage.input),
			Output:      int64(given.usage.output),
			Total:       int64(given.usage.total),
			CachedInput: int64(given.usage.cached_input),
			Reasoning:   int64(given.usage.reasoning),
			CacheWrite:  int64(given.usage.cache_write),
		}
	}
}

// Embedding is the numbers of a ChunkEmbedding.
func (c *Chunk) Embedding() []float32 {
	numbers := make([]float32, len(c.Bytes)/4)
	for i := range numbers {
		numbers[i] = math.Float32frombits(binary.LittleEndian.Uint32(c.Bytes[4*i:]))
	}
	return numbers
}
