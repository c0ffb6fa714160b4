// Chat asks a model and prints its answer as it arrives; Ctrl-C ends it.
//
//	chat PROVIDER PROMPT [KEY=VALUE ...]
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/tolmach/tolmach/bindings/go"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: chat PROVIDER PROMPT [KEY=VALUE ...]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := chat(ctx, os.Args[1], os.Args[2], os.Args[3:])
	fmt.Println()
	switch {
	case errors.Is(err, context.Canceled):
		os.Exit(130) // as a shell says of a program that was interrupted
	case err != nil:
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func chat(ctx context.Context, provider, prompt string, settings []string) error {
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
