// Command example runs three nodes and six clients that chat in two rooms, one
// with history and one without. Then it kills a node.
//
//	make run-cluster
//
// starts each node as a process with its own NATS server. With -nats
// nats://host:4222 they use that server instead, which needs JetStream.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// maxStory bounds the whole run, in case it hangs.
const maxStory = 5 * time.Minute

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "node" {
		return runNode(ctx, args[1:], out)
	}
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	url := flags.String("nats", "", "URL of a NATS server with JetStream; by default each node runs its own")
	words := flags.Int("words", 300, "number of words to send in each room")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, maxStory)
	defer cancel()
	return tell(ctx, out, *url, *words)
}
