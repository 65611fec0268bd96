package graceful_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/process/graceful"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/socket"
)

const aMoment = 10 * time.Second // bounds every wait

// A logbook collects log lines. It may be used concurrently.
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

func newGroup() (*graceful.Group, *logbook) {
	log := new(logbook)
	return &graceful.Group{Logger: slog.New(slog.NewTextHandler(log, nil))}, log
}

// serve adds a peer that serves on lis, with a handler that waits for gate.
func serve(t *testing.T, g *graceful.Group, cfg peer.Config, gate <-chan struct{}) (p *peer.Peer, addr string, begun chan struct{}) {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = g.Logger
	}
	p = peer.New(cfg)
	g.Add(p)
	begun = make(chan struct{}, 10)
	router.HandleCall(p, "/wait", func(context.Context, *struct{}) (*struct{}, error) {
		begun <- struct{}{}
		<-gate
		return nil, nil
	})
	lis, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(lis) }()
	t.Cleanup(func() {
		_ = p.Close() // it was shut down, or the test has failed
		if err := await(t, "Serve to return", served); !errors.Is(err, peer.ErrClosed) {
			t.Error(err)
		}
	})
	for end := time.Now().Add(aMoment); len(p.Listeners()) == 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("Serve does not begin")
		}
	}
	return p, lis.Addr().String(), begun
}

func await[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(aMoment):
		t.Fatalf("waited %v for %s", aMoment, what)
		panic("not reached")
	}
}

var local = peer.Config{LocalIP: "127.0.0.1"}

