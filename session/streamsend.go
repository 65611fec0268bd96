package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/goerpc/erpc/internal/bufpool"
	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// How the messages of one end of a stream share writes.
const (
	// minBurst is how many messages in a row, with none received in between, show
	// that the program does not wait for answers. The messages that follow are
	// written by another goroutine, while the program prepares the next one.
	minBurst = 2
	// maxShared is the size, in bytes, from which a message gets a write of its
	// own.
	maxShared = 16 << 10
	// maxScratch is the size, in bytes, of the largest buffer that a stream keeps
	// to encode messages.
	maxScratch = 4 << 10
)

// An outgoing is the sending half of a stream. turn is its lock: the goroutine
// that took the value out owns the other fields, and puts the value back.
type outgoing struct {
	turn  chan struct{}
	body  []byte // of the message being sent, encoded
	spare []byte // to encode the next one in
	size  int    // of the last message that was encoded
	burst int    // messages sent since the program last received one
	got   uint64 // how many messages it had received then
}

// encode encodes m into body. A body of type []byte is not copied.
func (o *outgoing) encode(m *message.Message) (err error) {
	switch m.Body().(type) {
	case nil, []byte, *[]byte:
		o.body, err = m.MarshalBody()
		return err
	}
	dst := o.spare
	if o.size >= bufpool.Min {
		dst = bufpool.Get(o.size)
	}
	o.body, err = m.AppendBody(dst[:0])
	if err != nil {
		return err
	}
	o.size, o.spare = len(o.body), o.body
	return nil
}

// sent drops the memory of the message that was sent, but keeps a small buffer.
func (o *outgoing) sent() {
	o.body = nil
	if cap(o.spare) > maxScratch {
		bufpool.Put(o.spare)
		o.spare = nil
	}
}

// flush returns which goroutine writes the message. got is how many messages were
// received before it. more says that there are messages to receive, so the program
// will not wait now.
func (o *outgoing) flush(got uint64, more bool) socket.Flush {
	if got != o.got {
		o.got, o.burst = got, 0
	}
	o.burst++
	switch {
	case len(o.body) >= maxShared:
		return socket.FlushInline
	case more || o.burst > minBurst:
		return socket.FlushAsync
	}
	return socket.FlushYield
}

// Send encodes v and sends it. It waits while the program on the other side has
// not received enough of the earlier messages, and while the connection takes no
// more. If the stream has ended it returns its status, or io.EOF if that is OK.
// Success means that the message was queued, not that it was received. The caller
// may change v when Send has returned.
func (s *Stream) Send(v any) error { return s.SendContext(s.ctx, v) }

// SendContext is Send that also ends with ctx, without damage to the stream.
func (s *Stream) SendContext(ctx context.Context, v any) error {
	select {
	case <-s.out.turn:
	case <-ctx.Done():
		return s.gaveUp(ctx)
	case <-s.done:
		return s.ended()
	}
	defer func() { s.out.turn <- struct{}{} }()
	switch s.life.State() {
	case stream.SendClosed:
		return fmt.Errorf("session: the stream to %s: nothing can be sent after CloseSend", s.method)
	case stream.Ended:
		return s.ended()
	}
	x := getExchange(s.conn, roleOutgoing)
	defer putExchange(x)
	defer s.out.sent()
	x.out.SetBodyCodec(s.codec)
	x.out.SetBody(v)
	if s.hooks.preSendMessage != nil {
		st := s.hookSend(x)
		if !st.OK() {
			return st.Err()
		}
	}
	if err := s.out.encode(&x.out); err != nil {
		return newStatus(message.CodeWriteFailed, err).HideCause().Err()
	}
	n := len(s.out.body)
	if n > s.conn.shared.StreamMessageLimit {
		return newStatus(message.CodeTooLarge, errStreamTooLarge).Err()
	}
	full, err := s.window.Acquire(ctx, stream.Charge(n))
	if err != nil {
		return s.gaveUp(ctx)
	}
	x.out.SetMtype(message.TypeStreamData)
	if full {
		x.out.SetMtype(message.TypeStreamFull)
	}
	x.out.SetBody(&s.out.body)
	return s.write(ctx, x)
}

