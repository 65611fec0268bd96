package cluster

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket/memory"
)

func TestPushReachesSessionOnAnyNode(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 3)
		c := nodes[2].client(t, "c")
		for i, n := range nodes {
			check(t, n.PushSession(t.Context(), nodes[2].Address(c.sess), "/said", "hi", Confirm()))
			c.wants(t, "hi")
			for _, address := range []string{nodes[2].Node() + "/nobody", "gone/c", "no address"} {
				err := n.PushSession(t.Context(), address, "/said", "hi", Confirm())
				if !errors.Is(err, ErrNobody) {
					t.Errorf("node %d to %s: %v, want ErrNobody", i, address, err)
				}
			}
		}
		c.silent(t)
	})
}

func TestPushReachesAllSessionsOfUser(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 3)
		a, b, other := nodes[0].client(t, "a"), nodes[1].client(t, "b"), nodes[1].client(t, "other")
		check(t, nodes[0].SetUser(t.Context(), a.sess, "ann. *>"))
		check(t, nodes[1].SetUser(t.Context(), b.sess, "ann. *>"))
		check(t, nodes[1].SetUser(t.Context(), other.sess, "ben"))
		check(t, nodes[2].PushUser(t.Context(), "ann. *>", "/said", "to ann", Confirm()))
		a.wants(t, "to ann")
		b.wants(t, "to ann")
		check(t, nodes[2].Broadcast(t.Context(), "/said", "to all", Except(nodes[0].Address(a.sess))))
		b.wants(t, "to all")
		other.wants(t, "to all")
		check(t, nodes[2].PushUser(t.Context(), "ann. *>", "/said", "last"))
		a.wants(t, "last")
		b.wants(t, "last")

		check(t, nodes[0].SetUser(t.Context(), a.sess, ""))
		check(t, nodes[1].SetUser(t.Context(), b.sess, "eve"))
		if err := nodes[2].PushUser(t.Context(), "ann. *>", "/said", "hi", Confirm()); !errors.Is(err, ErrNobody) {
			t.Errorf("to a user without sessions: %v, want ErrNobody", err)
		}
		if nodes[1].User(b.sess) != "eve" {
			t.Errorf("user %q, want eve", nodes[1].User(b.sess))
		}
	})
}

// If nobody is there the sender learns it at once, not after a timeout.
func TestNobodyIsToldAtOnce(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 2)
		before := time.Now()
		if err := nodes[0].PushUser(t.Context(), "nobody", "/said", "hi", Confirm()); !errors.Is(err, ErrNobody) {
			t.Errorf("%v, want ErrNobody", err)
		}
		if took := time.Since(before); took > 0 {
			t.Errorf("it was told after %v", took)
		}
	})
}

func TestPushWithoutEngineFailsAtOnce(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 2)
		c := nodes[0].client(t, "c")
		check(t, nodes[0].Join(t.Context(), c.sess, "room"))
		nodes[0].engine.SetConnected(false)
		for name, push := range map[string]func() error{
			"user":      func() error { return nodes[0].PushUser(t.Context(), "u", "/said", "hi") },
			"confirm":   func() error { return nodes[0].PushUser(t.Context(), "u", "/said", "hi", Confirm()) },
			"broadcast": func() error { return nodes[0].Broadcast(t.Context(), "/said", "hi") },
			"room":      func() error { return nodes[0].Publish(t.Context(), "room", "/said", "hi") },
			"join":      func() error { return nodes[0].Join(t.Context(), c.sess, "other") },
			"call": func() error {
				_, err := Call[int](t.Context(), nodes[0].Cluster, nodes[0].Address(c.sess), "/double", 1)
				return err
			},
		} {
			if err := push(); !errors.Is(err, ErrDown) {
				t.Errorf("%s: %v, want ErrDown", name, err)
			}
		}
		if rooms := nodes[0].Rooms(c.sess); len(rooms) != 1 || rooms[0] != "room" {
			t.Errorf("the session is in %q, want room", rooms)
		}
		check(t, nodes[1].Publish(t.Context(), "room", "/said", "missed"))
		nodes[0].engine.SetConnected(true)
		if g := kit.Await(t, "gap", c.gaps); g.Room != "room" {
			t.Errorf("told of a gap in %q, want room", g.Room)
		}
		check(t, nodes[1].Publish(t.Context(), "room", "/said", "again"))
		c.wants(t, "again")
	})
}

