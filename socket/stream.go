package socket

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// A large body that is bytes already is not copied: its sender, whose it is,
// becomes the leader and writes it from where it lies, with writes that block.
// What others send meanwhile is queued. If the sender's context ends, or the
// socket is closed, the write is interrupted; the rest is copied then, and
// left to a goroutine, because half a frame can't be taken back.

const streamFrom = 256 << 10 // bytes of a body that is worth it

// errInterrupted ends the writing of a leader that is not to be held any more.
var errInterrupted = errors.New("socket: interrupted")

// A stream is the sending of one large body. The outbox's mutex guards it.
type stream struct{ interrupted bool }

// A heir waits to be the leader. The outbox's mutex guards the list.
type heir struct {
	lead chan bool // of capacity 1; gets true with the lead, false if the socket can send no more
	next *heir
}

// interrupt ends a write in progress and lets none begin. The mutex is held.
func (s *stream) interrupt(o *outbox) {
	s.interrupted = true
	_ = o.conn.SetWriteDeadline(time.Unix(1, 0)) // fails only on a closed connection, where no write blocks
}

// streamable returns the body of m and what stands in front of it, if they can
// be sent apart.
func (s *Socket) streamable(m *message.Message, mode putMode) (head, body []byte, ok bool) {
	switch b := m.Body().(type) {
	case []byte:
		body = b
	case *[]byte:
		if b != nil {
			body = *b
		}
	}
	if len(body) < streamFrom || s.out.raw == nil || m.Err() != nil || s.order != nil || mode.policy != Block || mode.nowait {
		return nil, nil, false
	}
	p, ok := s.proto.(proto.HeadPacker)
	if !ok {
		return nil, nil, false
	}
	defer func() {
		if recover() != nil { // pack comes upon the same panic, and tells it
			head, body, ok = nil, nil, false
		}
	}()
	head, ok = p.PackHead(m.Storage(0), m, len(body))
	return head, body, ok
}

// stream sends a frame that consists of head and body. It returns when all of
// it was written or will be by somebody else, or an error if nothing of it will
// be.
func (o *outbox) stream(ctx context.Context, head, body []byte) error {
	o.mu.Lock()
	if err := o.succeed(ctx); err != nil {
		o.mu.Unlock()
		return err
	}
	s := new(stream)
	o.streaming = s
	o.messages++
	o.bytes += uint64(len(head) + len(body))
	o.queue.add(head)
	o.queue.addChunk(&chunk{b: body, lent: true})
	c := o.queue.take() // with what others left in front
	o.writes++
	o.wake()
	o.mu.Unlock()
	unwatch := context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.streaming == s {
			s.interrupt(o)
		}
	})
	defer unwatch()
	for c != nil {
		o.w = c.b
		if o.err = o.write(); o.err == errInterrupted {
			o.leaveRest(c)
			return nil
		}
		c = o.wrote(c)
	}
	o.mu.Lock()
	o.streaming = nil
	if s.interrupted { // too late
		o.resetDeadline()
	}
	var err error
	if o.err != nil {
		err = o.dead // the frame is not whole, so nobody will see it
	}
	o.mu.Unlock()
	o.flush(false)
	return err
}

// leaveRest leaves c, of which o.w is still to be written, to a goroutine that
// may block.
func (o *outbox) leaveRest(c *chunk) {
	for p := c; p != nil; p = p.next {
		if !p.lent {
			continue
		}
		rest := p.b
		if p == c {
			rest = o.w
		}
		*p = chunk{b: slices.Clone(rest), next: p.next}
		p.own, p.frame = true, p.b
		if p == c {
			o.w = p.b
		}
	}
	o.unwrite(c)
	o.mu.Lock()
	o.streaming = nil
	o.resetDeadline()
	o.mu.Unlock()
	o.cfg.drainers.Run(o)
}

// resetDeadline undoes an interrupt. The mutex is held.
func (o *outbox) resetDeadline() {
	var end time.Time
	if o.closing {
		end = time.Now().Add(linger)
	}
	_ = o.conn.SetWriteDeadline(end) // fails only on a closed connection, as the next write will
}

// succeed makes the caller the leader as soon as the one there, if any, has
// written what it has taken. It is called, and returns, with the mutex held.
func (o *outbox) succeed(ctx context.Context) error {
	if o.dead != nil {
		return o.dead
	}
	if !o.leading || o.left {
		o.leading, o.left = true, false
		return nil
	}
	h := &heir{lead: make(chan bool, 1)}
	at := &o.heirs
	for *at != nil {
		at = &(*at).next
	}
	*at = h
	o.mu.Unlock()
	defer o.mu.Lock()
	select {
	case ok := <-h.lead:
		if !ok {
			return o.deadErr()
		}
		return nil
	case <-ctx.Done():
	}
	if !o.renounce(h) && <-h.lead { // the lead came at the same time
		o.flush(false)
	}
	return ctx.Err()
}

// renounce reports whether h was still waiting, and lets it wait no longer.
func (o *outbox) renounce(h *heir) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for at := &o.heirs; *at != nil; at = &(*at).next {
		if *at == h {
			*at = h.next
			return true
		}
	}
	return false
}

func (o *outbox) deadErr() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dead
}

// bequeath gives the lead to who has waited longest for it, if anybody does.
// The mutex is held.
func (o *outbox) bequeath() bool {
	h := o.heirs
	if h == nil {
		return false
	}
	o.heirs = h.next
	h.lead <- true
	return true
}

// disinherit tells who waits for the lead that there is none any more. The
// mutex is held.
func (o *outbox) disinherit() {
	for h := o.heirs; h != nil; h = h.next {
		h.lead <- false
	}
	o.heirs = nil
}
