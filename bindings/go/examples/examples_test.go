// Package examples tests the programs in its folders; chat has tests of its own.
package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The folder that all examples are built in, once.
var built = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "tolmach-examples-")
	if err != nil {
		return "", err
	}
	output, err := exec.Command("go", "build", "-o", folder, "./...").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, output)
	}
	return folder, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder, _ := built(); folder != "" {
		os.RemoveAll(folder)
	}
	os.Exit(code)
}

// program runs an example against the scripted server; further arguments are its settings.
func program(t *testing.T, name, model string, arguments ...string) *exec.Cmd {
	t.Helper()
	url, key := os.Getenv("TOLMACH_TEST_URL"), os.Getenv("TOLMACH_TEST_KEY")
	if url == "" {
		t.Fatal("TOLMACH_TEST_URL is not set: run test.sh")
	}
	folder, err := built()
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string{"openai", t.Name()}, arguments...)
	all = append(all, "base_url="+url, "api_key="+key, "proxy=direct", "model="+model, "max_retries=0")
	return exec.Command(filepath.Join(folder, name), all...)
}

func TestToolsAreCalled(t *testing.T) {
	said, err := program(t, "tools", "tools").Output()
	if err != nil || string(said) != "Oslo: 3 °C, Bergen: 5 °C.\n" {
		t.Errorf("said %q: %v", said, err)
	}
}

func TestImageIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.png")
	said, err := program(t, "images", "gpt-image-1", file).Output()
	if err != nil || !bytes.HasSuffix(said, []byte("image.png: image/png, 70 bytes\n")) {
		t.Errorf("said %q: %v", said, err)
	}
	data, err := os.ReadFile(file)
	if err != nil || !bytes.HasPrefix(data, []byte("\x89PNG")) {
		t.Errorf("wrote %q: %v", data, err)
	}
	said, err = program(t, "images", "words", file).CombinedOutput()
	if err == nil || !bytes.Contains(said, []byte("no image: One two three.")) {
		t.Errorf("said %q: %v", said, err)
	}
}

func TestEnterCancels(t *testing.T) {
	command := program(t, "cancel", "held")
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len("first "))
	if _, err := io.ReadFull(output, first); err != nil {
		t.Errorf("said %q: %v", first, err)
	}
	if _, err := io.WriteString(input, "\n"); err != nil {
		t.Error(err)
	}
	rest, err := io.ReadAll(output)
	if err != nil || string(rest) != "\nstopped\n" {
		t.Errorf("said %q: %v", rest, err)
	}
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
	if closed, err := program(t, "tools", "was-closed").Output(); err != nil || string(closed) != "closed\n" {
		t.Errorf("said %q: %v", closed, err)
	}
}

func TestAnswerIsAStruct(t *testing.T) {
	recipe := `{"name":"Soup","minutes":20,"level":"easy","steps":["Boil.","Stir."]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Model  string
			Format struct {
				Schema struct {
					Schema json.RawMessage
				} `json:"json_schema"`
			} `json:"response_format"`
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		said := "I would rather not."
		if request.Model == "cook" && strings.Contains(string(request.Format.Schema.Schema), `"from start to table"`) {
			said = recipe
		}
		content, _ := json.Marshal(said)
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%s}}]}\n\n", content)
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	defer server.Close()
	ask := func(model string) *exec.Cmd {
		command := program(t, "structured", model)
		command.Args = append(command.Args, "base_url="+server.URL)
		return command
	}
	said, err := ask("cook").Output()
	if err != nil || string(said) != "Soup, 20 minutes, easy\n1. Boil.\n2. Stir.\n" {
		t.Errorf("said %q: %v", said, err)
	}
	said, err = ask("poet").CombinedOutput()
	if err == nil || !strings.Contains(string(said), "something else: I would rather not.") {
		t.Errorf("said %q: %v", said, err)
	}
}
