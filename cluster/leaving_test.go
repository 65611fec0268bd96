package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// A node that drains can no longer be looked up, accepts no sessions, and sends its
// own sessions away one by one; running calls complete.
func TestDrainOverSpreadsGoaways(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		n, other := newNode(t, w, erpc.PeerConfig{}, quick), newNode(t, w, erpc.PeerConfig{}, quick)
		erpc.HandleCall(n.peer, "/work", func(_ context.Context, d *time.Duration) (*int, error) {
			time.Sleep(*d)
			return new(int), nil
		})
		n.Announce(Service{Name: "chat", Address: n.addr})
		const sessions = 40
		var fars []erpc.Session
		for range sessions {
			far := kit.Open(t, w.newPeer(t, erpc.PeerConfig{}), n.addr)
			d := time.Duration(0)
			_, err := erpc.Call[int](t.Context(), far, "/work", &d, erpc.WithTimeout(time.Minute)) // which says that it is erpc
			check(t, err)
			fars = append(fars, far)
		}
		if err := n.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		worked := make(chan error, 1)
		go func() {
			d := 5 * time.Second
			_, err := erpc.Call[int](context.Background(), fars[0], "/work", &d)
			worked <- err
		}()
		synctest.Wait()
		drained := make(chan error, 1)
		begin := time.Now()
		go func() { drained <- n.DrainOver(context.Background(), 10*time.Second) }()
		synctest.Wait()
		if s := other.Services("chat"); len(s) != 1 || !s[0].Draining {
			t.Errorf("the others have %+v of a node that drains", s)
		}
		if n.Ready() == nil || n.Stats().Ready || !n.Stats().Draining {
			t.Errorf("it says that it is ready: %+v", n.Stats())
		}
		if sess, st := w.newPeer(t, erpc.PeerConfig{}).Dial(n.addr); st.OK() {
			kit.AwaitIn(t, kit.Bound, "the end of a session with a node that drains", sess.CloseNotify())
		}
		time.Sleep(5*time.Second - time.Since(begin))
		if k := n.peer.CountSession(); k < sessions/2-3 || k > sessions/2+3 {
			t.Errorf("%d of %d sessions are left after half of the time", k, sessions)
		}
		check(t, kit.Await(t, "the call that ran", worked))
		check(t, kit.Await(t, "the end", drained))
		if took := time.Since(begin); took < 9*time.Second || took > 13*time.Second {
			t.Errorf("it took %v, want about 10 s", took)
		}
	})
}

// A session that does not leave in time does not keep DrainOver from ending with
// its context.
func TestDrainOverEndsWithContext(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		n := newNodes(t, 1)[0]
		started, ended := make(chan struct{}), make(chan struct{})
		erpc.HandleCall(n.peer, "/block", func(ctx context.Context, _ *int) (*int, error) {
			close(started)
			<-ctx.Done()
			close(ended)
			return nil, ctx.Err()
		})
		far := kit.Open(t, n.world.newPeer(t, erpc.PeerConfig{}), n.addr)
		far.AsyncCall("/block", 1, nil, nil)
		kit.Await(t, "the handler", started)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := n.DrainOver(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want that of the context", err)
		}
		time.Sleep(maxFarewell)
		synctest.Wait()
		if k := n.peer.CountSession(); k != 0 {
			t.Errorf("%d sessions are left", k)
		}
		kit.Await(t, "the end of the handler", ended)
		if err := New(NewMemory().Engine(), quick).DrainOver(t.Context(), 0); !errors.Is(err, ErrNotRunning) {
			t.Errorf("on a cluster that does not run: %v", err)
		}
	})
}

// Sessions grow no older than the configured age, give or take a tenth, and a
// client that redials loses no call because of it.
func TestOldSessionsGo(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		opt := quick
		opt.ConnAge = 10 * time.Second
		n := newNode(t, w, erpc.PeerConfig{}, opt)
		erpc.HandleCall(n.peer, "/work", func(context.Context, *int) (*int, error) {
			time.Sleep(50 * time.Millisecond)
			return new(int), nil
		})
		far := kit.Open(t, w.newPeer(t, erpc.PeerConfig{RedialTimes: -1}), n.addr)
		begin, calls := time.Now(), 0
		ids := map[string]bool{}
		for time.Since(begin) < 35*time.Second {
			if _, err := erpc.Call[int](t.Context(), far, "/work", 1, erpc.WithTimeout(time.Minute)); err != nil {
				t.Fatalf("call %d: %v", calls, err)
			}
			calls++
			n.peer.RangeSession(func(s erpc.Session) bool { ids[s.RemoteAddr().String()] = true; return true })
		}
		if len(ids) != 4 {
			t.Errorf("%d connections in 35 s of at most 11 s each: %v", len(ids), ids)
		}
	})
}

func TestStatsInTextOfPrometheus(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 2)
		nodes[0].engine.SetConnected(false)
		synctest.Wait()
		s := nodes[0].Stats()
		if s.Connected || s.Ready || s.Cuts != 1 || !errors.Is(nodes[0].Ready(), ErrDown) {
			t.Errorf("on a node that is cut off: %+v", s)
		}
		nodes[0].engine.SetConnected(true)
		synctest.Wait()
		nodes[0].engine.loseStored()
		synctest.Wait()
		nodes[0].beaten.Store(time.Now().Add(-3 * time.Millisecond).UnixNano())
		check(t, nodes[0].send(nodes[0].subjectAll(), 0, nodes[0].beat(kindBeat)))
		synctest.Wait()
		if s = nodes[0].Stats(); s.Lag != 3*time.Millisecond || !s.Connected || !s.Ready || s.Lost == 0 {
			t.Errorf("on a node that is back and lost messages: %+v", s)
		}
		text := string(s.AppendPrometheus(nil))
		for name, value := range map[string]any{"ready": 1, "engine_cuts_total": 1, "nodes": s.Nodes, "engine_lag_seconds": 0.003, "engine_lost_total": s.Lost} {
			if line := fmt.Sprintf("\nerpc_cluster_%s %v\n", name, value); !strings.Contains(text, line) {
				t.Errorf("%q is missing in\n%s", line, text)
			}
		}
	})
}
