package stats

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
)

// A call that hangs is listed with its age, and is gone when it has ended.
func TestRunning(t *testing.T) {
	s := New(Config{})
	srv := kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1"}, s)
	release := make(chan struct{})
	erpc.HandleCall(srv, "/hang", func(context.Context, *int) (*int, error) {
		<-release
		return nil, nil
	})
	erpc.HandlePush(srv, "/hang", func(context.Context, *int) error {
		<-release
		return nil
	})
	erpc.HandleStream(srv, "/stream", func(_ context.Context, st *erpc.Stream[int, int]) error {
		_, err := st.Recv()
		return err
	})
	_, sess := kit.Dial(t, kit.Start(t, srv), erpc.PeerConfig{})
	const calls = 150
	begin := time.Now()
	done := make(chan erpc.CallCmd, calls)
	for i := range calls {
		sess.AsyncCall("/hang", i, nil, done)
	}
	if st := sess.Push("/hang", 1); !st.OK() {
		t.Fatal(st)
	}
	stream, err := erpc.OpenStream[int, int](t.Context(), sess, "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for _, name := range []string{"/none", "/none"} { // ends at once
		if st := sess.Call(name, 1, nil).Status(); st.Code() != erpc.CodeNotFound {
			t.Fatal(st)
		}
	}
	kit.Eventually(t, kit.Bound, "all handlers", func() bool {
		m := s.Methods()
		return m.HandledCalls["/hang"].Started == calls && m.HandledPushes["/hang"].Started == 1 && m.HandledCalls[Unknown].Ended == 2
	})
	list := s.Running()
	if len(list) != maxRunning {
		t.Fatalf("%d calls, want %d", len(list), maxRunning)
	}
	for i, c := range list {
		if c.Method != "/hang" || c.Session == "" || c.Remote != sess.LocalAddr().String() || c.Begin.Before(begin) || i > 0 && c.Begin.Before(list[i-1].Begin) {
			t.Errorf("%d: %+v", i, c)
		}
	}
	close(release)
	for range calls {
		kit.Await(t, "the end of a call", done)
	}
	kit.Eventually(t, kit.Bound, "the end of all", func() bool { return len(s.Running()) == 0 })
}

// Whatever becomes of calls and their connections, none stays in the list.
func TestNoneRunsForever(t *testing.T) {
	s := New(Config{})
	srv := kit.Peer(t, erpc.PeerConfig{LocalIP: "127.0.0.1", MaxSessionHandlers: 20}, s)
	handle := func(ctx context.Context, n *int) (*int, error) {
		switch *n % 4 {
		case 0:
			panic("a handler panics")
		case 1:
			time.Sleep(time.Millisecond)
		case 2:
			<-ctx.Done() // the end of the connection, or of the call
		}
		return n, nil
	}
	erpc.HandleCall(srv, "/plain", handle)
	erpc.HandleCall(srv, "/queued", handle, &erpc.PluginImpl{PluginName: "queue", OnPostReg: func(h *erpc.Handler) error {
		h.SetLimit(2)
		h.SetQueue(5, 10*time.Millisecond)
		return nil
	}})
	erpc.HandleCall(srv, "/ordered", handle, limit.Ordered())
	erpc.HandleCall(srv, "/refused", handle, &erpc.PluginImpl{PluginName: "refuse", OnPreReadCallBody: func(erpc.ReadCtx) *erpc.Status {
		return erpc.NewStatus(1234, "refused")
	}})
	addr := kit.Start(t, srv)
	for round := range 10 {
		_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
		done := make(chan erpc.CallCmd, 100)
		for i := range cap(done) {
			var arg any = i
			if i%7 == 0 {
				arg = "no number"
			}
			sess.AsyncCall([]string{"/plain", "/queued", "/ordered", "/refused"}[i/4%4], arg, nil, done, erpc.WithTimeout(20*time.Millisecond))
		}
		if round%2 == 0 {
			_ = sess.Close() // in the middle of it all
		}
		for range cap(done) {
			kit.Await(t, "the end of a call", done)
		}
	}
	kit.Eventually(t, kit.Bound, "the end of all", func() bool { return len(s.Running()) == 0 })
	for name, m := range s.Methods().HandledCalls {
		if m.Started != m.Ended {
			t.Errorf("%s: %d began and %d ended", name, m.Started, m.Ended)
		}
	}
}

// The list of a shard has what a slice would have, whatever the order in which
// calls end.
func TestShardAgainstASlice(t *testing.T) {
	s := new(shard)
	var r running
	var want []*mark
	for step := range 10_000 {
		if len(want) == 0 || rand.IntN(2) == 0 {
			k := &mark{m: &method{name: "/m"}, begin: time.Unix(int64(step), 0)}
			k.entry = entry{sess: fakeSession{}, in: s, prev: s.last}
			if s.last != nil {
				s.last.next = k
			} else {
				s.first = k
			}
			s.last = k
			want = append(want, k)
		} else {
			i := rand.IntN(len(want))
			r.leave(want[i])
			r.leave(want[i]) // a second time does nothing
			want = slices.Delete(want, i, i+1)
		}
		var got, back []*mark
		for k := s.first; k != nil; k = k.next {
			got = append(got, k)
		}
		for k := s.last; k != nil; k = k.prev {
			back = append(back, k)
		}
		slices.Reverse(back)
		if !slices.Equal(got, want) || !slices.Equal(back, want) {
			t.Fatalf("step %d: %d marks forwards and %d backwards, want %d", step, len(got), len(back), len(want))
		}
	}
	r.leave(&mark{}) // of a call made here
}

type fakeSession struct{ erpc.Session }