// startCall returns the end of a call that is being handled.
func startCall(t *testing.T, addr string, begun <-chan struct{}) <-chan *message.Status {
	t.Helper()
	cli := peer.New(peer.Config{})
	t.Cleanup(func() { _ = cli.Close() }) // its session has ended
	sess, st := cli.Dial(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	end := make(chan *message.Status, 1)
	go func() { end <- sess.Call("/wait", nil, nil).Status() }()
	await(t, "the handler to be at work", begun)
	return end
}

// The functions of Set run before and after the shutdown of the peers, and every
// peer is shut down.
func TestGroupShutdownOrder(t *testing.T) {
	g, log := newGroup()
	gate := make(chan struct{})
	one, addr, begun := serve(t, g, local, gate)
	two, _, _ := serve(t, g, local, gate)
	call := startCall(t, addr, begun)
	var order []string
	g.Set(0, func() error {
		order = append(order, fmt.Sprint(len(one.Listeners()), " ", len(two.Listeners())))
		close(gate)
		return nil
	}, func() error {
		order = append(order, fmt.Sprint((<-call).OK(), " ", one.CountSession(), " ", len(one.Listeners()), " ", len(two.Listeners())))
		return errors.New("not so clean")
	})
	err := g.Shutdown()
	if got := strings.Join(order, ", "); got != "1 1, true 0 0 0" {
		t.Errorf("it went %q", got)
	}
	if err == nil || !strings.Contains(err.Error(), "not so clean") || !strings.Contains(log.String(), "not so clean") {
		t.Errorf("the error of the last sweep is lost: %v; log %q", err, log)
	}
}

// A Shutdown during a shutdown waits for it, and the functions of Set run once.
func TestGroupShutdownJoins(t *testing.T) {
	g, _ := newGroup()
	gate := make(chan struct{})
	_, addr, begun := serve(t, g, local, gate)
	call := startCall(t, addr, begun)
	firsts, sweeping := 0, make(chan struct{})
	g.Set(aMoment, func() error {
		firsts++
		close(sweeping)
		return nil
	}, nil)
	ends := make(chan error, 2)
	go func() { ends <- g.Shutdown() }()
	await(t, "the shutdown to begin", sweeping)
	go func() { ends <- g.Shutdown() }()
	select {
	case err := <-ends:
		t.Fatalf("a shutdown ended with a handler at work: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(gate)
	for range 2 {
		if err := await(t, "the shutdown to end", ends); err != nil {
			t.Error(err)
		}
	}
	if st := await(t, "the call to end", call); !st.OK() || firsts != 1 {
		t.Errorf("call %v, %d first sweeps", st, firsts)
	}
}

func TestGroupShutdownTimeout(t *testing.T) {
	for name, timeouts := range map[string]struct{ set, given time.Duration }{
		"set":   {50 * time.Millisecond, 0},
		"given": {time.Hour, 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			g, log := newGroup()
			gate := make(chan struct{})
			defer close(gate)
			_, addr, begun := serve(t, g, local, gate)
			startCall(t, addr, begun)
			g.Set(timeouts.set, nil, nil)
			ended := make(chan error, 1)
			go func() { ended <- g.Shutdown(timeouts.given) }()
			if err := await(t, "the shutdown to end", ended); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it returned %v", err)
			}
			if !strings.Contains(log.String(), "deadline exceeded") {
				t.Errorf("nothing is logged: %q", log)
			}
		})
	}
}

// Signal returns when the group is shut down by another call.
func TestSignalReturnsWithShutdown(t *testing.T) {
	g, _ := newGroup()
	returned := make(chan error, 1)
	go func() { returned <- g.Signal() }()
	for end := time.Now().Add(aMoment); ; { // Signal may not be waiting yet the first time
		if err := g.Shutdown(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-returned:
			if err != nil {
				t.Error(err)
			}
			return
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatal("Signal does not return")
		}
	}
}

// bare is a transport whose listeners hide their descriptors, like those of
// transports that can't be handed down.
type bare struct{ socket.Stream }

func (bare) Networks() []string { return []string{"bare"} }

func (bare) Dial(context.Context, string, string, *socket.Options) (net.Conn, error) {
	return nil, os.ErrInvalid
}

func (b bare) Listen(ctx context.Context, _, addr string, o *socket.Options) (net.Listener, error) {
	lis, err := b.Stream.Listen(ctx, "tcp", addr, o)
	return struct{ net.Listener }{lis}, err
}

// A reboot without a listener that can be handed down returns an error and changes
// nothing.
func TestRebootSaysWhatCannotBeHandedDown(t *testing.T) {
	g, log := newGroup()
	gate := make(chan struct{})
	close(gate)
	cfg := local
	cfg.Network, cfg.Transports = "bare", []socket.Transport{bare{}}
	_, addr, begun := serve(t, g, cfg, gate)
	err := g.Reboot(aMoment)
	if !errors.Is(err, graceful.ErrRebootFailed) {
		t.Fatalf("Reboot returned %v", err)
	}
	for _, text := range []string{addr, "can't be handed"} {
		if (!strings.Contains(err.Error(), text) || !strings.Contains(log.String(), text)) && runtime.GOOS != "windows" {
			t.Errorf("%q is not said: error %q, log %q", text, err, log)
		}
	}
	if st := await(t, "a call to end", startCall(t, addr, begun)); !st.OK() {
		t.Errorf("after the reboot that failed: %v", st)
	}
}

// TestLoggersOfPeers: lines about all peers go to the logger of each peer once, and to
// that of the group only if it has no peers.
func TestLoggersOfPeers(t *testing.T) {
	g, own := newGroup()
	books := []*logbook{new(logbook), new(logbook)}
	first := slog.New(slog.NewTextHandler(books[0], nil))
	for _, l := range []*slog.Logger{first, first, slog.New(slog.NewTextHandler(books[1], nil))} {
		p := peer.New(peer.Config{Logger: l})
		t.Cleanup(func() { _ = p.Close() })
		g.Add(p)
	}
	g.Set(0, func() error { return errors.New("not so clean") }, nil)
	if err := g.Shutdown(); err == nil {
		t.Error("the error of the first sweep is lost")
	}
	for i, b := range books {
		if n := strings.Count(b.String(), "shutdown was not clean"); n != 1 {
			t.Errorf("logger %d has %d lines: %s", i, n, b)
		}
	}
	if own.String() != "" {
		t.Errorf("the group's own logger has %s", own)
	}
	_ = g.Shutdown() // without peers; its error was checked above
	if n := strings.Count(own.String(), "shutdown was not clean"); n != 1 {
		t.Errorf("without peers the group's logger has %q", own)
	}
}
