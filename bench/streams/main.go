package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 7, "how many times each test of each peer runs")
	run := flag.Duration("run", time.Second, "how long a test runs")
	docs := flag.String("docs", "", "the directory of the documentation, for its performance/streams.md; empty: only print")
	only := flag.String("peers", "", "names of the peers to measure, with commas; empty: all")
	command := flag.String("command", "make bench-streams", "the command that the page names")
	flag.Parse()
	log.SetFlags(0)
	samples, err := measureAll(chosen(*only), *rounds, *run)
	if err != nil {
		log.Fatalf("streams: %v", err)
	}
	page := write(samples, *command, *rounds, *run)
	fmt.Print(page)
	if *docs == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*docs, "performance", "streams.md"), []byte(page), 0o644); err != nil {
		log.Fatalf("streams: %v", err)
	}
}

// chosen returns the peers named in the list.
func chosen(list string) []peer {
	if list == "" {
		return peers
	}
	var some []peer
	for _, p := range peers {
		for name := range strings.SplitSeq(list, ",") {
			if p.name == name {
				some = append(some, p)
			}
		}
	}
	return some
}

// A sample holds the figures of one run of a test.
type sample struct {
	perSecond float64 // messages that arrived, or round trips
	cpu       float64 // microseconds of both ends for each of them
}

// key names a test of a peer.
type key struct{ peer, test string }

// measureAll runs each test of each peer once per round, in random order.
func measureAll(list []peer, rounds int, run time.Duration) (map[key][]sample, error) {
	all := map[key][]sample{}
	for round := range rounds {
		for _, at := range rand.Perm(len(list)) {
			p := list[at]
			for _, t := range tests {
				if p.only != "" && p.only != t.name {
					continue
				}
				s, err := measure(p, t, run)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", p.name, t.name, err)
				}
				all[key{p.name, t.name}] = append(all[key{p.name, t.name}], s)
			}
		}
		log.Printf("round %d of %d", round+1, rounds)
	}
	return all, nil
}

// measure runs one test of a peer on a new connection.
func measure(p peer, t test, run time.Duration) (sample, error) {
	c, err := p.start()
	if err != nil {
		return sample{}, err
	}
	defer c.stop()
	if _, err := t.run(c, time.Now().Add(run/10)); err != nil { // warm-up
		return sample{}, err
	}
	cpu, start := cpuTime(), time.Now()
	n, err := t.run(c, start.Add(run))
	if err != nil {
		return sample{}, err
	}
	took := time.Since(start)
	used := cpuTime() - cpu
	return sample{float64(n) / took.Seconds(), float64(used.Microseconds()) / float64(n)}, nil
}

// cpuTime returns the processor time of this process, which runs both ends.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatalf("streams: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
