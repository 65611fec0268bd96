package kcp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"
)

// A Conn is a connection over KCP. Its methods may be called concurrently.
type Conn struct {
	kcp    *kcpgo.UDPSession
	flow   *flow
	cfg    Config
	period time.Duration // of our keepalives; 0: none
	free   func()        // releases what is below; called once, after everything has ended
	dialed bool          // by this side, and the other side uses this package

	opening sync.Mutex  // held during the handshake
	opened  atomic.Bool // the handshake is done
	records atomic.Bool // the other side uses this package; set before opened

	reading sync.Mutex // guards the following, and Read of kcp
	in      *bufio.Reader
	data    recordReader // of in
	greeted bool         // hello was sent

	writing sync.Mutex // guards Write of kcp, and the following
	out     []byte

	users sync.WaitGroup // calls that use kcp; none begins once closed is set

	mu              sync.Mutex // guards the following, and deadlines of kcp
	closed          bool
	ended           bool          // the other side has closed
	lost            bool          // the other side is gone
	gone            error         // the reason; nil: nothing was received for patience
	readBy, writeBy time.Time     // deadlines of the user; zero: none
	heard           time.Time     // when something was last read
	said            time.Time     // when something was last written
	patience        time.Duration // how long after heard the other side counts as gone; 0: no limit
	pinging         *time.Timer
}

var _ net.Conn = (*Conn)(nil)

// never returns a deadline in the far future. In kcp-go the first deadline that is
// set does not end a Read or Write that waits already, so one is always set.
func never() time.Time { return time.Now().Add(10 * 365 * 24 * time.Hour) }

const readBuffer = 2 << 10 // bytes; more than a packet

func newConn(s *kcpgo.UDPSession, cfg Config, period time.Duration, free func()) *Conn {
	c := &Conn{kcp: s, flow: s.RemoteAddr().(*flow), cfg: cfg, period: period, free: free, heard: time.Now()}
	c.in = bufio.NewReaderSize((*wire)(c), readBuffer)
	c.data.in = c.in
	_ = s.SetDeadline(never()) // never fails
	lose := c.lose
	c.flow.onLost.Store(&lose)
	return c
}

// lose ends the connection because the other side has stopped acknowledging.
func (c *Conn) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.lost {
		return
	}
	c.lost = true
	c.gone = fmt.Errorf("kcp: the other side has acknowledged nothing for %v: %w", maxUnanswered, syscall.ETIMEDOUT)
	_ = c.kcp.SetDeadline(past) // never fails; ends Read and Write
}

// begin starts the records and keepalives. The other side sends a keepalive every
// period.
func (c *Conn) begin(period time.Duration) {
	c.records.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard, c.said = time.Now(), time.Now()
	if period > 0 {
		c.patience = max(missed*period, leastPatience)
	}
	if c.period > 0 && !c.closed {
		c.pinging = time.AfterFunc(c.period, c.ping)
	}
}

// HandshakeContext performs the handshake of an accepted connection. Read and
// Write do so if it was not called.
func (c *Conn) HandshakeContext(ctx context.Context) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.users.Done()
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) }) // fails if it is closed
	err := c.open()
	if !stop() && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// awaitFirst returns when there is something to read.
func (c *Conn) awaitFirst() error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.users.Done()
	c.reading.Lock()
	defer c.reading.Unlock()
	_, err := c.in.Peek(1)
	return err
}

// enter counts a call that uses kcp.
func (c *Conn) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.users.Add(1)
	return nil
}

func (c *Conn) open() error {
	if c.opened.Load() {
		return nil
	}
	c.opening.Lock()
	defer c.opening.Unlock()
	if c.opened.Load() {
		return nil
	}
	if err := c.greet(); err != nil {
		return c.explain(err)
	}
	c.opened.Store(true)
	return nil
}

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.enter(); err != nil {
		return 0, err
	}
	defer c.users.Done()
	if err := c.open(); err != nil {
		return 0, err
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	if err := c.usable(&c.readBy); err != nil {
		return 0, err
	}
	if !c.records.Load() {
		n, err := c.in.Read(p)
		return n, c.explain(err)
	}
	n, err := c.data.Read(p)
	if err == io.EOF {
		c.end()
	}
	return n, c.explain(err)
}

