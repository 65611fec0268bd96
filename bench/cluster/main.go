// Command cluster measures a cluster on one machine, and one of centrifuge on the same
// NATS servers: three nodes, each with a server of a mesh, and their sessions in memory,
// so that it is the cluster that is measured and not the network.
//
//	make bench-cluster
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/cluster"
)

func main() {
	sessions := flag.Int("sessions", 5000, "of each of three nodes")
	messages := flag.Int("messages", 100, "published to the room of all")
	docs := flag.String("docs", "", "directory of the pages; performance/cluster.md there is written")
	flag.Parse()
	var page bytes.Buffer
	err := run(io.MultiWriter(os.Stdout, &page), *sessions, *messages)
	if err == nil && *docs != "" {
		err = os.WriteFile(filepath.Join(*docs, "performance", "cluster.md"), append([]byte(heading), page.Bytes()...), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

const heading = `# Performance of a cluster

Written by ` + "`make bench-cluster`" + `; do not edit it.

All sessions are in one room and communicate in memory; each node has its NATS server of a mesh in the same process. The client of an erpc session runs in the same process, too: it reads, dispatches and handles messages. centrifuge uses a broker over the same servers; its transports are sinks, which decode and count what is written. In the column that is compared with it, the connections of erpc are sinks, too.

`

// A system is a cluster with clients.
type system interface {
	connect(sessions int) error // opens so many with each node
	join(room func(i int) string) error
	publish(body []byte, times int) error // to room, and waits until everybody has everything
	close()
}

// run measures everything and writes the results to w.
func run(w io.Writer, sessions, messages int) error {
	fmt.Fprintf(w, "%d processors, %s, %d sessions in all, %d messages of 128 bytes\n\n", runtime.GOMAXPROCS(0), runtime.Version(), 3*sessions, messages)
	erpc := func(nodes int) (system, error) { return newBed(nodes, nil) }
	sinks := func(nodes int) (system, error) {
		b, err := newBed(nodes, nil)
		if err != nil {
			return nil, err
		}
		b.sinks = true
		return b, nil
	}
	centrifuge := func(nodes int) (system, error) { return newRival(nodes) }
	var results []*result
	for _, c := range []struct {
		name  string
		make  func(int) (system, error)
		nodes int
	}{{"erpc", erpc, 1}, {"erpc", erpc, 3}, {"erpc with sinks", sinks, 3}, {"centrifuge", centrifuge, 3}} {
		r, err := measure(c.make, c.nodes, 3*sessions/c.nodes, messages)
		if err != nil {
			return fmt.Errorf("%s on %d nodes: %w", c.name, c.nodes, err)
		}
		results = append(results, r)
	}
	fmt.Fprintln(w, "| what | one node | three nodes | three nodes, sinks | centrifuge, three nodes, sinks |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|")
	row := func(what, format string, of func(*result) any) {
		fmt.Fprintf(w, "| %s |", what)
		for _, r := range results {
			fmt.Fprintf(w, " "+format+" |", of(r))
		}
		fmt.Fprintln(w)
	}
	row("deliveries per second", "%.0f", func(r *result) any { return r.rate })
	row("time from publish to the last member, median", "%v", func(r *result) any { return r.median })
	row("the same, 99th percentile", "%v", func(r *result) any { return r.p99 })
	row("all sessions join the room", "%v", func(r *result) any { return r.join })
	row("memory of a session and its client", "%d B", func(r *result) any { return r.session })
	row("memory of a room with one member", "%d B", func(r *result) any { return r.room })
	one, three, sunk, rival := results[0], results[1], results[2], results[3]
	fmt.Fprintln(w)
	goal(w, "deliveries of three nodes, relative to one", three.rate/one.rate, 0.6)
	goal(w, "deliveries of three nodes to sinks, relative to centrifuge", sunk.rate/rival.rate, 2)
	storm, err := joinStorm(sessions)
	if err != nil {
		return fmt.Errorf("join storm: %w", err)
	}
	fmt.Fprintf(w, "%d sessions that each join their own room and a common one have joined after %v.\n", sessions, storm)
	clients := min(1000, 3*sessions)
	took, err := recovery(clients, 100)
	if err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	fmt.Fprintf(w, "%d clients whose node ends are connected to another and have received the 100 messages that they missed after %v.\n", clients, took)
	return nil
}

// goal prints a ratio and whether it reaches its goal.
func goal(w io.Writer, what string, is, want float64) {
	verdict := "pass"
	if is < want {
		verdict = "FAIL"
	}
	fmt.Fprintf(w, "%s: %.2f, goal %.1f: %s\n\n", what, is, want, verdict)
}

// A result holds the figures of a cluster of one size.
type result struct {
	rate          float64
	median, p99   time.Duration
	join          time.Duration
	session, room int64
}

// room is the common room.
const room = "all"

// measure creates a cluster and measures it.
func measure(make func(nodes int) (system, error), nodes, sessions, messages int) (*result, error) {
	s, err := make(nodes)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var r result
	before := heap()
	if err := s.connect(sessions); err != nil {
		return nil, err
	}
	r.session = (heap() - before) / int64(nodes*sessions)

	begin := time.Now()
	if err := s.join(func(i int) string { return room }); err != nil {
		return nil, err
	}
	r.join = time.Since(begin).Round(time.Millisecond)
	time.Sleep(100 * time.Millisecond) // until servers know of subscriptions for which no join waits

	body := bytes.Repeat([]byte("x"), 128)
	var took []time.Duration
	for range messages { // one at a time: the latency
		begin := time.Now()
		if err := s.publish(body, 1); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	r.median, r.p99 = took[len(took)/2].Round(10*time.Microsecond), took[len(took)*99/100].Round(10*time.Microsecond)
	begin = time.Now()
	if err := s.publish(body, messages); err != nil { // all at once: the rate
		return nil, err
	}
	r.rate = float64(messages*nodes*sessions) / time.Since(begin).Seconds()

	before = heap()
	if err := s.join(func(i int) string { return fmt.Sprint("room of ", i) }); err != nil {
		return nil, err
	}
	r.room = (heap() - before) / int64(nodes*sessions)
	return &r, nil
}

// heap returns the number of heap bytes in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// joinStorm measures how long the sessions of three nodes take to join rooms at
// the same time.
func joinStorm(sessions int) (time.Duration, error) {
	b, err := newBed(3, nil)
	if err != nil {
		return 0, err
	}
	defer b.close()
	if err := b.connect((sessions + 2) / 3); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := b.join(func(i int) string { return fmt.Sprint("room of ", i) }); err != nil {
		return 0, err
	}
	if err := b.join(func(int) string { return room }); err != nil {
		return 0, err
	}
	return time.Since(begin).Round(time.Millisecond), nil
}

// recovery measures how long clients take to recover after the end of their
// node: they dial another node and receive there what they missed in a room
// with history.
func recovery(clients, missed int) (time.Duration, error) {
	b, err := newBed(2, []cluster.History{{Rooms: room, Size: missed + 10}})
	if err != nil {
		return 0, err
	}
	defer b.close()
	from, to := b.nodes[0], b.nodes[1]
	if err := b.connectTo(from, clients); err != nil {
		return 0, err
	}
	ctx := context.Background()
	positions := make([]string, clients)
	if err := each(b.sessions, func(i int, s *bedSession) error {
		joined, err := from.Resume(ctx, s.sess, room, "")
		positions[i] = joined.Position
		return err
	}); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := errors.Join(from.peer.Close(), from.client.Close(), from.Close()); err != nil {
		return 0, err
	}
	body := make([]byte, 128)
	for range missed {
		if err := to.Publish(ctx, room, "/said", body); err != nil {
			return 0, err
		}
	}
	b.sessions = nil
	if err := b.connectTo(to, clients); err != nil {
		return 0, err
	}
	b.got.expect(clients * missed)
	if err := each(b.sessions, func(i int, s *bedSession) error {
		joined, err := to.Resume(ctx, s.sess, room, positions[i])
		if err == nil && !joined.Recovered {
			err = fmt.Errorf("nothing was recovered from %s", positions[i])
		}
		return err
	}); err != nil {
		return 0, err
	}
	if err := b.got.await(); err != nil {
		return 0, err
	}
	return time.Since(begin).Round(time.Millisecond), nil
}

// each runs f for all elements, several at a time, and returns the first error.
func each[T any](all []T, f func(int, T) error) error {
	var next atomic.Int64
	var once sync.Once
	var first error
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return
				}
				if err := f(i, all[i]); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}
