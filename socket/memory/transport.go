package memory

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/internal/accept"
)

// A Transport connects listeners and dialers inside one process. Its network is
// "memory"; addresses are any names. The zero value is ready. All methods may be called
// concurrently.
type Transport struct {
	// Faults returns the faults of the next connection, for the bytes from the
	// dialing side and for those to it. Nil means none. It must be set before the
	// transport is used, and may be called concurrently.
	Faults func() (fromDialer, toDialer Fault)
	// Buffer is how many bytes a connection holds in each direction before a
	// writer waits. 0 is 64 KiB.
	Buffer int

	mu        sync.Mutex // guards the following
	listeners map[string]*listener
	next      int
}

var _ socket.Transport = (*Transport)(nil)

// New returns a transport without faults.
func New() *Transport { return new(Transport) }

// Network is the name of the network.
const Network = "memory"

// Networks implements [socket.Transport].
func (t *Transport) Networks() []string { return []string{Network} }

// errTLS refuses TLS: a secret inside one process protects nothing.
var errTLS = fmt.Errorf("memory: TLS is not available on this transport; leave the peer's TLS configuration out: %w", errors.ErrUnsupported)

// Dial implements [socket.Transport]. Nobody listening is
// [syscall.ECONNREFUSED].
func (t *Transport) Dial(ctx context.Context, network, addr string, o *socket.Options) (net.Conn, error) {
	if err := check(o); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil { // Offer could still succeed
		return nil, &net.OpError{Op: "dial", Net: network, Addr: Addr(addr), Err: err}
	}
	t.mu.Lock()
	l := t.listeners[addr]
	t.next++
	local := Addr(fmt.Sprintf("%s>%d", addr, t.next))
	t.mu.Unlock()
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: Addr(addr), Err: syscall.ECONNREFUSED}
	}
	var from, to Fault
	if t.Faults != nil {
		from, to = t.Faults()
	}
	out, in := newHalf(t.Buffer, from), newHalf(t.Buffer, to)
	ours := &conn{in: in, out: out, local: local, remote: Addr(addr)}
	theirs := &conn{in: out, out: in, local: Addr(addr), remote: local}
	if l.queue.Offer(theirs, ctx.Done()) {
		return ours, nil
	}
	err := ctx.Err()
	if err == nil {
		err = syscall.ECONNREFUSED
	}
	return nil, &net.OpError{Op: "dial", Net: network, Addr: Addr(addr), Err: err}
}

// Listen implements [socket.Transport]. An empty name, or one that ends in :0 as
// that of a peer without a port does, is replaced by a unique one.
func (t *Transport) Listen(_ context.Context, network, addr string, o *socket.Options) (net.Listener, error) {
	if err := check(o); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if addr == "" || len(addr) > 2 && addr[len(addr)-2:] == ":0" {
		t.next++
		addr = fmt.Sprintf("memory:%d", t.next)
	}
	if t.listeners[addr] != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: Addr(addr), Err: syscall.EADDRINUSE}
	}
	if t.listeners == nil {
		t.listeners = map[string]*listener{}
	}
	l := &listener{t: t, addr: Addr(addr), queue: accept.NewQueue(nil)}
	t.listeners[addr] = l
	return l, nil
}

func check(o *socket.Options) error {
	if o == nil {
		return nil
	}
	if o.TLS != nil {
		return errTLS
	}
	if err := o.Check(Network, 0); err != nil {
		return fmt.Errorf("memory: there is no kernel, and Transport.Buffer is the buffer: %w", err)
	}
	return nil
}

// An Addr is a name on a [Transport].
type Addr string

// Network implements [net.Addr].
func (Addr) Network() string { return Network }

// String implements [net.Addr].
func (a Addr) String() string { return string(a) }

type listener struct {
	t     *Transport
	addr  Addr
	queue *accept.Queue
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.queue.Accept()
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: Network, Addr: l.addr, Err: err}
	}
	return c, nil
}

func (l *listener) Close() error {
	if err := l.queue.Close(); err != nil {
		return err
	}
	l.t.mu.Lock()
	defer l.t.mu.Unlock()
	delete(l.t.listeners, string(l.addr))
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }
