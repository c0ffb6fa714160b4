package tolmach_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tolmach/tolmach/bindings/go"
)

// The PNG of one pixel that gpt-image-1 paints.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

func tool(name string) any {
	city := object{"type": "object", "properties": object{"city": object{"type": "string"}}}
	return []any{object{"type": "function", "function": object{"name": name, "parameters": city}}}
}

// goOn sends the conversation as it stands, and appends the answer.
func goOn(t *testing.T, client *tolmach.Client, request *tolmach.Request) *tolmach.Answer {
	t.Helper()
	session, err := client.Open(t.Context(), request)
	must(t, err)
	defer session.Close()
	answer, err := session.Answer()
	must(t, err)
	must(t, request.Reply(session))
	return answer
}

func TestConversationWithAToolGoesOn(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	request := newRequest(t, "weather", "What is the weather in Oslo?")
	must(t, request.Set("tools", tool("weather")))

	asked := goOn(t, client, request)
	want(t, asked.FinishReason, "tool_calls")
	want(t, len(asked.ToolCalls), 1)
	want(t, asked.ToolCalls[0], tolmach.ToolCall{ID: "call_1", Name: "weather", Arguments: `{"city":"Oslo"}`})

	// Whatever text there is comes through unharmed, both ways.
	result := "3 °C \x00 \"fine\"\n🌤 𝄞"
	must(t, request.ToolResult(asked.ToolCalls[0].ID, result))
	want(t, goOn(t, client, request).Text, "It is "+result+".")

	must(t, request.Message(tolmach.User, "Thank you."))
	want(t, goOn(t, client, request).Text, "After 4 messages.")
}

func TestConversationIsStoredAndReadAgain(t *testing.T) {
	t.Parallel()
	client := onStage(t, nil)
	request := newRequest(t, "weather", "What is the weather in Oslo?")
	must(t, request.Set("tools", tool("weather")))
	must(t, request.Set("temperature", 0.5))
	must(t, request.Set("temperature", nil))
	asked := goOn(t, client, request)

	stored, err := json.Marshal(request)
	must(t, err)
	if strings.Contains(string(stored), "temperature") {
		t.Errorf("a field that was removed is there: %s", stored)
	}
	again, err := tolmach.ParseRequest(stored)
	must(t, err)
	must(t, again.ToolResult(asked.ToolCalls[0].ID, "fine"))
	want(t, goOn(t, client, again).Text, "It is fine.")
}

func TestMessageOfNothingIsOne(t *testing.T) {
	t.Parallel()
	request := newRequest(t, "", "")
	stored, err := json.Marshal(request)
	must(t, err)
	if !strings.Contains(string(stored), `"content":""`) {
		t.Errorf("the request is %s", stored)
	}
}

func TestImagesGoIn(t *testing.T) {
	t.Parallel()
	data, err := base64.StdEncoding.DecodeString(pixel)
	must(t, err)
	sum := 0
	for _, value := range data {
		sum += int(value)
	}
	seen := fmt.Sprintf("image/png %d bytes, sum %d.", len(data), sum)
	request := newRequest(t, "look", "What is this?")
	must(t, request.Attach(data, ""))
	// Bytes may lie in memory that is full of pointers.
	file := &struct {
		name *string
		data [512]byte
	}{name: new(string)}
	must(t, request.Attach(file.data[:copy(file.data[:], data)], "image/png"))
	must(t, request.AttachURL("data:image/png;base64,"+pixel))
	want(t, goOn(t, onStage(t, nil), request).Text, seen+" "+seen+" "+seen)
}

func TestImagesComeOut(t *testing.T) {
	t.Parallel()
	data, err := base64.StdEncoding.DecodeString(pixel)
	must(t, err)
	session := open(t, t.Context(), onStage(t, nil), "gpt-image-1", "A pixel, please")
	for chunk, err := range session.Chunks() {
		must(t, err)
		if chunk.Kind == tolmach.ChunkImage {
			want(t, chunk.MIME, "image/png")
			want(t, string(chunk.Bytes), string(data))
		}
	}
	answer, err := session.Answer()
	must(t, err)
	want(t, len(answer.Images), 1)
	want(t, answer.Images[0].MIME, "image/png")
	want(t, string(answer.Images[0].Bytes), string(data))
}
