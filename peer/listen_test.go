package peer_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket/memory"
)

// listenHook is called when an address is bound.
type listenHook func(net.Addr) error

func (listenHook) Name() string                  { return "listen hook" }
func (f listenHook) PostListen(a net.Addr) error { return f(a) }

// acceptHook is called when a connection is accepted.
type acceptHook func(session.PreSession) *message.Status

func (acceptHook) Name() string                                      { return "accept hook" }
func (f acceptHook) PostAccept(s session.PreSession) *message.Status { return f(s) }

// closeTold is a listener that counts calls of Close.
type closeTold struct {
	net.Listener
	closes int
}

func (l *closeTold) Close() error {
	l.closes++
	return nil
}

// A peer serves several listeners, and forgets one that ends.
func TestListeners(t *testing.T) {
	on := memory.New()
	bound := make(chan net.Addr, 3)
	p := newPeer(t, on, peer.Config{}, listenHook(func(a net.Addr) error { bound <- a; return nil }))
	var listeners []net.Listener
	served := make(chan error, 3)
	for _, addr := range []string{"a", "b", "c"} {
		lis, err := p.ListenOn(memory.Network, addr)
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, lis)
		go func() { served <- p.Serve(lis) }()
		if a := receive(t, "the hook", bound); a.String() != addr {
			t.Errorf("bound %v, want %s", a, addr)
		}
	}
	if got := p.Listeners(); !slices.Equal(got, listeners) {
		t.Errorf("listeners: %v", got)
	}
	cli := newPeer(t, on, peer.Config{})
	for _, addr := range []string{"a", "b", "c"} {
		dial(t, cli, addr)
	}
	if err := listeners[1].Close(); err != nil { // not by the peer
		t.Error(err)
	}
	if err := receive(t, "Serve to return", served); !errors.Is(err, net.ErrClosed) || errors.Is(err, peer.ErrClosed) {
		t.Errorf("Serve of a listener that somebody closed: %v", err)
	}
	if got := p.Listeners(); !slices.Equal(got, []net.Listener{listeners[0], listeners[2]}) {
		t.Errorf("listeners: %v", got)
	}
	if n := p.CountSession(); n != 3 {
		t.Errorf("%d sessions", n)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := receive(t, "Serve to return", served); err != peer.ErrClosed {
			t.Errorf("Serve: %v", err)
		}
	}
}

// A closed peer does not listen any more, and closes the listeners that it is given
// to serve.
func TestClosedPeerServesNothing(t *testing.T) {
	p := newPeer(t, memory.New(), peer.Config{})
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if lis, err := p.Listen(); err != peer.ErrClosed || lis != nil {
		t.Errorf("Listen: %v %v", lis, err)
	}
	if err := p.ListenAndServe(); err != peer.ErrClosed {
		t.Errorf("ListenAndServe: %v", err)
	}
	var lis closeTold
	if err := p.Serve(&lis); err != peer.ErrClosed || lis.closes != 1 {
		t.Errorf("Serve: %v, and the listener was closed %d times", err, lis.closes)
	}
	here, there := net.Pipe()
	defer there.Close()
	if s, st := p.ServeConn(here); st.Code() != message.CodeConnClosed || s != nil {
		t.Errorf("ServeConn: %v %v", s, st)
	}
	if _, err := there.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
	if s, st := p.Dial("a"); st.Code() != message.CodeConnClosed || s != nil {
		t.Errorf("Dial: %v %v", s, st)
	}
}

// A hook that fails or panics ends its listener, not the process or the peer.
func TestListenHookFails(t *testing.T) {
	on := memory.New()
	no := errors.New("no")
	fail := func() error { return no }
	p := newPeer(t, on, peer.Config{}, listenHook(func(net.Addr) error { return fail() }))
	for _, c := range []struct {
		what string
		fail func() error
		want string
	}{
		{"fails", fail, "no"},
		{"panics", func() error { panic("no way") }, "no way"},
	} {
		fail = c.fail
		lis, err := p.ListenOn(memory.Network, "a")
		if err != nil {
			t.Fatal(err) // also if the one before was not closed
		}
		if err := p.Serve(lis); err == nil || !strings.Contains(err.Error(), `"listen hook"`) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("a hook that %s: %v", c.what, err)
		}
		if n := len(p.Listeners()); n != 0 {
			t.Errorf("a hook that %s: %d listeners", c.what, n)
		}
	}
	fail = func() error { return nil }
	serve(t, p, "a")
	dial(t, newPeer(t, on, peer.Config{}), "a")
}

