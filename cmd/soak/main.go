// Command soak puts a server and thousands of sessions under mixed load and
// faults for a while, in one process: calls, asynchronous calls, pushes and
// broadcasts, clients that do not read, connections cut at random, and a server
// that is restarted. At the end every call must be accounted for exactly once,
// and memory and goroutines must be back at their initial levels. It prints the
// ledger and latencies, draws them as an SVG, and exits with 1 if something
// does not balance.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	var o options
	flag.DurationVar(&o.length, "length", 10*time.Minute, "how long the load lasts")
	flag.IntVar(&o.sessions, "sessions", 2000, "sessions of clients")
	flag.IntVar(&o.peers, "peers", 20, "client peers that share the sessions")
	flag.IntVar(&o.slow, "slow", 20, "connections that never read")
	flag.DurationVar(&o.restart, "restart", 15*time.Second, "time between two restarts of the server")
	flag.DurationVar(&o.pause, "pause", 20*time.Millisecond, "mean pause of a session between two calls")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "seed of all random numbers")
	flag.StringVar(&o.svg, "svg", "", "file for the chart of latencies; empty is no chart")
	flag.Parse()
	fmt.Printf("soak: %d sessions for %v, seed %d\n", o.sessions, o.length, o.seed)
	report, err := soak(o)
	fmt.Print(report)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	fmt.Println("soak: the ledger balances")
}
