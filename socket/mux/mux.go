package mux

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Defaults of [Config].
const (
	DefaultTimeout             = 10 * time.Second
	DefaultPeek                = 16 << 10 // bytes
	DefaultUndecided           = 4096     // connections
	DefaultUndecidedPerAddress = 256      // connections
)

// A Config bounds what a mux does for connections that have not been accepted yet.
// Zero values stand for the defaults.
type Config struct {
	// TLS, if not nil, is used with clients that begin a TLS handshake; the mux
	// then looks at what is inside. Others are served in the clear. TLS below 1.2
	// is refused, whatever the configuration says.
	TLS *tls.Config `yaml:"-" ini:"-"`
	// OnlyTLS closes connections that do not begin with TLS.
	OnlyTLS bool `yaml:"only_tls" ini:"only_tls" comment:"Close connections that do not begin with TLS"`
	// Timeout is how long a connection may take until a rule has matched, TLS
	// handshake included, and it is accepted.
	Timeout time.Duration `yaml:"timeout" ini:"timeout" comment:"Time until a connection is told apart and accepted, a TLS handshake included; 0s is 10s"`
	// Peek is how many bytes are looked at. Rules that need more do not match.
	Peek int `yaml:"peek" ini:"peek" comment:"Bytes that are looked at; 0 is 16 KiB"`
	// Undecided is how many connections may be looked at at the same time. Further
	// ones are closed at once.
	Undecided int `yaml:"undecided" ini:"undecided" comment:"Connections that are looked at at the same time; 0 is 4096"`
	// UndecidedPerAddress is how many of them may come from one IP address, or one
	// /64 of IPv6, so that one host can't keep the others out. Further ones are
	// closed at once. A value below 0 means no such bound.
	UndecidedPerAddress int `yaml:"undecided_per_address" ini:"undecided_per_address" comment:"The same for one address, or one /64 of IPv6; 0 is 256, below 0 no limit"`
	// Logger, if not nil, gets a line when connections are refused or TLS
	// handshakes fail: at most one line a second, with a count.
	Logger *slog.Logger `yaml:"-" ini:"-"`
	// Refused, if it is not nil, is told of each of these connections. It may be called
	// concurrently, and must be quick. It may be
	//
	//	func(remote string, why error) {
	//		peer.Refused(remote, erpc.NewStatusByCodeText(erpc.CodeWrongConn, why, false))
	//	}
	Refused func(remote string, why error) `yaml:"-" ini:"-"`
}

// A Mux distributes the connections of one listener to others, see the package.
type Mux struct {
	lis net.Listener
	cfg Config

	mu      sync.Mutex // guards the following
	outs    []*listener
	serving bool
	stops   bool // the last of outs was closed: nothing more is accepted from lis
	closed  bool
	timers  []*time.Timer     // that end listeners after Close
	open    int               // outs that are not closed
	looking map[net.Conn]bool // connections that are not accepted yet; true: their first bytes are still being read
	from    map[string]int    // how many of them come from an address
	lookers sync.WaitGroup
	done    chan struct{} // closed with closed

	refused note // connections above the bounds
	failed  note // TLS handshakes
}

// New returns a mux of the connections of lis, which it owns from now on. It
// panics on OnlyTLS without TLS, because nothing could be served.
func New(lis net.Listener, cfg Config) *Mux {
	if cfg.OnlyTLS && cfg.TLS == nil {
		panic("mux: OnlyTLS without a TLS configuration; set Config.TLS")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Peek <= 0 {
		cfg.Peek = DefaultPeek
	}
	if cfg.Undecided <= 0 {
		cfg.Undecided = DefaultUndecided
	}
	if cfg.UndecidedPerAddress == 0 {
		cfg.UndecidedPerAddress = DefaultUndecidedPerAddress
	}
	if cfg.TLS != nil {
		cfg.TLS = cfg.TLS.Clone()
		cfg.TLS.MinVersion = max(cfg.TLS.MinVersion, tls.VersionTLS12)
	}
	return &Mux{
		lis: lis, cfg: cfg, looking: map[net.Conn]bool{}, from: map[string]int{}, done: make(chan struct{}),
		refused: note{log: cfg.Logger, tell: cfg.Refused, text: "mux: connections were closed, because too many wait for their protocol to be recognised"},
		failed:  note{log: cfg.Logger, tell: cfg.Refused, text: "mux: TLS handshakes failed"},
	}
}

// Match returns a listener of the connections that match one of the rules, and none
// of the rules of earlier calls of Match. When all listeners are closed, the mux
// closes too: once it has decided about the connections that it looks at, or a
// second later. Match panics without a rule, and after Serve was called.
func (m *Mux) Match(rules ...Rule) net.Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.serving || len(rules) == 0 {
		panic("mux: Match without a rule, or after Serve; say first what is to be served")
	}
	l := newListener(m, rules)
	m.outs = append(m.outs, l)
	m.open++
	if a, ok := m.lis.(asked); ok {
		return &askedListener{l, a}
	}
	return l
}

