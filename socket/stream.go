package socket

import (
	"context"
	"slices"

	"github.com/erpc-go/erpc/message"
	"github.com/erpc-go/erpc/proto"
)

// A large body that is bytes already is put piece by piece: each is copied while
// those in front of it are being written, through buffers that stay in the
// cache, and no more of it waits than the queue may hold.

const (
	streamFrom  = 1 << 20   // bytes of a body that is worth it
	streamPiece = 256 << 10 // bytes that are put at a time
)

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
	if len(body) < streamFrom || m.Err() != nil || s.order != nil || mode.policy != Block || mode.nowait {
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

// stream puts a frame that consists of head and body, and sees to it that it is
// written. It returns when all of it waits to be, or an error if nothing of it
// will be.
func (o *outbox) stream(ctx context.Context, head, body []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.await(ctx, len(head), putMode{policy: Block}); err != nil {
		return err
	}
	o.streaming = true
	defer func() {
		o.streaming = false
		o.wake()
	}()
	o.messages++
	o.bytes += uint64(len(head) + len(body))
	o.queue.add(head)
	for len(body) > 0 {
		n := min(len(body), streamPiece)
		if o.queue.n > len(head) && o.queue.n+n > o.cfg.QueueLimit {
			if o.waitForRoom(ctx) != nil { // half a frame can't be taken back
				o.queue.addOwn(slices.Clone(body))
				return nil
			}
		} else {
			o.mu.Unlock()
			c := getLarge(streamPiece)
			c.b = append(c.b, body[:n]...)
			o.mu.Lock()
			o.queue.addChunk(c)
			body = body[n:]
		}
		if o.dead != nil {
			return o.dead
		}
		if !o.leading {
			o.leading = true
			o.mu.Unlock()
			o.flush(false)
			o.mu.Lock()
		}
	}
	return nil
}