// usable returns an error if nothing can be read or written. by is the deadline to
// check.
func (c *Conn) usable(by *time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return net.ErrClosed
	case c.ended && by == &c.writeBy:
		return errEnded
	case c.gone != nil:
		return c.gone
	case !by.IsZero() && !time.Now().Before(*by):
		return os.ErrDeadlineExceeded
	}
	return nil
}

var errEnded = fmt.Errorf("kcp: write: the other side closed: %w", syscall.EPIPE)

// Write implements [net.Conn]. It returns once p is queued or sent.
func (c *Conn) Write(p []byte) (n int, err error) {
	if err := c.enter(); err != nil {
		return 0, err
	}
	defer c.users.Done()
	if err := c.open(); err != nil {
		return 0, err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	for n < len(p) {
		if err := c.usable(&c.writeBy); err != nil {
			return n, err
		}
		piece := p[n:min(len(p), n+maxRecord)]
		c.out = c.out[:0]
		if c.records.Load() {
			c.out = appendHead(c.out, recordData, len(piece))
		}
		c.out = append(c.out, piece...)
		if _, err := c.kcp.Write(c.out); err != nil { // all of it or nothing
			if why := c.usable(&c.writeBy); why != nil {
				return n, why
			}
			return n, c.explain(err)
		}
		n += len(piece)
		c.mu.Lock()
		c.said = time.Now()
		c.mu.Unlock()
	}
	return n, nil
}

// send writes a record that is not data.
func (c *Conn) send(b []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := c.kcp.Write(b)
	return err
}

// wire reads from the session of kcp-go.
type wire Conn

func (w *wire) Read(p []byte) (int, error) {
	c := (*Conn)(w)
	for {
		c.mu.Lock()
		c.setReadDeadlineLocked()
		c.mu.Unlock()
		n, err := c.kcp.Read(p)
		c.mu.Lock()
		now := time.Now()
		if err == nil {
			c.heard = now
		} else if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
			switch {
			case c.gone != nil:
				err = c.gone
			case !c.readBy.IsZero() && !now.Before(c.readBy):
				err = os.ErrDeadlineExceeded
			case c.patience > 0 && now.Sub(c.heard) >= c.patience:
				c.lost = true
				err = fmt.Errorf("kcp: nothing heard from the other side for %v: %w", c.patience, syscall.ETIMEDOUT)
			default: // the deadline was changed meanwhile
				c.mu.Unlock()
				continue
			}
		}
		c.mu.Unlock()
		return n, err
	}
}

// setReadDeadlineLocked sets the deadline of kcp, to that of the user or that of
// keepalive, whichever comes first.
func (c *Conn) setReadDeadlineLocked() {
	d := c.readBy
	if c.patience > 0 {
		if gone := c.heard.Add(c.patience); d.IsZero() || gone.Before(d) {
			d = gone
		}
	}
	switch {
	case c.gone != nil:
		d = past
	case d.IsZero():
		d = never()
	}
	_ = c.kcp.SetReadDeadline(d) // never fails
}

// explain translates an error of kcp-go for the caller.
func (c *Conn) explain(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	var ne net.Error
	switch {
	case closed:
		return net.ErrClosed
	case errors.Is(err, syscall.ETIMEDOUT):
		return err
	case errors.As(err, &ne) && ne.Timeout():
		return os.ErrDeadlineExceeded
	case errors.Is(err, errHello):
		return err
	case errors.Is(err, io.ErrClosedPipe): // another connection has come from the same address
		return fmt.Errorf("kcp: the other side has started another session: %w", syscall.ECONNRESET)
	}
	return fmt.Errorf("kcp: %v: %w", err, syscall.ECONNRESET)
}

// LocalAddr implements [net.Conn].
func (c *Conn) LocalAddr() net.Addr { return c.kcp.LocalAddr() }

// RemoteAddr implements [net.Conn].
func (c *Conn) RemoteAddr() net.Addr { return c.flow.udp }

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadline(t, true, true) }

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, true, false) }

// SetWriteDeadline implements [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, false, true) }

func (c *Conn) setDeadline(t time.Time, read, write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if read {
		c.readBy = t
		c.setReadDeadlineLocked()
	}
	if write {
		c.writeBy = t
		if t.IsZero() {
			t = never()
		}
		if !c.ended && c.gone == nil {
			_ = c.kcp.SetWriteDeadline(t) // never fails
		}
	}
	return nil
}
