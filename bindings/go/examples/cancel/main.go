// Cancel prints an answer as it arrives, until somebody presses Enter or the time is over.
//
//	cancel PROVIDER PROMPT [KEY=VALUE ...]
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tolmach/tolmach/bindings/go"
)

var errEnter = errors.New("Enter was pressed")

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: cancel PROVIDER PROMPT [KEY=VALUE ...]")
		os.Exit(2)
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err == nil {
			cancel(errEnter)
		}
	}()
	err := ask(ctx, os.Args[1], os.Args[2], os.Args[3:])
	fmt.Println()
	switch {
	case errors.Is(err, errEnter):
		fmt.Println("stopped")
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("that takes too long")
	case err != nil:
		fmt.Fprintln(os.Stderr, "cancel:", err)
		os.Exit(1)
	}
}

func ask(ctx context.Context, provider, prompt string, settings []string) error {
	config := tolmach.Config{}
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		config[key] = value
	}
	client, err := tolmach.NewClient(provider, config)
	if err != nil {
		return err
	}
	defer client.Close()
	request, err := tolmach.NewRequest("")
	if err != nil {
		return err
	}
	defer request.Close()
	if err := request.Message(tolmach.User, prompt); err != nil {
		return err
	}
	// The end of the context closes the connection, so that the provider stops as well.
	session, err := client.Open(ctx, request)
	if err != nil {
		return err
	}
	defer session.Close()
	for chunk, err := range session.Chunks() {
		if err != nil {
			return err
		}
		if chunk.Kind == tolmach.ChunkText {
			fmt.Print(chunk.Text)
		}
	}
	return nil
}
