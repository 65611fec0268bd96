package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/proto/rawproto"
)

// countingCodec is JSON that counts how often it encodes.
type countingCodec struct {
	codec.Codec
	encoded *atomic.Int32
}

func (countingCodec) ID() byte     { return 200 }
func (countingCodec) Name() string { return "counting-tests" }

func (c countingCodec) Marshal(v any) ([]byte, error) {
	c.encoded.Add(1)
	return c.Codec.Marshal(v)
}

var counting = countingCodec{codec.JSONCodec{}, new(atomic.Int32)}

func init() { codec.Reg(counting) }

// renamed is the raw protocol under another name, so that a peer can have sessions
// of two protocols.
type renamed struct{ erpc.Proto }

func (renamed) Version() (byte, string) { return 77, "renamed" }

// oneByOne makes the handler of a route handle the messages of a session in order.
var oneByOne = limit.Ordered()

// listeners connects n clients, each of which sends the pushes it gets to a
// channel.
func listeners(t *testing.T, n int, addr string, pf ...erpc.ProtoFunc) (got []chan string) {
	for range n {
		c := make(chan string, 100)
		cli := kit.Peer(t, erpc.PeerConfig{})
		cli.RoutePush(&Note{Got: c}, oneByOne)
		if _, st := cli.Dial(addr, pf...); !st.OK() {
			t.Fatal(st)
		}
		got = append(got, c)
	}
	return got
}

// A broadcast reaches every session, in order, encoded once for each protocol.
func TestBroadcast(t *testing.T) {
	writes := make(hookLog, 100)
	srv, addr := kit.Serve(t, erpc.PeerConfig{}, writes.plugin("p"))
	other, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(other, func() erpc.Proto { return renamed{rawproto.New()} }) }()
	t.Cleanup(func() { _ = srv.Close(); kit.Await(t, "Serve", served) })

	const each = 5
	got := slices.Concat(listeners(t, each, addr), listeners(t, each, other.Addr().String()))
	kit.Eventually(t, kit.Bound, "all sessions", func() bool { return srv.CountSession() == 2*each })
	for len(writes) > 0 {
		<-writes
	}
	before := counting.encoded.Load()
	const rounds = 10
	for i := range rounds {
		sent, failed := srv.Broadcast("/note/down", fmt.Sprint(i), erpc.WithBodyCodec(200), erpc.WithAddMeta("k", "v"))
		if sent != 2*each || failed != nil {
			t.Errorf("round %d: sent to %d, failed %v", i, sent, failed)
		}
	}
	if n := counting.encoded.Load() - before; n != 2*rounds {
		t.Errorf("encoded %d times for %d broadcasts over two protocols", n, rounds)
	}
	for _, c := range got {
		for i := range rounds {
			if g, want := kit.Await(t, "a broadcast", c), fmt.Sprintf("/note/down %d", i); g != want {
				t.Errorf("got %s, want %s", g, want)
			}
		}
	}
	events := 0
	for len(writes) > 0 {
		if e := <-writes; e == "p.PreWritePush" {
			events++
		}
	}
	if events != 2*rounds {
		t.Errorf("PreWritePush ran %d times", events)
	}
}

func TestBroadcastToSomeAndFailures(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	got := listeners(t, 3, addr)
	kit.Eventually(t, kit.Bound, "all sessions", func() bool { return srv.CountSession() == 3 })
	var all []erpc.Session
	srv.RangeSession(func(s erpc.Session) bool {
		all = append(all, s)
		return true
	})
	gone := all[0]
	if err := gone.Close(); err != nil {
		t.Error(err)
	}
	sent, failed := erpc.BroadcastTo(all, "/note/down", "some")
	if sent != 2 || len(failed) != 1 || failed[gone.ID()].Code() != erpc.CodeConnClosed {
		t.Errorf("sent to %d, failed %v", sent, failed)
	}
	received := make(chan string, 3)
	for _, c := range got {
		go func() {
			select {
			case m := <-c:
				received <- m
			case <-t.Context().Done():
			}
		}()
	}
	for range 2 {
		if m := kit.Await(t, "a push", received); m != "/note/down some" {
			t.Errorf("got %s", m)
		}
	}
	if sent, failed := erpc.BroadcastTo(nil, "/note/down", "nobody"); sent != 0 || failed != nil {
		t.Errorf("to nobody: %d %v", sent, failed)
	}
	sent, failed = erpc.BroadcastTo(all[1:], "/note/down", func() {})
	if sent != 0 || len(failed) != 2 {
		t.Errorf("what can't be encoded: %d %v", sent, failed)
	}
	for id, st := range failed {
		if st.Code() != erpc.CodeWriteFailed {
			t.Errorf("%s: %v", id, st)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("changed my mind"))
	large := bytes.Repeat([]byte{'x'}, 8<<20) // more than a queue holds, so that it would wait
	for range 3 {
		sent, failed := srv.Broadcast("/nobody/reads", large, erpc.WithContext(ctx))
		if sent+len(failed) != 2 {
			t.Errorf("sent to %d, failed %v", sent, failed)
		}
		for id, st := range failed {
			if st.Code() != erpc.CodeCanceled {
				t.Errorf("%s: %v", id, st)
			}
		}
	}
}
