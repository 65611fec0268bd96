package websocket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/goerpc/erpc/socket/internal/accept"
)

// prefix is the size in bytes of the length in front of a message in the stream: a
// big-endian uint32 that excludes itself.
const prefix = 4

// A conn makes a stream of a WebSocket connection. One goroutine may read while
// another one writes. A write deadline that passes ends the connection.
type conn struct {
	ws            *websocket.Conn
	local, remote net.Addr
	messages      bool

	read     accept.Deadline
	write    ending
	ctx      context.Context // ends with the connection
	cancel   context.CancelFunc
	once     sync.Once
	closed   atomic.Bool            // on this side
	tag      any                    // the tag from Config.Check
	text     atomic.Bool            // messages are written as text
	code     atomic.Int32           // the close code for a rule that the other side has broken; 0: none
	reason   atomic.Pointer[reason] // sent by Close; nil: none
	token    string                 // of the request; see Credentials
	hasToken bool

	// Of the reader: a read of the library can't be interrupted without ending the
	// connection, so a goroutine reads and Read waits for it.
	pumping bool
	in      chan *piece // whole messages, or pieces of them if they are a stream
	end     error       // why in was closed
	last    *piece      // that was received; nil: it was read to its end

	// Of the writer:
	part     []byte    // of a message that is not complete yet
	gatherer *gatherer // below the library; nil on the side that was dialed
}

// newConn returns a connection. limit is that of the peer, 0 if unknown.
func newConn(ws *websocket.Conn, local, remote net.Addr, cfg Config, limit int) *conn {
	ws.SetReadLimit(cfg.readLimit(limit))
	c := &conn{ws: ws, local: local, remote: remote, messages: cfg.Messages, in: make(chan *piece)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.write.cut = func() { _ = ws.CloseNow() } // the write tells why it ended
	c.text.Store(cfg.Messages && cfg.Text)
	ping := cfg.Ping
	if ping == 0 {
		ping = DefaultPing
	}
	if ping > 0 {
		go c.ping(ping)
	}
	return c
}

// ping sends pings and waits for their answers, until the connection ends.
func (c *conn) ping(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(c.ctx, every)
		err := c.ws.Ping(ctx)
		cancel()
		if err != nil {
			_ = c.ws.CloseNow() // the reader reports why it ended
			return
		}
	}
}

// Tag returns the tag that [Config.Check] gave to the request of the connection.
func Tag(c net.Conn) any {
	if c, ok := c.(*conn); ok {
		return c.tag
	}
	return nil
}

// Closed returns a channel that is closed once c was closed on this side,
// everything written before has been sent, and the other side has answered or is
// gone. It is nil if c is not a connection of this package.
func Closed(c net.Conn) <-chan struct{} {
	if c, ok := c.(*conn); ok {
		return c.ctx.Done()
	}
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !c.pumping {
		c.pumping = true
		go c.pump()
	}
	for c.last == nil {
		if c.closed.Load() {
			return 0, fmt.Errorf("websocket: %w", net.ErrClosed)
		}
		over, passed := c.read.Watch()
		if passed {
			return 0, fmt.Errorf("websocket: %w", os.ErrDeadlineExceeded)
		}
		select {
		case next, ok := <-c.in:
			if !ok {
				return 0, c.end
			}
			c.last = next
		case <-over: // the deadline has passed or was moved, or the connection is closed
		}
	}
	n, more := c.last.read(p)
	if !more {
		c.last.free()
		c.last = nil
	}
	return n, nil
}

// kind returns the type of a message to write.
func (c *conn) kind(b []byte) websocket.MessageType {
	if c.text.Load() && utf8.Valid(b) {
		return websocket.MessageText
	}
	return websocket.MessageBinary
}

