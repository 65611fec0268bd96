package e2e

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/session"
)

// swallower accepts connections and never answers.
func swallower(t *testing.T) (addr string, accepted <-chan net.Conn) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := lis.Accept()
			if err != nil {
				close(conns)
				return
			}
			conns <- c
		}
	}()
	t.Cleanup(func() {
		_ = lis.Close()
		kit.Await(t, "the listener to end", done)
		for c := range conns {
			_ = c.Close()
		}
	})
	return lis.Addr().String(), conns
}

func TestStuckPeerIsFound(t *testing.T) {
	addr, accepted := swallower(t)
	const limit = 50 * time.Millisecond
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{StuckTimeout: limit})
	defer func() { _ = kit.Await(t, "the connection", accepted).Close() }()
	start, arg := time.Now(), 1
	cmds := []erpc.CallCmd{sess.AsyncCall("/a", &arg, nil, nil), sess.AsyncCall("/b", &arg, nil, nil)}
	for _, cmd := range cmds {
		kit.Await(t, "the end of a call", cmd.Done())
		if st := cmd.Status(); st.Code() != erpc.CodeConnClosed || !errors.Is(st.Cause(), session.ErrStuck) {
			t.Errorf("a call to a stuck peer: %v", st)
		}
	}
	if took := time.Since(start); took < limit {
		t.Errorf("it was stuck after %v", took)
	}
	kit.Await(t, "the session to end", sess.CloseNotify())
}

// A session that may redial does so, and later calls succeed.
func TestStuckPeerIsLeft(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		srv := kit.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(srv, "/double", double)
		dials := 0
		dial := func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			dials++
			if dials == 1 { // the stuck one takes everything and says nothing
				go func() { _, _ = io.Copy(io.Discard, far) }() // until it is closed
				return near, nil
			}
			_, st := srv.ServeConn(far)
			return near, st.Err()
		}
		_, sess := kit.Dial(t, "anywhere", erpc.PeerConfig{
			StuckTimeout: 50 * time.Millisecond, RedialTimes: -1, RedialInterval: time.Millisecond,
			Network: "mine", Transports: []erpc.Transport{erpc.CustomTransport{Nets: []string{"mine"}, DialFunc: dial}},
		})
		arg, res := 4, 0
		if st := sess.Call("/double", &arg, &res).Status(); !errors.Is(st.Cause(), session.ErrStuck) {
			t.Errorf("the call to the stuck peer: %v", st)
		}
		if st := sess.Call("/double", &arg, &res).Status(); !st.OK() || res != 8 {
			t.Errorf("the call after that: %v, %d", st, res)
		}
	})
}

// A session without pending calls, or one that receives anything, is not stuck.
func TestSlowOrIdlePeerIsNotStuck(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		const limit = time.Second
		near, far := net.Pipe()
		srv := kit.Peer(t, erpc.PeerConfig{})
		erpc.HandleCall(srv, "/slow", func(ctx context.Context, arg *string) (*string, error) {
			for range 20 { // twenty messages in ten times the limit
				time.Sleep(limit / 2)
				if st := erpc.CallCtxFrom(ctx).Session().Push("/still/there", arg); !st.OK() {
					return nil, st.Err()
				}
			}
			return arg, nil
		})
		cli := kit.Peer(t, erpc.PeerConfig{StuckTimeout: limit})
		if _, st := srv.ServeConn(far); !st.OK() {
			t.Fatal(st)
		}
		sess, st := cli.ServeConn(near)
		if !st.OK() {
			t.Fatal(st)
		}
		time.Sleep(10 * limit) // idle
		text, result := "x", ""
		if st := sess.Call("/slow", &text, &result).Status(); !st.OK() || result != text {
			t.Errorf("a slow call of a peer that is alive: %v, %q", st, result)
		}
	})
}

func TestPeerStats(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	erpc.HandleCall(srv, "/double", double)
	cli, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	const n = 5
	for arg := range n {
		if st := sess.Call("/double", &arg, new(int)).Status(); !st.OK() {
			t.Fatal(st)
		}
	}
	check := func(when string, open int) {
		t.Helper()
		c, s := cli.Stats(), srv.Stats()
		if c.MessagesOut != n || c.MessagesIn != n || s.MessagesIn != n || s.MessagesOut != n {
			t.Errorf("%s: client %+v, server %+v", when, c, s)
		}
		if c.BytesOut != s.BytesIn || c.BytesIn != s.BytesOut || c.Writes == 0 || s.Reads == 0 {
			t.Errorf("%s: client %+v, server %+v", when, c, s)
		}
		if c.Dials != 1 || s.Accepts != 1 || c.Connections != open || s.Connections != open || c.Ended != 1-open || s.Ended != 1-open {
			t.Errorf("%s: client %+v, server %+v", when, c, s)
		}
		if c.Pending != 0 || c.Sessions != open {
			t.Errorf("%s: client %+v", when, c)
		}
	}
	check("open", 1)
	_ = sess.Close()
	for end := time.Now().Add(kit.Bound); srv.CountSession() > 0 || srv.Stats().Ended == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server does not notice")
		}
	}
	check("ended", 0) // counters keep their values
	if _, st := cli.Dial("127.0.0.1:1"); st.OK() {
		t.Fatal("somebody listens on port 1")
	}
	if c := cli.Stats(); c.Dials != 2 || c.DialErrors != 1 {
		t.Errorf("after a dial that failed: %+v", c)
	}
}