// write sends the message in x as a frame of the stream.
func (s *Stream) write(ctx context.Context, x *exchange) error {
	x.out.SetSeq(-s.key)
	if len(s.pipe) > 0 {
		message.WithXferPipe(s.pipe...)(&x.out)
	}
	waiting, _ := s.inbox.Len()
	s.sent.Add(1) // before the write: the other side may end the stream before that returns
	gaveUp, err := s.queue(ctx, &x.out, s.out.flush(s.got.Load(), waiting > 0))
	if gaveUp { // nothing was sent
		s.sent.Add(^uint64(0))
		s.window.Undo()
		return s.gaveUp(ctx)
	}
	if st := s.conn.status(&x.out, err); !st.OK() {
		s.sent.Add(^uint64(0))
		if !s.finish(st, true) {
			return s.ended()
		}
		return st.Err()
	}
	return nil
}

// queue queues m, a message of the stream. It waits for room until ctx or the stream
// ends. Then it reports that it gave up, and m is not sent.
func (s *Stream) queue(ctx context.Context, m *message.Message, flush socket.Flush) (gaveUp bool, err error) {
	if ctx != s.ctx {
		if len(s.out.body) < maxShared { // most find room, and cost less without the joined context
			m.SetContext(ctx)
			err := s.conn.sock.Send(m, socket.NoWait, flush)
			if !isFull(err) {
				return false, err
			}
		}
		joined, stop := s.join(ctx)
		defer stop()
		ctx = joined
	}
	m.SetContext(ctx)
	err = s.conn.sock.Send(m, socket.ByPolicy, flush)
	return err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()), err
}

// join returns a context that ends with ctx and with the stream.
func (s *Stream) join(ctx context.Context) (context.Context, func()) {
	joined, cancel := context.WithCancel(ctx)
	unwatch := context.AfterFunc(s.ctx, cancel)
	return joined, func() {
		unwatch()
		cancel()
	}
}

// hookSend runs the hooks that precede the encoding of the message in x.
func (s *Stream) hookSend(x *exchange) *message.Status {
	x.swap = s.swap
	return x.hooked(func() *message.Status {
		ctx := &streamCtx{exchange: x, s: s, m: &x.out, index: s.sent.Load()}
		return run(s.hooks.preSendMessage, PreSendMessagePlugin.PreSendMessage, StreamCtx(ctx))
	})
}

// sendEnd queues m, the end of a stream. It uses the reserve of the queue and waits
// only if that is full, until the other side does not wait for the end any more. Only
// goroutines of users may call it; others use [conn.owe]. If the end can't be packed,
// for example because its status is too long or a filter is not registered, it sends
// another end that says so, because the other side waits for one.
func (s *Stream) sendEnd(m *message.Message) error {
	err := s.sendUrgent(m)
	if !unpackable(m, err) {
		return err
	}
	s.conn.replaceEnd(m, err)
	return s.sendUrgent(m)
}

func (s *Stream) sendUrgent(m *message.Message) error {
	err := s.conn.sock.Send(m, socket.Reserved, socket.FlushLater)
	if !isFull(err) {
		return err
	}
	ctx, stop := s.endContext()
	defer stop()
	defer m.SetContext(m.Context())
	m.SetContext(ctx)
	return s.conn.sock.Send(m, socket.ByPolicy, socket.FlushLater)
}

// endContext returns the context of the wait of this side's last frame for room. It
// ends when the other side does not wait for that frame any more.
func (s *Stream) endContext() (context.Context, context.CancelFunc) {
	if s.opener() {
		return s.ctx, func() {} // a stream that has ended needs no other end
	}
	ctx, stop := context.WithCancel(context.Background())
	s.mu.Lock()
	s.stopEnd = stop
	s.mu.Unlock()
	if !s.conn.streams.Load().awaited(s) { // the opener has ended it before stopEnd was set
		stop()
	}
	return ctx, stop
}

// endUnwanted says that the opener does not wait for the end of a stream that was
// handled here, because it has ended the stream itself.
func (s *Stream) endUnwanted() {
	s.conn.streams.Load().forget(s)
	s.mu.Lock()
	stop := s.stopEnd
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}