func (c *conn) Write(p []byte) (int, error) {
	if !c.write.begin() {
		return 0, c.fail(true, os.ErrDeadlineExceeded)
	}
	defer c.write.done()
	if !c.messages {
		if err := c.send(websocket.MessageBinary, p); err != nil {
			return 0, c.fail(c.write.passed(), err)
		}
		return len(p), nil
	}
	n := len(p)
	if len(c.part) > 0 {
		c.part = append(c.part, p...)
		p = c.part
	}
	for len(p) >= prefix {
		size := int(binary.BigEndian.Uint32(p))
		if len(p)-prefix < size {
			break
		}
		b := p[prefix : prefix+size]
		if err := c.send(c.kind(b), b); err != nil {
			return 0, c.fail(c.write.passed(), err)
		}
		p = p[prefix+size:]
	}
	c.part = append(c.part[:0], p...)
	if len(c.part) == 0 && cap(c.part) > 64<<10 {
		c.part = nil // an idle connection holds no large buffer
	}
	return n, nil
}

// send writes one message.
func (c *conn) send(kind websocket.MessageType, b []byte) error {
	ctx := context.Background() // as in pump
	if c.gatherer == nil || len(b) < gatherFrom {
		return c.ws.Write(ctx, kind, b)
	}
	c.gatherer.begin()
	err := c.ws.Write(ctx, kind, b)
	ended := c.gatherer.end()
	if err == nil {
		err = ended
	}
	return err
}

// fail translates the error of an operation into one of net.Conn. late says that
// its deadline has passed.
func (c *conn) fail(late bool, err error) error {
	status := websocket.CloseStatus(err)
	why := closedBy(err)
	switch {
	case c.closed.Load():
		return fmt.Errorf("websocket: %w", net.ErrClosed)
	case late:
		return fmt.Errorf("websocket: %w", os.ErrDeadlineExceeded)
	case why != nil:
		return why
	case status == websocket.StatusNormalClosure, status == websocket.StatusGoingAway, errors.Is(err, io.EOF):
		return io.EOF
	}
	return fmt.Errorf("websocket: %w", err)
}

// Close ends the connection with a close frame, which has the code of a violation by the
// other side or the reason from SayClose. It does not wait for the close frame of the other
// side; a goroutine does, for at most five seconds.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = nil
		c.closed.Store(true)
		c.read.Wake()
		go func() {
			code, text := websocket.StatusNormalClosure, ""
			if r := c.reason.Load(); r != nil {
				code, text = r.frame()
			}
			if broken := c.code.Load(); broken != 0 {
				code, text = websocket.StatusCode(broken), ""
			}
			_ = c.ws.Close(code, text) // the other side may have ended it
			c.cancel()
		}()
	})
	return err
}

func (c *conn) SetDeadline(t time.Time) error {
	c.read.Set(t)
	c.write.set(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.read.Set(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.write.set(t)
	return nil
}

// An ending is the deadline of writing. One that passes during a write ends the
// connection, because the library can't give up a write. One that passes or is moved
// between two writes does not.
type ending struct {
	cut func() // ends the connection; to be set before the ending is used

	mu      sync.Mutex // guards the following
	at      time.Time
	timer   *time.Timer // of at; nil: none runs
	writing bool
}

// begin begins a write. It reports false if the deadline has passed.
func (e *ending) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writing = !e.passedLocked()
	return e.writing
}

// done ends what begin began.
func (e *ending) done() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.writing = false
}

func (e *ending) passed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.passedLocked()
}

func (e *ending) passedLocked() bool { return !e.at.IsZero() && !time.Now().Before(e.at) }

// look runs when the timer fires.
func (e *ending) look() {
	e.mu.Lock()
	late := e.writing && e.passedLocked()
	e.mu.Unlock()
	if late {
		e.cut()
	}
}

func (e *ending) set(at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	e.at = at
	switch wait := time.Until(at); {
	case at.IsZero():
	case wait > 0:
		e.timer = time.AfterFunc(wait, e.look)
	case e.writing:
		go e.cut() // the caller may hold a lock
	}
}
