package wiretest

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/all"
)

// Limit bounds every wait of a test.
const Limit = 20 * time.Second

// A Peer is one of our peers. It is closed when the test ends.
type Peer struct {
	erpc.Peer
	Addr   string // of a server
	pushes chan Pushed
}

// Serve starts a server with the service of [Route] on a free address of
// cfg.Network, with the protocol of cfg.
func Serve(tb testing.TB, cfg erpc.PeerConfig, plugins ...erpc.Plugin) *Peer {
	tb.Helper()
	p := NewServer(tb, cfg, plugins...)
	p.Listen(tb)
	return p
}

// NewServer returns the server of [Serve] before it listens.
func NewServer(tb testing.TB, cfg erpc.PeerConfig, plugins ...erpc.Plugin) *Peer {
	tb.Helper()
	if strings.HasPrefix(cfg.Network, "unix") && cfg.ListenAddress == "" {
		cfg.ListenAddress = UnixAddr(tb)
	}
	p := newPeer(tb, cfg, plugins)
	Route(p.Peer, p.pushed)
	return p
}

// Listen serves on a free address of the peer's network and returns when it
// can be dialed.
func (p *Peer) Listen(tb testing.TB) {
	tb.Helper()
	lis, err := p.Peer.Listen()
	if err != nil {
		tb.Fatal(err)
	}
	p.Addr = lis.Addr().String()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = p.Serve(lis) // returns that the peer was closed
	}()
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Errorf("close the server: %v", err)
		}
		<-served
	})
}

// NewClient returns a client with the handlers of [RouteClient].
func NewClient(tb testing.TB, cfg erpc.PeerConfig, plugins ...erpc.Plugin) *Peer {
	tb.Helper()
	p := newPeer(tb, cfg, plugins)
	RouteClient(p.Peer, p.pushed)
	return p
}

// MustDial opens a session.
func (p *Peer) MustDial(tb testing.TB, addr string) erpc.Session {
	tb.Helper()
	sess, st := p.Dial(addr)
	if !st.OK() {
		tb.Fatalf("dial %s: %v", addr, st)
	}
	return sess
}

func newPeer(tb testing.TB, cfg erpc.PeerConfig, plugins []erpc.Plugin) *Peer {
	tb.Helper()
	Filters()
	if cfg.LocalIP == "" {
		cfg.LocalIP = "127.0.0.1"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Transports = append(all.Transports(), cfg.Transports...)
	p := &Peer{Peer: erpc.NewPeer(cfg, plugins...), pushes: make(chan Pushed, 64)}
	tb.Cleanup(func() { _ = p.Close() }) // a server is closed already, and its error was checked
	return p
}

// pushed keeps a push for WantPush, and drops it if there is no room.
func (p *Peer) pushed(m Pushed) {
	select {
	case p.pushes <- m:
	default:
	}
}

// WantPush waits for the next push to the peer and compares it with want.
func (p *Peer) WantPush(tb testing.TB, want Pushed) {
	tb.Helper()
	select {
	case got := <-p.pushes:
		if got != want {
			tb.Errorf("pushed: %+v, want %+v", got, want)
		}
	case <-time.After(Limit):
		tb.Errorf("no push within %s, want %+v", Limit, want)
	}
}

// UnixAddr returns the path of a socket, short enough for any system, in the form
// path:port that v7 requires.
func UnixAddr(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "erpc")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) }) // a temporary directory may stay
	return filepath.Join(dir, "s:0")
}
