// Command v7peer is a real erpc v7 peer for the tests of erpc to talk to, as a
// child process: "v7peer serve" answers the service of WIRE.md section 0, and
// "v7peer call" calls all of it and reports one JSON line a check. It is built
// from the unmodified erpc v7.2.2. See the README beside go.mod for the flags.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		usage("say serve or call")
	}
	role := os.Args[1]
	opts, err := parseOptions(role, os.Args[2:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		usage(err.Error())
	}
	prepareV7(opts)
	out := &reporter{w: os.Stdout}
	switch role {
	case "serve":
		err = serve(opts, out)
	case "call":
		err = call(opts, out)
	default:
		usage(fmt.Sprintf("unknown command %q, say serve or call", role))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "v7peer:", err)
		os.Exit(1)
	}
}

func usage(problem string) {
	fmt.Fprintln(os.Stderr, "v7peer:", problem)
	fmt.Fprintln(os.Stderr, "usage: v7peer serve|call [flags]; v7peer serve -h lists them")
	os.Exit(2)
}
