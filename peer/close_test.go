package peer_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/memory"
)

// slowConn is a connection whose Close returns only after Close of all others was
// called. TLS connections behave like that when the other side does not read.
type slowConn struct {
	net.Conn
	all  *sync.WaitGroup
	once sync.Once
}

func (c *slowConn) Close() error {
	c.once.Do(c.all.Done)
	c.all.Wait()
	return c.Conn.Close()
}

// A peer closes its sessions at the same time, not one after another.
func TestCloseIsParallel(t *testing.T) {
	for name, end := range map[string]func(*peer.Peer) error{
		"close":    (*peer.Peer).Close,
		"shutdown": func(p *peer.Peer) error { return p.Shutdown(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			const sessions = 40
			p := peer.New(peer.Config{})
			var all sync.WaitGroup
			all.Add(sessions)
			for range sessions {
				here, there := net.Pipe()
				defer there.Close()
				if _, st := p.ServeConn(&slowConn{Conn: here, all: &all}); !st.OK() {
					t.Fatal(st)
				}
			}
			ended := make(chan error, 1)
			go func() { ended <- end(p) }()
			if err := receive(t, "the sessions to be closed", ended); err != nil {
				t.Error(err)
			}
			if n := p.CountSession(); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
		})
	}
}

// A peer that dials itself has two sessions with different ids.
func TestPeerDialsItself(t *testing.T) {
	for range 20 {
		p := peer.New(peer.Config{LocalIP: "127.0.0.1"})
		lis, err := p.Listen()
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- p.Serve(lis) }()
		sess, st := p.Dial(lis.Addr().String())
		if !st.OK() {
			t.Fatal(st)
		}
		if st := sess.Call("/none", nil, nil).Status(); st.Code() != message.CodeNotFound {
			t.Errorf("the session ended: %v", st)
		}
		if n := p.CountSession(); n != 2 {
			t.Errorf("%d sessions", n)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		receive(t, "Serve to return", served)
	}
}

// Two connections with one address have different ids already in their connect
// hooks, and neither takes the other's place.
func TestDefaultIDsOfOneAddress(t *testing.T) {
	ids := make(chan string, 2)
	let := make(chan struct{})
	p := peer.New(peer.Config{}, acceptHook(func(s session.PreSession) *message.Status {
		ids <- s.ID()
		<-let
		return nil
	}))
	defer p.Close()
	var wg sync.WaitGroup
	for range 2 {
		here, there := net.Pipe()
		defer there.Close()
		wg.Go(func() {
			if _, st := p.ServeConn(addressed{here, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7}}); !st.OK() {
				t.Error(st)
			}
		})
	}
	first, second := receive(t, "a hook", ids), receive(t, "the other hook", ids)
	if first == second {
		t.Errorf("both are %s", first)
	}
	close(let)
	wg.Wait()
	if n := p.CountSession(); n != 2 {
		t.Errorf("%d sessions", n)
	}
}

// An ID that a program chose displaces another session; one derived from an address
// does not.
func TestDefaultIDDoesNotTakeOver(t *testing.T) {
	let := make(chan struct{})
	p := peer.New(peer.Config{}, acceptHook(func(s session.PreSession) *message.Status {
		if s.RemoteAddr().(*net.TCPAddr).Port == 7 {
			<-let
		}
		return nil
	}))
	defer p.Close()
	open := func(port int) (session.Session, *message.Status) {
		here, there := net.Pipe()
		t.Cleanup(func() { _ = there.Close() })
		return p.ServeConn(addressed{here, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: port}})
	}
	late := make(chan session.Session, 1)
	go func() {
		s, _ := open(7)
		late <- s
	}()
	chosen, st := open(8)
	if !st.OK() {
		t.Fatal(st)
	}
	chosen.SetID("10.0.0.1:7")
	close(let)
	s := receive(t, "the session", late)
	if got, _ := p.GetSession("10.0.0.1:7"); got != chosen || !chosen.Health() || s == nil || !s.Health() || s.ID() == "10.0.0.1:7" {
		t.Errorf("the name belongs to %v", got)
	}
}

// addressed is a connection with another remote address.
type addressed struct {
	net.Conn
	remote net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }

// The client of a unix socket may bind any path it likes; that does not become its
// ID.
func TestUnixClientDoesNotChooseItsID(t *testing.T) {
	p := peer.New(peer.Config{})
	defer p.Close()
	here, there := net.Pipe()
	defer there.Close()
	alice, st := p.ServeConn(here)
	if !st.OK() {
		t.Fatal(st)
	}
	alice.SetID("alice:1")
	for _, remote := range []string{"alice:1", "10.0.0.1:7", "", "@"} {
		here, there := net.Pipe()
		defer there.Close()
		s, st := p.ServeConn(unixConn{addressed{here, &net.UnixAddr{Name: remote, Net: "unix"}}})
		if !st.OK() {
			t.Fatal(st)
		}
		if want := "/run/erpc.sock#"; len(s.ID()) <= len(want) || s.ID()[:len(want)] != want {
			t.Errorf("a client bound to %q is %q", remote, s.ID())
		}
	}
	if s, ok := p.GetSession("alice:1"); !ok || s != alice || !alice.Health() {
		t.Error("alice was evicted")
	}
}

