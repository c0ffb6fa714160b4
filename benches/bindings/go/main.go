// PROGRAM BASE_URL MODEL: reads an answer twice by the Go binding. Prints the CPU microseconds
// of the second reading, and its chunks.
package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"unicode/utf8"

	"github.com/tolmach/tolmach/bindings/go"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintf(os.Stderr, "usage: %s BASE_URL MODEL\n", os.Args[0])
		os.Exit(2)
	}
	client, err := tolmach.NewClient("openai", tolmach.Config{"base_url": os.Args[1]})
	if err == nil {
		err = measure(client, os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(client *tolmach.Client, model string) error {
	if _, err := read(client, model); err != nil {
		return err
	}
	begin := cpu()
	chunks, err := read(client, model)
	fmt.Println(cpu()-begin, chunks)
	return err
}

var characters int

func read(client *tolmach.Client, model string) (int, error) {
	request, err := tolmach.NewRequest(model)
	if err != nil {
		return 0, err
	}
	defer request.Close()
	if err := request.Message(tolmach.User, "Hello"); err != nil {
		return 0, err
	}
	session, err := client.Open(context.Background(), request)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	chunks := 0
	for chunk, err := range session.Chunks() {
		if err != nil {
			return 0, err
		}
		chunks++
		if chunk.Kind == tolmach.ChunkText {
			characters += utf8.RuneCountInString(chunk.Text)
		}
	}
	return chunks, nil
}

// cpu is what the process has used so far, in microseconds.
func cpu() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return (usage.Utime.Nano() + usage.Stime.Nano()) / 1000
}
