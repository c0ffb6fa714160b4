// Images asks a model for an image and writes it to a file.
//
//	images PROVIDER PROMPT FILE [KEY=VALUE ...]
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/tolmach/tolmach/bindings/go"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: images PROVIDER PROMPT FILE [KEY=VALUE ...]")
		os.Exit(2)
	}
	if err := paint(context.Background(), os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func paint(ctx context.Context, provider, prompt, file string, settings []string) error {
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
	answer, err := client.Ask(ctx, request)
	if err != nil {
		return err
	}
	if len(answer.Images) == 0 {
		return errors.New("the model made no image: " + answer.Text)
	}
	image := answer.Images[0]
	if image.URL != "" {
		fmt.Println("the image is at", image.URL)
		return nil
	}
	fmt.Printf("%s: %s, %d bytes\n", file, image.MIME, len(image.Bytes))
	return os.WriteFile(file, image.Bytes, 0o644)
}