// leave is called when a listener is closed. With the last one the mux stops.
func (m *Mux) leave(l *listener) error {
	m.mu.Lock()
	m.open--
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.timers = append(m.timers, time.AfterFunc(drainTime, l.end))
	if m.open > 0 {
		m.mu.Unlock()
		return nil
	}
	m.stops = true
	if !m.serving {
		m.mu.Unlock()
		return m.Close()
	}
	m.timers = append(m.timers, time.AfterFunc(drainTime, func() { _ = m.Close() })) // Serve says
	m.mu.Unlock()
	return m.lis.Close()
}

// Serve accepts connections until the mux is closed or its listener fails for good.
// It returns nil if the mux was closed.
func (m *Mux) Serve() error {
	m.mu.Lock()
	m.serving = true
	m.mu.Unlock()
	err := m.accept()
	if err == nil {
		m.lookers.Wait() // give connections their time, unless the mux is closed
	}
	_ = m.Close() // it is closed already, or its listener has failed
	m.lookers.Wait()
	return err
}

// accept looks at connections until the mux stops, for which it returns nil.
func (m *Mux) accept() error {
	pause := time.Duration(0)
	for {
		conn, err := m.lis.Accept()
		switch {
		case err == nil:
			pause = 0
			m.look(conn)
			continue
		case m.isStopped():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("mux: accept: %w", err)
		}
		// Out of descriptors, for example: connections may end, so go on.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(pause):
		case <-m.done:
		}
	}
}

// Close closes the listener, those of Match and the connections that were not
// accepted. Accepted ones stay open.
func (m *Mux) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	stopped := m.stops && m.serving
	close(m.done)
	for _, t := range m.timers {
		t.Stop() // what it would end has ended
	}
	for conn, looked := range m.looking {
		if looked {
			_ = conn.Close() // nothing was sent on it
		}
	}
	m.mu.Unlock()
	if stopped {
		return nil
	}
	if err := m.lis.Close(); err != nil {
		return fmt.Errorf("mux: close: %w", err)
	}
	return nil
}

func (m *Mux) isStopped() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed || m.stops
}

// look starts to look at a connection, on a goroutine of its own.
func (m *Mux) look(conn net.Conn) {
	from := origin(conn.RemoteAddr())
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.enterLocked(conn, from) {
		_ = conn.Close() // nothing was sent on it
		return
	}
	m.lookers.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), m.cfg.Timeout)
		defer cancel()
		taken := m.decide(ctx, conn)
		m.mu.Lock()
		m.leaveLocked(conn, from)
		m.mu.Unlock()
		if !taken {
			_ = conn.Close() // discarded
		}
	})
}

var errTooMany = errors.New("mux: too many connections wait to be told apart; see Undecided and UndecidedPerAddress")

// enterLocked counts a connection that is going to be looked at, unless there are
// too many.
func (m *Mux) enterLocked(conn net.Conn, from string) bool {
	if m.closed {
		return false
	}
	if len(m.looking) >= m.cfg.Undecided || from != "" && m.cfg.UndecidedPerAddress > 0 && m.from[from] >= m.cfg.UndecidedPerAddress {
		m.refused.add(conn.RemoteAddr(), errTooMany)
		return false
	}
	m.looking[conn] = true
	if from != "" {
		m.from[from]++
	}
	return true
}

// leaveLocked forgets a connection that was looked at.
func (m *Mux) leaveLocked(conn net.Conn, from string) {
	delete(m.looking, conn)
	if from == "" {
		return
	}
	m.from[from]--
	if m.from[from] == 0 {
		delete(m.from, from)
	}
}

