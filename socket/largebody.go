package socket

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// A large body that is already bytes is not copied: its sender becomes the leader
// and writes it from where it lies, with writes that may block. What is queued,
// with the head of the frame at its end, goes with it in one write. What others
// send meanwhile is queued. If the sender's context ends, or the socket is closed,
// the write is interrupted; the rest is then copied and left to a goroutine,
// because half a frame can't be taken back.

// Sizes in bytes from which a body is sent this way. They are smaller for messages
// of streams, whose senders are held back anyway and wait with their next message.
const (
	largeBody       = 256 << 10
	largeStreamBody = 16 << 10
)

// errInterrupted ends the writing of a leader that must not block any longer.
var errInterrupted = errors.New("socket: interrupted")

// A bodyWrite is the sending of one large body. The writer's mutex guards it.
type bodyWrite struct{ interrupted bool }

// interrupt is [writer.interruptLocked], unless b has been sent: the deadline would end
// another write.
func (w *writer) interrupt(b *bodyWrite) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.crowd.body == b {
		w.interruptLocked(b)
	}
}

// interruptLocked ends a write in progress and lets no other begin.
func (w *writer) interruptLocked(b *bodyWrite) {
	b.interrupted = true
	_ = w.conn.SetWriteDeadline(time.Unix(1, 0)) // fails only on a closed connection, where no write blocks
}

// split returns the body of m and the head that stands in front of it, if they can
// be sent separately.
func (s *Socket) split(m *message.Message, mode putMode) (head, body []byte, ok bool) {
	switch b := m.Body().(type) {
	case []byte:
		body = b
	case *[]byte:
		if b != nil {
			body = *b
		}
	}
	waits := mode.full == ByPolicy && mode.policy == Block
	large := largeBody
	if mtype := m.Mtype(); mtype == message.TypeStreamData || mtype == message.TypeStreamFull {
		large = largeStreamBody
	}
	if len(body) < large || s.out.raw == nil || m.Err() != nil || !waits {
		return nil, nil, false
	}
	_, ordered := s.proto.(proto.Sequencer)
	p, ok := s.proto.(proto.HeadPacker)
	if !ok || ordered {
		return nil, nil, false
	}
	defer func() {
		if recover() != nil { // pack runs into the same panic and reports it
			head, body, ok = nil, nil, false
		}
	}()
	head, ok = p.PackHead(m.Storage(0), m, len(body))
	return head, body, ok
}

// sendBody sends a frame that consists of head and body. It returns nil once all
// of it was written or another goroutine writes the rest, and an error if the
// other side does not get it.
func (w *writer) sendBody(ctx context.Context, head, body []byte) error {
	c, b, err := w.beginBody(ctx, head, body)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { w.interrupt(b) })()
	var writeErr error
	for c = fetch(c); c != nil; {
		var left []byte
		left, writeErr = w.writeTogether(c)
		if writeErr == nil {
			left, writeErr = w.writeBlocking(left)
		}
		if writeErr == errInterrupted {
			w.leaveRest(c, left)
			return nil
		}
		c = w.wrote(c, writeErr)
	}
	w.mu.Lock()
	w.crowd.body = nil
	w.state.move(writing)
	if b.interrupted { // after the last write
		w.resetDeadlineLocked()
	}
	if writeErr != nil {
		err = w.err // half a frame: the other side drops it
	}
	w.mu.Unlock()
	w.flush(false)
	return err
}

// writeTogether writes c and the beginning of the body behind it in one call, so
// that the head of a frame is not a packet of its own. It returns what the call
// leaves of c, which is for writeBlocking, as is the rest of the body.
func (w *writer) writeTogether(c *chunk) (left []byte, err error) {
	body := c.next
	if len(c.b) == 0 || body == nil || body.kind != lentBody {
		return c.b, nil
	}
	if err := w.boundWrite(); err != nil {
		return c.b, err
	}
	pieces := net.Buffers{c.b, body.b[:min(len(body.b), rawPiece)]}
	n, err := pieces.WriteTo(w.gather())
	w.moved.Add(uint64(n))
	first := min(int(n), len(c.b))
	body.cut(int(n) - first)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return c.b[first:], err
}

// gather returns the connection of the system, which writes several buffers at
// once.
func (w *writer) gather() net.Conn {
	if r, ok := w.conn.(ReadNotifier); ok {
		return r.NetConn()
	}
	return w.conn
}

// beginBody waits for the lead and returns what to write: what is queued, and
// the frame behind it.
func (w *writer) beginBody(ctx context.Context, head, body []byte) (*chunk, *bodyWrite, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.awaitLeadLocked(ctx); err != nil {
		return nil, nil, err
	}
	b := new(bodyWrite)
	w.crowdLocked().body = b
	w.messages++
	w.bytes += uint64(len(head) + len(body))
	w.queue.add(head)
	w.queue.addLent(body)
	c := w.queue.take()
	w.writes++
	w.grantLocked()
	return c, b, nil
}

// leaveRest leaves c, of which left is still to be written, and what follows it
// to a goroutine that may block.
func (w *writer) leaveRest(c *chunk, left []byte) {
	for p := c; p != nil; p = p.next {
		if p.kind != lentBody {
			continue
		}
		rest := p.b
		if p == c {
			rest = left
		}
		p.kind, p.b = wholeFrame, slices.Clone(rest)
		p.frame = p.b
	}
	w.putBack(c, left)
	w.mu.Lock()
	w.crowd.body = nil
	w.resetDeadlineLocked()
	w.mu.Unlock()
	w.startBlocking()
}

// resetDeadlineLocked undoes an interrupt.
func (w *writer) resetDeadlineLocked() {
	var end time.Time
	if w.life == lingering {
		end = time.Now().Add(lingerTime)
	}
	_ = w.conn.SetWriteDeadline(end) // fails only on a closed connection, as the next write will
}
