package memory

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/goerpc/erpc/socket/internal/accept"
)

// A Fault describes what goes wrong with the bytes of one direction. The zero
// value is no fault. Positions count from the first byte of the connection, which
// is 1.
type Fault struct {
	Delay     time.Duration // from a write until its bytes can be read
	MaxRead   int           // no read returns more bytes; 0: no bound
	CutAt     int           // the connection breaks, both ways, before this byte; 0: never
	CorruptAt int           // the bits of this byte are flipped; 0: none
	StallAt   int           // this byte and those behind it never arrive; 0: all do
}

// A half carries the bytes of one direction.
type half struct {
	limit int
	fault Fault

	mu      sync.Mutex // guards the following
	chunks  []chunk
	n       int // bytes in chunks
	written int // bytes since the beginning
	ended   bool
	broken  error         // ends both directions; nil: not broken
	changed chan struct{} // closed at the next change
}

type chunk struct {
	b  []byte
	at time.Time // b can't be read earlier
}

func newHalf(limit int, f Fault) *half {
	if limit <= 0 {
		limit = 64 << 10
	}
	return &half{limit: limit, fault: f, changed: make(chan struct{})}
}

// changeLocked wakes those who wait.
func (h *half) changeLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// put takes as much of p as there is room for. If there is no room, it returns the
// channel to wait for.
func (h *half) put(p []byte) (n int, wait <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.broken != nil:
		return 0, nil, h.broken
	case h.ended:
		return 0, nil, syscall.EPIPE
	case h.n >= h.limit:
		return 0, h.changed, nil
	}
	n = min(len(p), h.limit-h.n)
	b := append([]byte(nil), p[:n]...)
	if at := h.fault.CutAt; at > 0 && h.written+n >= at {
		h.broken = syscall.ECONNRESET
		h.addLocked(b[:at-1-h.written])
		h.changeLocked()
		return 0, nil, h.broken
	}
	if i := h.fault.CorruptAt - 1 - h.written; h.fault.CorruptAt > 0 && i >= 0 && i < n {
		b[i] ^= 0xff
	}
	if at := h.fault.StallAt; at > 0 && h.written+n >= at {
		b = b[:max(at-1-h.written, 0)]
	}
	h.written += n
	if len(b) > 0 {
		h.addLocked(b)
		h.changeLocked()
	}
	return n, nil, nil
}

// addLocked lets b be read after the delay.
func (h *half) addLocked(b []byte) {
	if len(b) > 0 {
		h.chunks = append(h.chunks, chunk{b, time.Now().Add(h.fault.Delay)})
		h.n += len(b)
	}
}

// get fills p with what can be read. If that is nothing, it returns the channel to
// wait for, and how long to wait if the next bytes are delayed.
func (h *half) get(p []byte) (n int, wait <-chan struct{}, after time.Duration, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.chunks) == 0 {
		switch {
		case h.broken != nil:
			return 0, nil, 0, h.broken
		case h.ended:
			return 0, nil, 0, io.EOF
		}
		return 0, h.changed, 0, nil
	}
	if d := time.Until(h.chunks[0].at); d > 0 {
		return 0, h.changed, d, nil
	}
	if h.fault.MaxRead > 0 && len(p) > h.fault.MaxRead {
		p = p[:h.fault.MaxRead]
	}
	n = copy(p, h.chunks[0].b)
	h.chunks[0].b = h.chunks[0].b[n:]
	if len(h.chunks[0].b) == 0 {
		h.chunks = h.chunks[1:]
	}
	h.n -= n
	h.changeLocked()
	return n, nil, 0, nil
}

// end ends the half with err. If err is nil, what is in it can still be read.
func (h *half) end(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	if err != nil && h.broken == nil {
		h.broken = err
		h.chunks, h.n = nil, 0
	}
	h.changeLocked()
}

// A conn is one end of a connection.
type conn struct {
	in, out       *half
	local, remote Addr
	once          sync.Once
	closed        flag
	read, write   accept.Deadline
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) Read(p []byte) (int, error) {
	for {
		over, passed := c.read.Watch()
		switch {
		case c.closed.is():
			return 0, c.fail("read", net.ErrClosed)
		case passed:
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		case len(p) == 0:
			return 0, nil
		}
		n, changed, after, err := c.in.get(p)
		if n > 0 || err == io.EOF {
			return n, err
		}
		if err != nil {
			return 0, c.fail("read", err)
		}
		pause(changed, over, c.closed.ch(), after)
	}
}

func (c *conn) Write(p []byte) (n int, err error) {
	for {
		over, passed := c.write.Watch()
		switch {
		case c.closed.is():
			return n, c.fail("write", net.ErrClosed)
		case passed:
			return n, c.fail("write", os.ErrDeadlineExceeded)
		case len(p) == 0:
			return n, nil
		}
		k, changed, err := c.out.put(p)
		if err != nil {
			return n, c.fail("write", err)
		}
		n += k
		p = p[k:]
		if k == 0 {
			pause(changed, over, c.closed.ch(), 0)
		}
	}
}

// pause waits for any of the channels, and no longer than after if that is
// above 0.
func pause(changed, over, closed <-chan struct{}, after time.Duration) {
	var timer <-chan time.Time
	if after > 0 {
		t := time.NewTimer(after)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-changed:
	case <-over:
	case <-closed:
	case <-timer:
	}
}

func (c *conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: Network, Source: c.local, Addr: c.remote, Err: err}
}

// Close ends both directions. The other side can still read what was written, and
// its writes fail from now on.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = nil
		c.closed.set()
		c.out.end(nil)
		c.in.end(syscall.EPIPE)
	})
	return err
}

func (c *conn) SetDeadline(t time.Time) error {
	c.read.Set(t)
	c.write.Set(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.read.Set(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.write.Set(t)
	return nil
}