func TestMessageLargerThanEngineCarriesIsRefused(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		n := newNodes(t, 1)[0]
		err := n.Publish(t.Context(), "room", "/said", strings.Repeat("x", n.engine.MaxPayload()))
		if !errors.Is(err, ErrTooLarge) || erpc.StatusFromError(err).Code() != erpc.CodeTooLarge {
			t.Errorf("%v, want ErrTooLarge", err)
		}
	})
}

func TestCallReachesSessionOnAnyNode(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 2)
		c := nodes[1].client(t, "c")
		for _, n := range nodes {
			d, err := Call[int](t.Context(), n.Cluster, nodes[1].Address(c.sess), "/double", 21)
			if err != nil || *d != 42 {
				t.Errorf("%v, %v", d, err)
			}
			_, err = Call[int](t.Context(), n.Cluster, nodes[1].Address(c.sess), "/missing", 21)
			if st := erpc.StatusFromError(err); st.Code() != erpc.CodeNotFound {
				t.Errorf("a missing method: %v", err)
			}
			if _, err = Call[int](t.Context(), n.Cluster, nodes[1].Node()+"/nobody", "/double", 21); erpc.StatusFromError(err).Code() != erpc.CodeNotFound {
				t.Errorf("no session: %v", err)
			}
		}
	})
}

// blocking makes a client whose handler of /block returns only when its context
// ends.
func blocking(t *testing.T, n *testNode) (sess erpc.Session, started chan time.Time, ended chan error) {
	t.Helper()
	started, ended = make(chan time.Time, 1), make(chan error, 1)
	p := n.world.newPeer(t, erpc.PeerConfig{})
	erpc.HandleCall(p, "/block", func(ctx context.Context, _ *int) (*int, error) {
		end, _ := ctx.Deadline()
		started <- end
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	kit.Open(t, p, n.addr)
	kit.Eventually(t, kit.Bound, "the session", func() bool { return n.peer.CountSession() == 1 })
	n.peer.RangeSession(func(s erpc.Session) bool { sess = s; return false })
	return sess, started, ended
}

func TestEndOfCallerReachesHandlerOnOtherNode(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 2)
		sess, started, ended := blocking(t, nodes[1])
		ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
		defer cancel()
		failed := make(chan error, 1)
		go func() {
			_, err := Call[int](ctx, nodes[0].Cluster, nodes[1].Address(sess), "/block", 1)
			failed <- err
		}()
		if end := kit.Await(t, "the handler", started); end.IsZero() {
			t.Error("the handler has no deadline")
		}
		cancel()
		if err := kit.Await(t, "the end of the call", failed); erpc.StatusFromError(err).Code() != erpc.CodeCanceled {
			t.Errorf("the call ended with %v", err)
		}
		kit.Await(t, "the end of the handler", ended)
	})
}

func TestCallEndsWithNodeOfSession(t *testing.T) {
	for _, end := range []string{"closed", "killed"} {
		t.Run(end, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				nodes := newNodes(t, 2)
				sess, started, ended := blocking(t, nodes[1])
				failed := make(chan error, 1)
				go func() {
					_, err := Call[int](context.Background(), nodes[0].Cluster, nodes[1].Address(sess), "/block", 1)
					failed <- err
				}()
				kit.Await(t, "the handler", started)
				if end == "killed" {
					nodes[1].engine.SetConnected(false)
				} else {
					check(t, nodes[1].Close())
				}
				err := kit.Await(t, "the end of the call", failed)
				if code := erpc.StatusFromError(err).Code(); code != erpc.CodeConnClosed && (end == "killed" || code != erpc.CodeCanceled) {
					t.Errorf("%v", err)
				}
				check(t, sess.Close())
				kit.Await(t, "the end of the handler", ended)
			})
		})
	}
}

