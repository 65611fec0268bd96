package e2e

import (
	"context"
	"runtime"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// TestBurstLeavesLittleBehind: a session that once had very many calls in flight,
// with contexts that could end, takes no more memory afterwards than one that has
// not, on the calling and on the handling side.
func TestBurstLeavesLittleBehind(t *testing.T) {
	const (
		sessions = 3
		calls    = 4000
		most     = 64 << 10 // bytes a session, of both sides; a burst left 700 KiB once
	)
	kit.NoLeaks(t)
	var gate chan struct{}
	srv, addr := kit.Serve(t, erpc.PeerConfig{MaxHandlers: -1, MaxSessionHandlers: -1, InflightLimit: -1})
	erpc.HandleCall(srv, "/wait", func(ctx context.Context, n *int) (*int, error) {
		if *n >= 0 {
			<-gate
		}
		return n, nil
	})
	cli := kit.Peer(t, erpc.PeerConfig{})
	open := func() []erpc.Session {
		all := make([]erpc.Session, sessions)
		warm := -1
		for i := range all {
			all[i] = kit.Open(t, cli, addr)
			if st := all[i].Call("/wait", &warm, nil, erpc.WithContext(t.Context())).Status(); !st.OK() {
				t.Fatal(st)
			}
		}
		return all
	}
	burst := func(all []erpc.Session) {
		gate = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan erpc.CallCmd, sessions*calls)
		for n := range calls {
			for _, s := range all {
				s.AsyncCall("/wait", &n, nil, ended, erpc.WithContext(ctx))
			}
		}
		kit.Eventually(t, kit.Bound, "all at work", func() bool { return srv.Handlers() == sessions*calls })
		close(gate)
		for range sessions * calls {
			if st := kit.Await(t, "the calls", ended).Status(); !st.OK() {
				t.Fatal(st)
			}
		}
	}
	settled := func() uint64 {
		kit.Eventually(t, kit.Bound, "end of the handlers", func() bool { return srv.Handlers() == 0 })
		runtime.GC()
		runtime.GC() // two runs empty the pools
		return heap().HeapAlloc
	}
	others := open()
	burst(others) // the runtime keeps descriptors of goroutines
	for _, s := range others {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	all := open()
	before := settled()
	burst(all)
	grown := (int64(settled()) - int64(before)) / sessions
	t.Logf("%d KiB a session", grown>>10)
	if grown > most {
		t.Errorf("a session keeps %d KiB of its burst", grown>>10)
	}
	runtime.KeepAlive(all)
}
