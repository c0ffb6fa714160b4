package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
)

// The test's own program is the example where it is told so.
func TestMain(m *testing.M) {
	if os.Getenv("CHAT") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func program(t *testing.T, model, prompt string) *exec.Cmd {
	t.Helper()
	url, key := os.Getenv("TOLMACH_TEST_URL"), os.Getenv("TOLMACH_TEST_KEY")
	if url == "" {
		t.Fatal("TOLMACH_TEST_URL is not set: run test.sh")
	}
	command := exec.Command(os.Args[0], "openai", prompt,
		"base_url="+url, "api_key="+key, "proxy=direct", "model="+model, "max_retries=0")
	command.Env = append(os.Environ(), "CHAT=1")
	return command
}

func TestAnswerIsPrinted(t *testing.T) {
	said, err := program(t, "words", "hello").Output()
	if err != nil || string(said) != "One two three.\n" {
		t.Errorf("said %q: %v", said, err)
	}
}

func TestErrorIsTold(t *testing.T) {
	var told bytes.Buffer
	command := program(t, "status-429", "hello")
	command.Stderr = &told
	var ended *exec.ExitError
	if err := command.Run(); !errors.As(err, &ended) || ended.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	if !bytes.Contains(told.Bytes(), []byte("Scripted 429")) {
		t.Errorf("told %q", told.String())
	}
}

func TestInterruptEndsIt(t *testing.T) {
	prompt := t.Name() + rand.Text()
	command := program(t, "held", prompt)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(output)
	if first, err := said.ReadString(' '); err != nil || first != "first " {
		t.Errorf("said %q: %v", first, err)
	}
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, said); err != nil {
		t.Error(err)
	}
	var ended *exec.ExitError
	if err := command.Wait(); !errors.As(err, &ended) || ended.ExitCode() != 130 {
		t.Errorf("it ended with %v", err)
	}
	if closed, err := program(t, "was-closed", prompt).Output(); err != nil || string(closed) != "closed\n" {
		t.Errorf("said %q: %v", closed, err)
	}
}