func TestTooManyCallsAreRefused(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		opt := quick
		opt.MaxCalls = 1
		w := newWorld()
		a, b := newNode(t, w, erpc.PeerConfig{}, quick), newNode(t, w, erpc.PeerConfig{}, opt)
		sess, started, ended := blocking(t, b)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := Call[int](ctx, a.Cluster, b.Address(sess), "/block", 1)
			failed <- err
		}()
		kit.Await(t, "the handler", started)
		_, err := Call[int](t.Context(), a.Cluster, b.Address(sess), "/block", 1)
		if erpc.StatusFromError(err).Code() != erpc.CodeExhausted {
			t.Errorf("one call too many: %v", err)
		}
		cancel()
		kit.Await(t, "the end of the call", failed)
		kit.Await(t, "the end of the handler", ended)
	})
}

// slowClient returns a session that does not read.
func slowClient(t *testing.T, n *testNode) (sess erpc.Session, conn net.Conn) {
	t.Helper()
	conn, err := n.world.network.Dial(t.Context(), memory.Network, n.addr, nil)
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // the test may have closed it
	synctest.Wait()
	n.peer.RangeSession(func(s erpc.Session) bool {
		if s.RemoteAddr().String() == conn.LocalAddr().String() {
			sess = s
		}
		return sess == nil
	})
	return sess, conn
}

// A push to a session that does not read is dropped and counted, and not confirmed;
// the session is told when it reads again.
func TestPushToSlowSessionIsCounted(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		w := newWorld()
		a, b := newNode(t, w, erpc.PeerConfig{}, quick), newNode(t, w, erpc.PeerConfig{QueueLimit: 64 << 10}, quick)
		slow, conn := slowClient(t, b)
		check(t, b.SetUser(t.Context(), slow, "ann"))
		text := strings.Repeat("x", 32<<10)
		for _, push := range []func(...Option) error{
			func(o ...Option) error { return a.PushSession(t.Context(), b.Address(slow), "/said", text, o...) },
			func(o ...Option) error { return a.PushUser(t.Context(), "ann", "/said", text, o...) },
		} {
			for dropped := b.Stats().Dropped; b.Stats().Dropped == dropped; synctest.Wait() {
				check(t, push())
			}
			if err := push(Confirm()); !errors.Is(err, ErrNobody) {
				t.Errorf("confirmed: %v, want ErrNobody", err)
			}
		}
		var all []byte
		buf := make([]byte, 256<<10)
		for bytes.Count(all, []byte(GapMethod)) < 2 { // one for the session, and one for the user
			k, err := conn.Read(buf)
			check(t, err)
			all = append(all, buf[:k]...)
		}
		kit.Eventually(t, kit.Bound, "no more gap", func() bool { return b.Stats().Gaps == 0 })
	})
}

// A push to a session of a node that has just died is lost without an error. If it
// is to be confirmed, the error says that the outcome is unknown; once the node
// counts as dead, the error says that nobody is there.
func TestPushToDeadNode(t *testing.T) {
	kit.Bubble(t, func(t *testing.T) {
		nodes := newNodes(t, 2)
		c := nodes[1].client(t, "c")
		check(t, nodes[1].SetUser(t.Context(), c.sess, "ann"))
		address := nodes[1].Address(c.sess)
		// It keeps its subscriptions, but nothing comes out of them.
		nodes[1].engine.mu.Lock()
		nodes[1].engine.state = memoryDown
		nodes[1].engine.mu.Unlock()
		check(t, nodes[0].PushSession(t.Context(), address, "/said", "hi"))
		check(t, nodes[0].PushUser(t.Context(), "ann", "/said", "hi"))
		failed := make(chan error, 2)
		go func() { failed <- nodes[0].PushSession(context.Background(), address, "/said", "hi", Confirm()) }()
		go func() { failed <- nodes[0].PushUser(context.Background(), "ann", "/said", "hi", Confirm()) }()
		for range cap(failed) {
			if err := kit.Await(t, "confirmation", failed); !errors.Is(err, ErrNodeGone) {
				t.Errorf("confirmed: %v, want ErrNodeGone", err)
			}
		}
		if err := nodes[0].PushSession(t.Context(), address, "/said", "hi"); !errors.Is(err, ErrNobody) {
			t.Errorf("after its death: %v, want ErrNobody", err)
		}
		c.silent(t)
	})
}
