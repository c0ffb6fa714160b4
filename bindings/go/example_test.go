package tolmach_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tolmach/tolmach/bindings/go"
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client, err := tolmach.NewClient("openai", tolmach.Config{"model": "gpt-4o"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	request, err := tolmach.NewRequest("")
	if err != nil {
		log.Fatal(err)
	}
	if err := request.Message(tolmach.User, "Why is the sky blue?"); err != nil {
		log.Fatal(err)
	}
	session, err := client.Open(ctx, request)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	for chunk, err := range session.Chunks() {
		if err != nil {
			log.Fatal(err)
		}
		if chunk.Kind == tolmach.ChunkText {
			fmt.Print(chunk.Text)
		}
	}
}

// A conversation is a request that grows: by what the model replied, by what its tools gave,
// and by what the user says next. [Client.Run] does all of this for tools made by [NewTool].
func ExampleRequest() {
	weather := func(arguments string) string { return "3 °C" }

	turn := func(ctx context.Context, client *tolmach.Client, request *tolmach.Request) (*tolmach.Answer, error) {
		session, err := client.Open(ctx, request)
		if err != nil {
			return nil, err
		}
		defer session.Close()
		answer, err := session.Answer()
		if err != nil {
			return nil, err
		}
		return answer, request.Reply(session)
	}

	converse := func(ctx context.Context, client *tolmach.Client, request *tolmach.Request) error {
		for {
			answer, err := turn(ctx, client, request)
			if err != nil {
				return err
			}
			if len(answer.ToolCalls) == 0 {
				fmt.Println(answer.Text)
				return nil
			}
			for _, call := range answer.ToolCalls {
				if err := request.ToolResult(call.ID, weather(call.Arguments)); err != nil {
					return err
				}
			}
		}
	}
	_ = converse
}

func ExampleError() {
	ask := func() error { return nil }

	err := ask()
	var failure *tolmach.Error
	switch {
	case errors.Is(err, context.Canceled):
		return
	case errors.Is(err, tolmach.ErrRateLimited) && errors.As(err, &failure):
		time.Sleep(max(failure.RetryAfter, time.Second))
	case err != nil:
		log.Fatal(err)
	}
}

func ExampleClient_Models() {
	client, err := tolmach.NewClient("openai", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	models, err := client.Models(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, model := range models {
		fmt.Println(model.ID, model.ContextLength)
	}
}
