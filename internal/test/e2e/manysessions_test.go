package e2e

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket/memory"
)

// TestManySessions: a peer has many sessions, in memory. Some leave and others join
// all the time, while the peer broadcasts once a second. Neither delays the other.
// With ERPC_MANY_SESSIONS=full there are 100,000, and 5,000 a second that join and
// leave.
func TestManySessions(t *testing.T) {
	stay, perSecond, broadcasts, slack := 500, 200, 2, kit.Slack
	if os.Getenv("ERPC_MANY_SESSIONS") == "full" {
		stay, perSecond, broadcasts, slack = 100_000, 5000, 5, 1
	}
	network := memory.New()
	cfg := erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{network}}
	srv := kit.Peer(t, cfg)
	addr := kit.Start(t, srv)

	var got atomic.Int64
	residents := kit.Peer(t, cfg)
	erpc.HandlePush(residents, "/news", func(context.Context, *int) error { got.Add(1); return nil })
	began := time.Now()
	opened := inEach(doors, func(door int) error {
		for n := door; n < stay; n += doors {
			if _, st := residents.Dial(addr); !st.OK() {
				return st.Err()
			}
		}
		return nil
	})
	if err := kit.AwaitIn(t, 5*time.Minute, "the sessions", opened); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, kit.Bound, "all sessions", func() bool { return srv.CountSession() == stay })
	t.Logf("%d sessions opened in %v", stay, time.Since(began))

	ctx, stop := context.WithCancel(context.Background())
	guests := kit.Peer(t, cfg)
	erpc.HandlePush(guests, "/news", func(context.Context, *int) error { return nil })
	var joined atomic.Int64
	began = time.Now()
	visits := inEach(doors, func(int) error {
		return comeAndGo(ctx, guests, addr, doors*time.Second/time.Duration(perSecond), &joined)
	})
	for n := range broadcasts {
		start := time.Now()
		sent, failed := srv.Broadcast("/news", n)
		took := time.Since(start)
		for id, st := range failed {
			if st.Code() != erpc.CodeConnClosed {
				t.Errorf("broadcast %d: session %s: %v", n, id, st)
			}
		}
		if sent < stay {
			t.Errorf("broadcast %d was sent to %d sessions, of which %d stay", n, sent, stay)
		}
		kit.Eventually(t, kit.Bound, "the broadcast", func() bool { return got.Load() == int64((n+1)*stay) })
		arrived := time.Since(start)
		t.Logf("broadcast %d took %v, and %v until all had it", n, took, arrived)
		if took > time.Duration(slack)*time.Second {
			t.Errorf("broadcast %d took %v", n, took)
		}
		time.Sleep(time.Second - arrived)
	}
	took := time.Since(began)
	n := joined.Load()
	stop()
	if err := kit.Await(t, "the last visits", visits); err != nil {
		t.Error(err)
	}
	rate := float64(n) / took.Seconds()
	t.Logf("%.0f sessions a second have joined and left", rate)
	if rate < 0.95*float64(perSecond)/float64(slack) {
		t.Errorf("%.0f sessions a second have joined and left, of %d that wanted to", rate, perSecond)
	}
	kit.Eventually(t, kit.Bound, "the end of all visits", func() bool { return srv.CountSession() == stay })
}

// doors is how many goroutines dial.
const doors = 50

// inEach runs f in n goroutines. The channel gets what they return, joined, when all
// have.
func inEach(n int, f func(i int) error) <-chan error {
	ended, all := make(chan error, n), make(chan error, 1)
	for i := range n {
		go func() { ended <- f(i) }()
	}
	go func() {
		var errs []error
		for range n {
			errs = append(errs, <-ended)
		}
		all <- errors.Join(errs...)
	}()
	return all
}

// comeAndGo has a session join every so often, and leave when the next one is due,
// until ctx ends.
func comeAndGo(ctx context.Context, p erpc.Peer, addr string, every time.Duration, joined *atomic.Int64) error {
	for due := time.Now(); ctx.Err() == nil; due = due.Add(every) {
		time.Sleep(time.Until(due))
		s, st := p.Dial(addr)
		if !st.OK() {
			return st.Err()
		}
		time.Sleep(time.Until(due.Add(every)))
		if err := s.Close(); err != nil {
			return err
		}
		joined.Add(1)
	}
	return nil
}
