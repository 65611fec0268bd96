package overloader_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/overloader"
)

// TestConnLimit: a connection above the limit is closed without a byte and takes no
// place; its end frees none.
func TestConnLimit(t *testing.T) {
	o := overloader.New(overloader.LimitConfig{MaxConn: 2})
	srv := wiretest.Serve(t, erpc.PeerConfig{}, o)
	first, second := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr), wiretest.DialScript(t, "tcp", srv.Addr)
	eventually(t, "two sessions", func() bool { return o.Counts().NowConns == 2 })
	for range 3 {
		wiretest.DialScript(t, "tcp", srv.Addr).WantEnd()
	}
	eventually(t, "them to be counted", func() bool { return o.Counts().Conns == 3 })
	if n := o.Counts().NowConns; n != 2 {
		t.Errorf("%d places are taken after three were refused, want 2", n)
	}
	if st := add(first); !st.OK() {
		t.Error(st)
	}
	second.Close()
	eventually(t, "its place", func() bool { return o.Counts().NowConns == 1 })
	wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	eventually(t, "that to be taken", func() bool { return o.Counts().NowConns == 2 })
	wiretest.DialScript(t, "tcp", srv.Addr).WantEnd()

	if err := o.Update(overloader.LimitConfig{MaxConn: 1}); err != nil { // no session is closed
		t.Fatal(err)
	}
	if st := add(first); !st.OK() {
		t.Error(st)
	}
	wiretest.DialScript(t, "tcp", srv.Addr).WantEnd()
	if err := o.Update(overloader.LimitConfig{}); err != nil {
		t.Fatal(err)
	}
	third := wiretest.NewClient(t, erpc.PeerConfig{}).MustDial(t, srv.Addr)
	if st := add(third); !st.OK() {
		t.Error(st)
	}
}

// TestRefusedByAnother: a session that a later plugin refuses gives its place back,
// once.
func TestRefusedByAnother(t *testing.T) {
	o := overloader.New(overloader.LimitConfig{MaxConn: 5})
	refuse := &erpc.PluginImpl{PluginName: "refuse", OnPostAccept: func(erpc.PreSession) *erpc.Status { return erpc.NewStatus(1, "no") }}
	srv := wiretest.Serve(t, erpc.PeerConfig{}, o, refuse)
	for range 3 {
		wiretest.DialScript(t, "tcp", srv.Addr).WantEnd()
	}
	eventually(t, "their places", func() bool { return o.Counts().NowConns == 0 })
	if c := o.Counts(); c.Conns != 0 {
		t.Errorf("counted %+v", c)
	}
}

// TestRedialKeepsThePlace counts a dialed session once, however often its
// connection breaks.
func TestRedialKeepsThePlace(t *testing.T) {
	o := overloader.New(overloader.LimitConfig{MaxConn: 1})
	srv := wiretest.Serve(t, erpc.PeerConfig{})
	refusals := atomic.Int32{}
	moody := &erpc.PluginImpl{PluginName: "moody", OnPostDial: func(_ erpc.PreSession, again bool) *erpc.Status {
		if again && refusals.Add(1) == 1 {
			return erpc.NewStatus(1, "not yet") // what is undone here must be done again
		}
		return nil
	}}
	cli := wiretest.NewClient(t, erpc.PeerConfig{RedialTimes: -1, RedialInterval: time.Millisecond}, o, moody)
	sess := cli.MustDial(t, srv.Addr)
	if st := add(sess); !st.OK() {
		t.Fatal(st)
	}
	srv.RangeSession(func(s erpc.Session) bool { return s.Close() != nil })
	eventually(t, "the second redial", func() bool { return refusals.Load() == 2 })
	if st := add(sess); !st.OK() {
		t.Error(st)
	}
	if _, st := cli.Peer.ServeConn(pipe(t)); st.OK() {
		t.Error("there was room for a second session")
	}
	_ = sess.Close() // closing twice changes nothing
	eventually(t, "the place", func() bool { return o.Counts().NowConns == 0 })
}

func pipe(t *testing.T) net.Conn {
	a, b := net.Pipe()
	t.Cleanup(func() { _ = b.Close() }) // its error does not matter
	return a
}

// TestConnLimitExact dials from many places at once.
func TestConnLimitExact(t *testing.T) {
	const limit, dials = 7, 40
	o := overloader.New(overloader.LimitConfig{MaxConn: limit})
	srv := wiretest.Serve(t, erpc.PeerConfig{}, o)
	var wg sync.WaitGroup
	conns := make([]net.Conn, dials)
	for i := range conns {
		wg.Go(func() {
			conn, err := net.Dial("tcp", srv.Addr)
			if err != nil {
				t.Error(err)
				return
			}
			conns[i] = conn
		})
	}
	wg.Wait()
	eventually(t, "all to be judged", func() bool { c := o.Counts(); return c.Conns+uint64(c.NowConns) == dials })
	if n := o.Counts().NowConns; n != limit {
		t.Errorf("%d sessions, want %d", n, limit)
	}
	for _, c := range conns {
		_ = c.Close() // half of them are closed already
	}
	eventually(t, "all places", func() bool { return o.Counts().NowConns == 0 })
}
