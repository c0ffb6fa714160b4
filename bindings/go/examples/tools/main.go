// Tools lets a model call functions of this program, and prints its answer.
//
//	tools PROVIDER PROMPT [KEY=VALUE ...]
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/tolmach/tolmach/bindings/go"
)

// Place is the arguments of the tool: its fields and their tags are the schema that the model is
// given.
type Place struct {
	City string `json:"city" description:"its name in English"`
}

func weather(_ context.Context, place Place) (string, error) {
	degrees, known := map[string]int{"Oslo": 3, "Bergen": 5}[place.City]
	if !known {
		return "", fmt.Errorf("nothing is known of %s", place.City) // the model reads this
	}
	return fmt.Sprintf("%d °C", degrees), nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: tools PROVIDER PROMPT [KEY=VALUE ...]")
		os.Exit(2)
	}
	text, err := ask(context.Background(), os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
	fmt.Println(text)
}

func ask(ctx context.Context, provider, prompt string, settings []string) (string, error) {
	config := tolmach.Config{}
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		config[key] = value
	}
	client, err := tolmach.NewClient(provider, config)
	if err != nil {
		return "", err
	}
	defer client.Close()
	request, err := tolmach.NewRequest("")
	if err != nil {
		return "", err
	}
	defer request.Close()
	if err := request.Message(tolmach.User, prompt); err != nil {
		return "", err
	}
	tools := []tolmach.Tool{tolmach.NewTool("weather", "The weather in a city now", weather)}
	answer, err := client.Run(ctx, request, tools, 5)
	if err != nil {
		return "", err
	}
	return answer.Text, nil
}
