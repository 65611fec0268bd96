// Command bench measures a cluster on one machine: three nodes, each with a server of
// a mesh, and their sessions in memory, so that it is the cluster that is measured and
// not the network. It writes a table in Markdown.
//
//	make bench-cluster
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
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
	flag.Parse()
	if err := run(*sessions, *messages); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(sessions, messages int) error {
	fmt.Printf("%d processors, %s, %d sessions in all, %d messages of 128 bytes\n\n", runtime.GOMAXPROCS(0), runtime.Version(), 3*sessions, messages)
	fmt.Println("| what | one node | three nodes |")
	fmt.Println("|---|---:|---:|")
	one, err := measure(1, 3*sessions, messages)
	if err != nil {
		return fmt.Errorf("one node: %w", err)
	}
	three, err := measure(3, sessions, messages)
	if err != nil {
		return fmt.Errorf("three nodes: %w", err)
	}
	row := func(what, format string, of func(*result) any) {
		fmt.Printf("| %s | %s | %s |\n", what, fmt.Sprintf(format, of(one)), fmt.Sprintf(format, of(three)))
	}
	row("delivered, a second", "%.0f", func(r *result) any { return r.rate })
	row("from publish to the last member, median", "%v", func(r *result) any { return r.median })
	row("… 99 of 100", "%v", func(r *result) any { return r.p99 })
	row("all sessions join the room", "%v", func(r *result) any { return r.join })
	row("memory of a session and its client", "%d B", func(r *result) any { return r.session })
	row("memory of a room with one member", "%d B", func(r *result) any { return r.room })
	fmt.Printf("\nThree nodes deliver %.2f of what one does.\n", three.rate/one.rate)
	clients := min(1000, 3*sessions)
	took, err := recovery(clients, 100)
	if err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	fmt.Printf("%d clients that come back to another node have the 100 messages that they missed after %v.\n", clients, took)
	return nil
}

// A result is what one size of a cluster achieves.
type result struct {
	rate          float64
	median, p99   time.Duration
	join          time.Duration
	session, room int64
}

// room is the one of all.
const room = "all"

// measure makes a cluster and measures it.
func measure(nodes, sessions, messages int) (*result, error) {
	b, err := newBed(nodes, nil)
	if err != nil {
		return nil, err
	}
	defer b.close()
	var r result
	before := heap()
	if err := b.connect(sessions); err != nil {
		return nil, err
	}
	r.session = (heap() - before) / int64(nodes*sessions)

	begin := time.Now()
	if err := b.join(func(i int) string { return room }); err != nil {
		return nil, err
	}
	r.join = time.Since(begin).Round(time.Millisecond)

	body := make([]byte, 128)
	var took []time.Duration
	for range messages { // one at a time: the latency
		begin := time.Now()
		if err := b.publish(body, 1); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	r.median, r.p99 = took[len(took)/2].Round(10*time.Microsecond), took[len(took)*99/100].Round(10*time.Microsecond)
	begin = time.Now()
	if err := b.publish(body, messages); err != nil { // all at once: the rate
		return nil, err
	}
	r.rate = float64(messages*nodes*sessions) / time.Since(begin).Seconds()

	before = heap()
	if err := b.join(func(i int) string { return fmt.Sprint("room of ", i) }); err != nil {
		return nil, err
	}
	r.room = (heap() - before) / int64(nodes*sessions)
	return &r, nil
}

// heap is what is in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// recovery measures how long clients take that missed messages of a room with
// history, from their joining on.
func recovery(clients, missed int) (time.Duration, error) {
	b, err := newBed(1, []cluster.History{{Rooms: room, Size: missed + 10}})
	if err != nil {
		return 0, err
	}
	defer b.close()
	if err := b.connect(clients); err != nil {
		return 0, err
	}
	ctx := context.Background()
	n := b.nodes[0]
	first, err := n.Resume(ctx, b.sessions[0].sess, room, "")
	if err != nil {
		return 0, err
	}
	n.Leave(b.sessions[0].sess, room)
	body := make([]byte, 128)
	for range missed {
		if err := n.Publish(ctx, room, "/said", body); err != nil {
			return 0, err
		}
	}
	got := b.got.Load()
	begin := time.Now()
	if err := each(b.sessions, func(_ int, s *bedSession) error {
		joined, err := s.node.Resume(ctx, s.sess, room, first.Position)
		if err == nil && !joined.Recovered {
			err = fmt.Errorf("nothing was recovered from %s", first.Position)
		}
		return err
	}); err != nil {
		return 0, err
	}
	if err := b.await(got + int64(clients*missed)); err != nil {
		return 0, err
	}
	return time.Since(begin).Round(time.Millisecond), nil
}

// each runs f for every session, several at a time, and returns the first error.
func each(sessions []*bedSession, f func(int, *bedSession) error) error {
	var next atomic.Int64
	var once sync.Once
	var first error
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(sessions) {
					return
				}
				if err := f(i, sessions[i]); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}
