package graceful

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc/peer"
)

const (
	// DefaultTimeout is how long a shutdown may take by default.
	DefaultTimeout = 15 * time.Second
	// DefaultStart is how long a new process may take until it serves, by default.
	DefaultStart = 10 * time.Second
)

// An asked listener knows the network and address that its transport was asked to
// listen on.
type asked interface {
	Asked() (network, addr string)
}

// ErrRebootFailed says that no new process has taken over: the peers of this
// process keep serving.
var ErrRebootFailed = errors.New("erpc: reboot failed; this process serves on")

// A Group is the set of peers of a process. The zero value is empty. All methods
// may be called concurrently.
type Group struct {
	// Logger gets log lines of the group while it has no peer; otherwise the
	// loggers of the peers get them, each once. Nil discards them. It must be set
	// before the first use.
	Logger *slog.Logger

	inheritance inheritance

	mu        sync.Mutex     // guards the following
	peers     []*peer.Peer   // in the order in which they were added
	own       []net.Listener // of Listen, that are open
	timeout   time.Duration
	first     func() error
	last      func() error
	rebooting bool
	shutdown  *shutdown    // in progress
	over      []chan error // waiting for the end of any shutdown
}

// A shutdown is a shutdown in progress, for which several callers may wait. err is
// set before done is closed.
type shutdown struct {
	done chan struct{}
	err  error
}

// Add adds a peer, until it is closed.
func (g *Group) Add(p *peer.Peer) {
	g.mu.Lock()
	g.peers = append(g.peers, p)
	g.mu.Unlock()
	p.OnClose(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.peers = slices.DeleteFunc(g.peers, func(q *peer.Peer) bool { return q == p })
	})
}

// Set sets how long a shutdown may take, where 0 means [DefaultTimeout], and the
// functions to call before and after it. Both may be nil, and the timeout does not
// apply to them.
func (g *Group) Set(timeout time.Duration, first, last func() error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.timeout, g.first, g.last = timeout, first, last
}

// Inherit returns the function that a peer, whose logger is log, calls for
// listeners that a parent process has handed down, or nil if there are none.
func (g *Group) Inherit(log *slog.Logger) func(network, addr string) (net.Listener, error) {
	return g.inherit(log, false)
}

// inherit is Inherit for peers and, with own, for servers that are not.
func (g *Group) inherit(log *slog.Logger, own bool) func(network, addr string) (net.Listener, error) {
	if !g.inheritance.read(log) {
		return nil
	}
	return func(network, addr string) (net.Listener, error) { return g.inheritance.take(network, addr, own) }
}

// Shutdown shuts every peer down and returns when that is done or the timeout has
// passed. A timeout that is not positive means that of [Group.Set]. Errors are
// logged and returned. If a shutdown is in progress, it waits for that one.
func (g *Group) Shutdown(timeout ...time.Duration) error {
	g.mu.Lock()
	if s := g.shutdown; s != nil {
		g.mu.Unlock()
		<-s.done
		return s.err
	}
	s := &shutdown{done: make(chan struct{})}
	g.shutdown = s
	limit := g.timeout
	if len(timeout) > 0 && timeout[0] > 0 {
		limit = timeout[0]
	}
	if limit <= 0 {
		limit = DefaultTimeout
	}
	first, last := g.first, g.last
	g.mu.Unlock()

	log := g.logger() // while there are peers
	s.err = errors.Join(call(first), g.shutdownPeers(limit), call(last))
	if s.err != nil {
		log.Warn("shutdown was not clean", "err", s.err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shutdown = nil
	close(s.done)
	for _, ch := range g.over {
		ch <- s.err
	}
	g.over = nil
	return s.err
}

func (g *Group) shutdownPeers(limit time.Duration) error {
	g.mu.Lock()
	peers := slices.Clone(g.peers)
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	go logWaits(ctx, g.logger(), peers)
	ends := make(chan error)
	for _, p := range peers {
		go func() { ends <- p.Shutdown(ctx) }()
	}
	var errs []error
	for range peers {
		errs = append(errs, <-ends)
	}
	return errors.Join(errs...)
}

// afterShutdown returns a channel that gets the result of the next shutdown that
// ends.
func (g *Group) afterShutdown() <-chan error {
	ch := make(chan error, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = append(g.over, ch)
	return ch
}

// logger returns a logger for lines about all peers. It writes to each of their
// loggers.
func (g *Group) logger() *slog.Logger {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*slog.Logger
	for _, p := range g.peers {
		if l := p.Config().Logger; !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	switch {
	case len(all) == 1:
		return all[0]
	case len(all) == 0 && g.Logger != nil:
		return g.Logger
	}
	handlers := make([]slog.Handler, len(all)) // empty if there is no logger
	for i, l := range all {
		handlers[i] = l.Handler()
	}
	return slog.New(slog.NewMultiHandler(handlers...))
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}
