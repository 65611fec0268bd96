// Command hello is what `make run` starts: a server and two clients, each in
// its own process, that show a call, a push and a broadcast. To start them by
// hand, use three terminals:
//
//	go run ./examples/hello server -addr 127.0.0.1:9090
//	go run ./examples/hello client -addr 127.0.0.1:9090 -name anna
//	go run ./examples/hello client -addr 127.0.0.1:9090 -name ben
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/goerpc/erpc"
)

const (
	broadcasts = 3                // how many a client waits for
	patience   = 20 * time.Second // total time before a part gives up
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return demo()
	}
	flags := flag.NewFlagSet("hello "+args[0], flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "address of the server; port 0 is any free one")
	name := flags.String("name", "somebody", "name of the client")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	erpc.SetLoggerLevel("WARNING") // hide erpc's own log lines from the demo's output
	switch args[0] {
	case "server":
		return serve(*addr)
	case "client":
		return visit(*addr, *name)
	}
	return fmt.Errorf("unknown part %q: use server, client, or no argument for the whole demo", args[0])
}