// origin names the host that a connection comes from, "" if it has no IP address,
// as over a Unix socket. A host of IPv6 has a /64 at its disposal.
func origin(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return ""
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return network.String()
}

// decide finds the listener of a connection and reports whether it was accepted
// there.
func (m *Mux) decide(ctx context.Context, conn net.Conn) (taken bool) {
	defer func() {
		if recover() != nil { // a user's rule, on bytes of a stranger
			taken = false
		}
	}()
	end, _ := ctx.Deadline()
	if conn.SetDeadline(end) != nil {
		return false
	}
	outer := m.outs
	if m.cfg.TLS != nil {
		outer = append([]*listener{{rules: []Rule{TLS}}}, m.outs...)
		if m.cfg.OnlyTLS {
			outer = outer[:1]
		}
	}
	used, to, err := m.first(conn, outer)
	if err != nil {
		return false
	}
	if to.mux == nil {
		inner := tls.Server(used, m.cfg.TLS)
		if err := inner.HandshakeContext(ctx); err != nil {
			m.failed.add(conn.RemoteAddr(), err)
			return false
		}
		used, to, err = m.first(inner, m.outs)
		if err != nil {
			return false
		}
	}
	if conn.SetDeadline(time.Time{}) != nil {
		return false
	}
	m.mu.Lock()
	m.looking[conn] = false // from here on it may be accepted
	m.mu.Unlock()
	select {
	case to.conns <- used:
		return true
	case <-to.over:
	case <-m.done:
	case <-ctx.Done():
	}
	return false
}

var errNoMatch = errors.New("mux: no rule matches")

// errTooSlow ends a connection whose first bytes come in so many pieces that
// looking at them costs too much.
var errTooSlow = errors.New("mux: the first bytes come in too many pieces")

// firstPeek is how many bytes are looked at to begin with: enough for all but the
// head of an HTTP request.
const firstPeek = 256

// maxLooks bounds the work for one connection: rules look at no more than maxLooks
// times the bytes that they may see. A head of a few kilobytes that comes byte by
// byte is within that; one that is drawn out to cost us time is not.
const maxLooks = 256

// first reads until a rule of outs matches. The connection that it returns begins
// with what was read, without the empty lines in front of a request.
func (m *Mux) first(conn net.Conn, outs []*listener) (net.Conn, *listener, error) {
	p := newPeeker(conn)
	c := newChooser(outs)
	looked := 0
	for buf := make([]byte, min(firstPeek, m.cfg.Peek)); ; {
		n, err := p.peek(buf)
		looked += n
		if looked > maxLooks*m.cfg.Peek {
			return nil, nil, errTooSlow
		}
		empty, sure := emptyLines(buf[:n])
		if sure || err != nil {
			to, v := c.choose(buf[empty:n], n == m.cfg.Peek)
			switch {
			case n > empty && v == Yes:
				conn, err := p.conn(buf[:n], empty)
				return conn, to, err
			case n > empty && v == No:
				return nil, nil, errNoMatch
			}
		}
		if err != nil {
			return nil, nil, err
		}
		if n == len(buf) {
			if n == m.cfg.Peek {
				return nil, nil, errNoMatch
			}
			buf = append(buf, make([]byte, min(len(buf), m.cfg.Peek-len(buf)))...)
		}
	}
}

// A chooser asks the rules of listeners about the first bytes of one connection. A
// rule that has said No is not asked again.
type chooser struct {
	outs []*listener
	out  int // the listener whose rule said Maybe last
	rule int // that rule
}

func newChooser(outs []*listener) *chooser { return &chooser{outs: outs} }

// choose asks the rules in order. One that says Maybe holds up those behind it,
// unless no more bytes will follow.
func (c *chooser) choose(head []byte, last bool) (*listener, Verdict) {
	if len(head) == 0 {
		return nil, Maybe
	}
	for ; c.out < len(c.outs); c.out++ {
		l := c.outs[c.out]
		for ; c.rule < len(l.rules); c.rule++ {
			v := l.rules[c.rule](head)
			switch {
			case v == Yes:
				return l, Yes
			case v == Maybe && !last:
				return nil, Maybe
			}
		}
		c.rule = 0
	}
	return nil, No
}
