// flood|paced URL: reads an answer by openai-go.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"unsafe"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const clockMonotonic = 1

func now() int64 {
	var time syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&time)), 0)
	return time.Nano()
}

func used() (wall, cpu, waits int64) {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return now(), usage.Utime.Nano() + usage.Stime.Nano(), usage.Nvcsw
}

func main() {
	paced := os.Args[1] == "paced"
	var text, chunks int
	var delays []int64
	finished := false
	wall, cpu, waits := used()
	client := openai.NewClient(option.WithAPIKey("key"), option.WithBaseURL(os.Args[2]))
	stream := client.Chat.Completions.NewStreaming(context.Background(), openai.ChatCompletionNewParams{
		Model:    "m",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hello")},
	})
	for stream.Next() {
		chunks++
		for _, choice := range stream.Current().Choices {
			text += len(choice.Delta.Content)
			if paced && choice.Delta.Content != "" {
				stamp, err := strconv.ParseInt(choice.Delta.Content, 10, 64)
				if err != nil {
					panic(err)
				}
				delays = append(delays, now()-stamp)
			}
			finished = finished || choice.FinishReason != ""
		}
	}
	if err := stream.Err(); err != nil || !finished {
		panic(fmt.Sprint("the answer stopped before its end: ", err))
	}
	endWall, endCPU, endWaits := used()
	fmt.Printf("wall=%d cpu=%d switches=%d text=%d chunks=%d", endWall-wall, endCPU-cpu, endWaits-waits, text, chunks)
	if len(delays) > 0 {
		slices.Sort(delays)
		fmt.Printf(" p50=%d p99=%d", delays[len(delays)/2], delays[len(delays)*99/100])
	}
	fmt.Println()
}