// flaky is a listener whose first Accepts fail.
type flaky struct {
	net.Listener
	mu   sync.Mutex // guards errs
	errs []error
}

func (f *flaky) Accept() (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	return f.Listener.Accept()
}

// A listener goes on accepting after a passing error, such as running out of
// descriptors.
func TestAcceptErrorsPass(t *testing.T) {
	on := memory.New()
	p := newPeer(t, on, peer.Config{})
	lis, err := p.ListenOn(memory.Network, "a")
	if err != nil {
		t.Fatal(err)
	}
	tooMany := errors.New("too many open files")
	served := make(chan error, 1)
	go func() { served <- p.Serve(&flaky{Listener: lis, errs: []error{tooMany, tooMany}}) }()
	dial(t, newPeer(t, on, peer.Config{}), "a")
	if s := p.Stats(); s.AcceptErrors != 2 || s.Accepts != 1 {
		t.Errorf("%d calls of Accept failed, %d did not", s.AcceptErrors, s.Accepts)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := receive(t, "Serve to return", served); err != peer.ErrClosed {
		t.Errorf("Serve: %v", err)
	}
}

// Strangers can make Accept fail and succeed by turns, by connections that use up the
// descriptors and end. Lines about that are as rare as those of a listener that only fails.
func TestAcceptErrorsAreLoggedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logbook)
		on := memory.New()
		p := newPeer(t, on, peer.Config{Logger: slog.New(slog.NewTextHandler(log, nil))})
		lis, err := p.ListenOn(memory.Network, "a")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- p.Serve(&alternating{Listener: lis}) }()
		time.Sleep(2*time.Second - time.Millisecond)
		if n := p.Stats().AcceptErrors; n < 100 {
			t.Errorf("only %d calls of Accept failed", n)
		}
		if n := strings.Count(log.String(), "accept failed"); n != 2 {
			t.Errorf("%d lines in two seconds", n)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := receive(t, "Serve to return", served); err != peer.ErrClosed {
			t.Errorf("Serve: %v", err)
		}
	})
}

// alternating is a listener of which every second Accept fails. The others return
// connections that have ended.
type alternating struct {
	net.Listener
	failed bool
}

func (a *alternating) Accept() (net.Conn, error) {
	a.failed = !a.failed
	if a.failed {
		return nil, errors.New("too many open files")
	}
	ours, theirs := net.Pipe()
	return theirs, ours.Close()
}

// Close ends a connection whose hook waits for the other side; no session comes of
// it. A function given to OnClose is called once.
func TestCloseDuringAccept(t *testing.T) {
	on := memory.New()
	begun, ended := make(chan struct{}), make(chan *message.Status, 1)
	p := newPeer(t, on, peer.Config{}, acceptHook(func(s session.PreSession) *message.Status {
		close(begun)
		st := s.PreReceive(func(*message.Header) any { return nil }).Status()
		ended <- st
		return nil // it does not mind: the peer does
	}))
	calls := 0
	p.OnClose(func() { calls++ })
	serve(t, p, "a")
	s, st := newPeer(t, on, peer.Config{}).Dial("a")
	if !st.OK() {
		t.Fatal(st)
	}
	receive(t, "the hook to begin", begun)
	if n := p.CountSession(); n != 0 {
		t.Errorf("%d sessions while the hook works", n)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if st := receive(t, "the hook to end", ended); st.Code() != message.CodeConnClosed {
		t.Errorf("the hook was told %v", st)
	}
	receive(t, "the end of the other side", s.CloseNotify())
	if err := p.Shutdown(context.Background()); err != nil { // waits for nothing more
		t.Error(err)
	}
	if n := p.CountSession(); n != 0 {
		t.Errorf("%d sessions of a closed peer", n)
	}
	p.OnClose(func() { calls += 10 }) // too late: at once
	if calls != 11 {
		t.Errorf("the functions given to OnClose add up to %d, want 11", calls)
	}
}

// An address that is taken is an error, which is also logged, for programs that
// ignore it.
func TestTakenAddressIsLogged(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	var log strings.Builder
	p := peer.New(peer.Config{ListenAddress: lis.Addr().String(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer p.Close()
	if err := p.ListenAndServe(); err == nil {
		t.Error("it listens on an address that is taken")
	}
	if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, lis.Addr().String()) {
		t.Errorf("the log is %q", text)
	}
}
