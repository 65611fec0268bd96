package e2e

import (
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// TestEqualPushersGetEqualShares: senders that wait for room in the queue of a
// session are served in order, so equal senders get about the same share, and none
// waits for long.
func TestEqualPushersGetEqualShares(t *testing.T) {
	kit.NoLeaks(t)
	const pushers, size, piece = 64, 4 << 10, 256 << 10
	done := make(chan struct{})
	addr := kit.TCP.Script(t, func(w *kit.Wire) { // reads some 10 MB/s
		buf := make([]byte, piece)
		for {
			if _, err := io.ReadFull(w, buf); err != nil {
				return
			}
			select {
			case <-done:
				return
			case <-time.After(25 * time.Millisecond):
			}
		}
	})
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{SocketWriteBuffer: 64 << 10, QueueLimit: 64 << 10}) // of 16 pushes
	var counts [pushers]int
	var mu sync.Mutex // guards waits
	var waits []time.Duration
	var full, stop atomic.Bool
	var wg sync.WaitGroup
	body := make([]byte, size)
	for i := range pushers {
		wg.Go(func() {
			for !stop.Load() {
				begin := time.Now()
				if st := sess.Push("/x", &body); !st.OK() {
					return // closed
				}
				d := time.Since(begin)
				if !full.Load() { // the buffers below are filled first
					continue
				}
				counts[i]++
				mu.Lock()
				waits = append(waits, d)
				mu.Unlock()
			}
		})
	}
	kit.Eventually(t, kit.Bound, "a full queue", func() bool { return sess.Stats().BytesOut > 16<<20 })
	full.Store(true)
	time.Sleep(time.Duration(kit.Times(2, 10)) * time.Second)
	stop.Store(true)
	kit.Within(t, kit.Bound, "the last pushes", wg.Wait)
	close(done)
	_ = sess.Close() // what it says is another test's
	slices.Sort(waits)
	least, largest := slices.Min(counts[:]), slices.Max(counts[:])
	t.Logf("%d pushes, of one pusher %d to %d; waits: median %v, 99%% %v, longest %v", len(waits), least, largest,
		waits[len(waits)/2].Round(time.Millisecond), waits[len(waits)*99/100].Round(time.Millisecond), waits[len(waits)-1].Round(time.Millisecond))
	// On a busy machine some have four times the share of others; they had 10 and 3634
	// when room went to a random sender.
	if least == 0 || largest > 8*least+10 {
		t.Errorf("the share of one is %d pushes, that of another %d", least, largest)
	}
}

// TestQuietSessionBesideBusyOnes: a push over a quiet session does not wait until
// busy sessions have sent everything. It takes little longer than it does while
// other goroutines only keep the processors busy.
func TestQuietSessionBesideBusyOnes(t *testing.T) {
	kit.NoLeaks(t)
	const busy, pushers = 4, 2
	got := make(chan int, 1)
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	erpc.HandlePush(srv, "/x", func(_ context.Context, n *int) error { got <- *n; return nil })
	cli := kit.Peer(t, erpc.PeerConfig{})
	quiet := kit.Open(t, cli, addr)
	// beside returns the median time of pushes while others do something.
	beside := func(something func(i int) (more bool)) time.Duration {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range busy * pushers {
			wg.Go(func() {
				for something(i) {
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		var waits []time.Duration
		for n := range kit.Times(40, 1000) {
			begin := time.Now()
			if st := quiet.Push("/x", n); !st.OK() {
				t.Fatal(st)
			}
			kit.Await(t, "the push", got)
			waits = append(waits, time.Since(begin))
			time.Sleep(time.Millisecond)
		}
		close(stop)
		kit.Within(t, kit.Bound, "the busy ones", wg.Wait)
		slices.Sort(waits)
		t.Logf("median %v, longest %v", waits[len(waits)/2].Round(time.Microsecond), waits[len(waits)-1].Round(time.Microsecond))
		return waits[len(waits)/2]
	}
	alone := beside(func(int) bool { return true })
	var sessions []erpc.Session
	for range busy {
		sink := kit.TCP.Script(t, func(w *kit.Wire) { _, _ = io.Copy(io.Discard, w) }) // until it is closed
		sessions = append(sessions, kit.Open(t, cli, sink))
	}
	body := make([]byte, 100)
	var sent atomic.Int64
	pushed := beside(func(i int) bool {
		sent.Add(1)
		st := sessions[i%busy].Push("/x", &body)
		if !st.OK() {
			t.Errorf("push: %v", st)
		}
		return st.OK()
	})
	t.Logf("%d pushes of the busy ones", sent.Load())
	for _, s := range sessions {
		_ = s.Close() // what it says is another test's
	}
	if pushed > 4*alone+20*time.Millisecond { // 22 to 115 ms, on a quiet machine, when writers stayed with a busy session
		t.Errorf("a push over the quiet session takes %v, %v beside other work", pushed, alone)
	}
}