type unixConn struct{ addressed }

func (unixConn) LocalAddr() net.Addr { return &net.UnixAddr{Name: "/run/erpc.sock", Net: "unix"} }

// Strangers decide how many connections are refused, but not how many lines are
// logged.
func TestRefusedConnectionsAreLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logbook)
		on := memory.New()
		p := newPeer(t, on, peer.Config{MaxSessions: 1, Logger: slog.New(slog.NewTextHandler(log, nil))})
		serve(t, p, "a")
		cli := newPeer(t, on, peer.Config{})
		dial(t, cli, "a")
		for i := range 100 {
			if i == 50 {
				time.Sleep(2 * time.Second)
			}
			if s, st := cli.Dial("a"); st.OK() {
				<-s.CloseNotify()
			}
			synctest.Wait()
		}
		if n := strings.Count(log.String(), "connection refused"); n != 2 || !strings.Contains(log.String(), "also_refused=49") {
			t.Errorf("%d lines:\n%s", n, log)
		}
		if n := p.Stats().Refused; n != 100 {
			t.Errorf("%d were counted", n)
		}
	})
}

// A shutdown without sessions ends at once.
func TestIdleShutdownIsQuick(t *testing.T) {
	p := peer.New(peer.Config{})
	var err error
	d := wait.Took(func() { err = p.Shutdown(t.Context()) })
	if err != nil {
		t.Fatal(err)
	}
	if d > 200*time.Millisecond {
		t.Errorf("a peer without sessions took %v", d)
	}
}

// A listener that was opened and is not served ends with the peer, and its address is
// free again.
func TestListenerWithoutServeIsClosed(t *testing.T) {
	for name, end := range map[string]func(*peer.Peer) error{
		"close":               (*peer.Peer).Close,
		"shutdown":            func(p *peer.Peer) error { return p.Shutdown(t.Context()) },
		"close after a drain": func(p *peer.Peer) error { return errors.Join(p.Shutdown(t.Context()), p.Close()) },
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(name+" "+network, func(t *testing.T) {
				addr := "127.0.0.1:0"
				if network == "unix" {
					addr = filepath.Join(t.TempDir(), "socket")
				}
				p := peer.New(peer.Config{})
				idle, err := p.ListenOn(network, addr)
				if err != nil {
					t.Fatal(err)
				}
				served, err := p.ListenOn("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				given, err := p.ListenOn("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				_ = given.Close() // as its owner may; the peer does not report it
				ended := make(chan error, 1)
				go func() { ended <- p.Serve(served) }()
				wait.Until(t, longest, "the listener to be served", func() bool { return len(p.Listeners()) == 1 })
				if err := end(p); err != nil {
					t.Error(err)
				}
				if err := receive(t, "the end of Serve", ended); !errors.Is(err, peer.ErrClosed) {
					t.Errorf("Serve returned %v", err)
				}
				if _, err := idle.Accept(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the listener that is not served: %v", err)
				}
				lis, err := net.Listen(network, idle.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				_ = lis.Close() // it shows that the address is free
				if err := p.Serve(idle); !errors.Is(err, peer.ErrClosed) {
					t.Errorf("Serve after the end: %v", err)
				}
			})
		}
	}
}

// lateTransport closes the peer while it listens.
type lateTransport struct {
	socket.Stream
	peer *peer.Peer
	lis  net.Listener
}

func (*lateTransport) Networks() []string { return []string{"late"} }

func (l *lateTransport) Listen(ctx context.Context, _, addr string, o *socket.Options) (net.Listener, error) {
	var err error
	l.lis, err = l.Stream.Listen(ctx, "tcp", addr, o)
	return l.lis, errors.Join(err, l.peer.Close())
}

// The same of a listener that is ready only after the end.
func TestListenerOfAClosedPeerIsClosed(t *testing.T) {
	late := new(lateTransport)
	late.peer = peer.New(peer.Config{Transports: []socket.Transport{late}})
	if _, err := late.peer.ListenOn("late", "127.0.0.1:0"); !errors.Is(err, peer.ErrClosed) {
		t.Errorf("ListenOn returned %v", err)
	}
	if _, err := late.lis.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener: %v", err)
	}
}
