// Structured asks for an answer that is a Go struct.
//
//	structured PROVIDER PROMPT [KEY=VALUE ...]
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/tolmach/tolmach/bindings/go"
)

// Recipe is what the answer has to be.
type Recipe struct {
	Name    string   `json:"name"`
	Minutes int      `json:"minutes" description:"from start to table"`
	Level   string   `json:"level" enum:"easy,medium,hard"`
	Steps   []string `json:"steps"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: structured PROVIDER PROMPT [KEY=VALUE ...]")
		os.Exit(2)
	}
	recipe, err := ask(context.Background(), os.Args[1], os.Args[2], os.Args[3:])
	var wrong *tolmach.AnswerError
	if errors.As(err, &wrong) {
		fmt.Fprintln(os.Stderr, "structured: the model said something else:", wrong.Answer.Text)
		os.Exit(1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "structured:", err)
		os.Exit(1)
	}
	fmt.Printf("%s, %d minutes, %s\n", recipe.Name, recipe.Minutes, recipe.Level)
	for i, step := range recipe.Steps {
		fmt.Printf("%d. %s\n", i+1, step)
	}
}

func ask(ctx context.Context, provider, prompt string, settings []string) (Recipe, error) {
	config := tolmach.Config{}
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		config[key] = value
	}
	client, err := tolmach.NewClient(provider, config)
	if err != nil {
		return Recipe{}, err
	}
	defer client.Close()
	request, err := tolmach.NewRequest("")
	if err != nil {
		return Recipe{}, err
	}
	defer request.Close()
	if err := request.Message(tolmach.User, prompt); err != nil {
		return Recipe{}, err
	}
	recipe, _, err := tolmach.AskFor[Recipe](ctx, client, request)
	return recipe, err
}
