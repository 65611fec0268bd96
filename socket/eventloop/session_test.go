package eventloop_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/eventloop"
	"github.com/goerpc/erpc/socket/sockettest"
)

const patience = 10 * time.Second

// variants are the two kinds of connection: nil is plain.
func variants(t *testing.T, test func(t *testing.T, server, client *tls.Config)) {
	server, client := sockettest.TLS(t)
	t.Run("plain", func(t *testing.T) { test(t, nil, nil) })
	t.Run("tls", func(t *testing.T) { test(t, server, client) })
}

// connected returns a session at a peer that answers /echo and sends what is
// pushed to /note to the channel.
func connected(t *testing.T, server, client *tls.Config, cfg erpc.PeerConfig) (srv erpc.Peer, sess erpc.Session, notes chan string) {
	t.Helper()
	notes = make(chan string, 1000)
	note := func(_ context.Context, s *string) error { notes <- *s; return nil }
	served := cfg
	served.LocalIP = "127.0.0.1"
	srv = newPeer(served)
	cli := newPeer(cfg)
	if server != nil {
		srv.SetTLSConfig(server)
		cli.SetTLSConfig(client)
	}
	erpc.HandleCall(srv, "/echo", echo)
	erpc.HandlePush(srv, "/note", note)
	erpc.HandlePush(cli, "/note", note)
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(lis) }()
	t.Cleanup(func() {
		for _, p := range []erpc.Peer{cli, srv} {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("Serve goes on after Close")
		}
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	return srv, sess, notes
}

func call(t *testing.T, sess erpc.Session, text string) {
	t.Helper()
	var reply string
	if st := sess.Call("/echo", &text, &reply).Status(); !st.OK() || reply != text {
		t.Fatalf("echo of %d bytes: %d bytes, %v", len(text), len(reply), st)
	}
}

// asleep is how long after its last message a session surely has no goroutine.
const asleep = 150 * time.Millisecond

// Sessions go to sleep and are woken by every kind of message, repeatedly. A frame
// that is larger than any buffer arrives at a sleeping session too.
func TestWokenByMessages(t *testing.T) {
	variants(t, func(t *testing.T, server, client *tls.Config) {
		srv, sess, notes := connected(t, server, client, erpc.PeerConfig{})
		for _, pause := range []time.Duration{0, time.Millisecond, asleep, 25 * time.Millisecond, 35 * time.Millisecond} {
			for i, size := range []int{5, 5, 100_000, 5, 400_000} {
				<-time.After(pause) // silence is what is tested
				call(t, sess, strings.Repeat("x", size))
				if st := sess.Push("/note", new(string)); i%2 == 0 && !st.OK() {
					t.Fatal(st)
				}
			}
		}
		for range 25 {
			wait.For(t, patience, "a push to the server", notes)
		}
		<-time.After(asleep)
		text := "from the server"
		for back := range srv.RangeSession {
			if st := back.Push("/note", &text); !st.OK() {
				t.Fatal(st)
			}
		}
		if got := wait.For(t, patience, "a push to a sleeping client", notes); got != text {
			t.Errorf("pushed %q, got %q", text, got)
		}
	})
}

// Many callers use sessions that fall asleep between their calls: nothing is lost
// when the reading goroutine ends and the loop takes over.
func TestManyThatSleepAndWake(t *testing.T) {
	variants(t, func(t *testing.T, server, client *tls.Config) {
		_, first, _ := connected(t, server, client, erpc.PeerConfig{})
		cli, addr := first.Peer().(erpc.Peer), first.RemoteAddr().String()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				sess, st := cli.Dial(addr)
				if !st.OK() {
					t.Error(st)
					return
				}
				for k := range 25 {
					text, reply := "hello", ""
					if st := sess.Call("/echo", &text, &reply).Status(); !st.OK() || reply != text {
						t.Errorf("session %d, call %d: %q, %v", i, k, reply, st)
						return
					}
					<-time.After(time.Duration(i+k) * time.Millisecond) // close to the time at which sessions fall asleep
				}
			})
		}
		wg.Wait()
	})
}

// A sleeping session notices the end of its connection, whichever side ends it.
func TestEndsOfSleepingSessions(t *testing.T) {
	variants(t, func(t *testing.T, server, client *tls.Config) {
		for _, c := range []struct {
			name string
			end  func(here, there erpc.Session)
		}{
			{"this side", func(here, _ erpc.Session) { _ = here.Close() }}, // the test reports it
			{"the other side", func(_, there erpc.Session) { _ = there.Close() }},
		} {
			t.Run(c.name, func(t *testing.T) {
				srv, here, _ := connected(t, server, client, erpc.PeerConfig{})
				call(t, here, "hello")
				<-time.After(asleep)
				for there := range srv.RangeSession {
					c.end(here, there)
					wait.For(t, patience, "the end there", there.CloseNotify())
				}
				wait.For(t, patience, "the end here", here.CloseNotify())
			})
		}
	})
}

// The age of a session ends it while it sleeps, whether set before or during the
// sleep.
func TestAgeOfSleepingSessions(t *testing.T) {
	variants(t, func(t *testing.T, server, client *tls.Config) {
		_, sess, _ := connected(t, server, client, erpc.PeerConfig{DefaultSessionAge: 2 * asleep})
		wait.For(t, patience, "the end by the age of the peer", sess.CloseNotify())

		_, sess, _ = connected(t, server, client, erpc.PeerConfig{})
		<-time.After(asleep)
		sess.SetSessionAge(time.Millisecond)
		wait.For(t, patience, "the end by an age set late", sess.CloseNotify())
		var reply string
		if st := sess.Call("/echo", new(string), &reply).Status(); st.OK() {
			t.Error("called over a session at the end of its age")
		}
	})
}

// A client that sleeps redials.
func TestRedialFromSleep(t *testing.T) {
	srv, sess, _ := connected(t, nil, nil, erpc.PeerConfig{RedialTimes: 3, RedialInterval: time.Millisecond})
	call(t, sess, "hello")
	for range 3 {
		<-time.After(asleep)
		for there := range srv.RangeSession {
			_ = there.Close() // the count reports it
			wait.For(t, patience, "the end of a session", there.CloseNotify())
		}
		for end := time.Now().Add(patience); srv.CountSession() == 0; <-time.After(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the client has not dialed again")
			}
		}
		call(t, sess, "hello again")
	}
}

func TestDialErrors(t *testing.T) {
	tr := &eventloop.Transport{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tr.Dial(ctx, eventloop.Network, "127.0.0.1:1", &socket.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	if _, err := tr.Listen(t.Context(), eventloop.Network+"4", "[::1]:0", &socket.Options{}); err == nil {
		t.Error("listened with IPv4 on an address of IPv6")
	}
}

func echo(_ context.Context, arg *string) (*string, error) { return arg, nil }

// newPeer returns a quiet peer of the event loop.
func newPeer(cfg erpc.PeerConfig) erpc.Peer {
	cfg.Network, cfg.Transports = eventloop.Network, []erpc.Transport{&eventloop.Transport{}}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return erpc.NewPeer(cfg)
}
