package kit

import (
	"net"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/all"
)

// Peer returns a peer with all transports, which is closed at the end of the test.
// It does not log unless cfg has a logger.
func Peer(t testing.TB, cfg erpc.PeerConfig, plugins ...erpc.Plugin) erpc.Peer {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = Quiet()
	}
	cfg.Transports = append(all.Transports(), cfg.Transports...)
	p := erpc.NewPeer(cfg, plugins...)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Serve returns a peer that serves on a free port of the loopback address until
// the test ends.
func Serve(t testing.TB, cfg erpc.PeerConfig, plugins ...erpc.Plugin) (srv erpc.Peer, addr string) {
	t.Helper()
	if cfg.LocalIP == "" {
		cfg.LocalIP = "127.0.0.1"
	}
	srv = Peer(t, cfg, plugins...)
	return srv, Start(t, srv)
}

// Dial returns a session with the peer at addr, and the new peer that dialed it.
func Dial(t testing.TB, addr string, cfg erpc.PeerConfig, plugins ...erpc.Plugin) (cli erpc.Peer, sess erpc.Session) {
	t.Helper()
	cli = Peer(t, cfg, plugins...)
	return cli, Open(t, cli, addr)
}

// Start lets p accept sessions and returns its address.
func Start(t testing.TB, p erpc.Peer) string {
	t.Helper()
	lis, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return StartOn(t, p, lis)
}

// StartOn lets p serve lis until the test ends, and returns its address.
func StartOn(t testing.TB, p erpc.Peer, lis net.Listener) string {
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(lis) }()
	t.Cleanup(func() {
		_ = p.Close() // a second one does nothing
		if err := AwaitIn(t, Bound, "end of Serve", ended); err == nil {
			t.Error("Serve returned no error")
		}
	})
	Eventually(t, Bound, "Serve", func() bool { return len(p.Listeners()) > 0 }) // from now on Close closes the listener
	return lis.Addr().String()
}

// Open opens a session.
func Open(t testing.TB, p erpc.Peer, addr string) erpc.Session {
	t.Helper()
	var sess erpc.Session
	var st *erpc.Status
	Within(t, Bound, "dial", func() { sess, st = p.Dial(addr) })
	if !st.OK() {
		t.Fatalf("dial %s: %v", addr, st)
	}
	return sess
}
