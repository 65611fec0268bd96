package peer_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/memory"
)

func TestMain(m *testing.M) { wait.Main(m) }

// longest bounds the waits of these tests.
const longest = 20 * time.Second

// newPeer returns a peer on the transport, which is closed with the test.
func newPeer(t *testing.T, on socket.Transport, cfg peer.Config, plugins ...plugin.Plugin) *peer.Peer {
	t.Helper()
	cfg.Network, cfg.Transports = memory.Network, []socket.Transport{on}
	p := peer.New(cfg, plugins...)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// serve has the peer listen at addr until the test ends.
func serve(t *testing.T, p *peer.Peer, addr string) {
	t.Helper()
	lis, err := p.ListenOn(memory.Network, addr)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(lis) }()
	t.Cleanup(func() {
		_ = p.Close() // again, with the cleanup of newPeer, which looks at its error
		if err := receive(t, "Serve to return", served); err != peer.ErrClosed {
			t.Errorf("Serve: %v", err)
		}
	})
}

// dial returns a session with the peer that listens at addr, once both sides have
// it.
func dial(t *testing.T, p *peer.Peer, addr string) session.Session {
	t.Helper()
	s, st := p.Dial(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	if st := s.Call("/nothing", nil, nil).Status(); st.Code() != message.CodeNotFound {
		t.Fatal(st)
	}
	return s
}

// noted makes p send what it is pushed at /note to the channel that it returns.
func noted(p *peer.Peer) <-chan string {
	got := make(chan string, 100)
	router.HandlePush(p, "/note", func(_ context.Context, text *string) error {
		got <- *text
		return nil
	})
	return got
}

// receive returns what comes out of ch, and fails the test if nothing does.
func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(longest):
		t.Fatalf("waited %v for %s", longest, what)
		panic("not reached")
	}
}

// A logbook collects what is logged. It may be used concurrently.
type logbook struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
