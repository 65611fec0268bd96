package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// A Stream is one end of a stream of messages of one method. Either side of a
// session may open one; the handler on the other side has the other end. Messages
// flow both ways until each side has ended its sending. A sender waits if the
// program on the other side does not receive.
//
// Send may be called concurrently, Recv by one goroutine at a time; all other
// methods may be called from anywhere at any time. The typed form is
// [TypedStream].
type Stream struct {
	conn   *conn
	key    int32 // as in frames that arrive; see streams
	method string
	codec  byte   // of messages that this side sends
	pipe   []byte // transfer filters of them

	opening machine[openingState] // of a stream that this side opens

	life   stream.Life
	window *stream.Window
	inbox  *stream.Inbox[streamMessage]

	out       outgoing
	ctx       context.Context
	cancel    context.CancelCauseFunc
	drained   chan struct{}
	drainOnce sync.Once
	told      atomic.Bool   // the other side was told to drain
	done      chan struct{} // closed when it has ended

	outcome atomic.Pointer[streamOutcome]
	sent    atomic.Uint64 // messages
	got     atomic.Uint64

	meta  message.Meta  // of the opening; does not change afterwards
	begin time.Duration // on clock, when this side opened it; 0: not measured

	hooks *Hooks // around its messages; nil until its handler is known
	swap  *Swap  // for hooks; nil if there are none

	mu      sync.Mutex  // guards the following
	unwatch func() bool // stops watching ctx
	stopEnd func()      // ends the wait of the handler's end for room; nil: it does not wait
	trailer message.Meta
}

// A streamOutcome is the status with which a stream ended.
type streamOutcome struct{ st *message.Status }

func newStream(c *conn, method string, codec byte, pipe []byte) (*Stream, error) {
	inbox, err := stream.NewInbox[streamMessage](c.sess.shared.streamMemory)
	if err != nil {
		return nil, err
	}
	s := &Stream{
		conn: c, method: method, codec: codec, pipe: pipe,
		window:  stream.NewWindow(stream.InitialWindow, &c.streamTable().starved),
		inbox:   inbox,
		out:     outgoing{turn: make(chan struct{}, 1)},
		drained: make(chan struct{}),
		done:    make(chan struct{}),
	}
	s.out.turn <- struct{}{}
	return s, nil
}

// Method returns the service method.
func (s *Stream) Method() string { return s.method }

// Session returns the session that the stream belongs to.
func (s *Stream) Session() Session { return s.conn.sess }

// Context ends with the stream. Its cause is the status of the stream as an
// error, or [io.EOF] for a stream that ended well.
func (s *Stream) Context() context.Context { return s.ctx }

// Draining is closed when either side begins to shut down, or the other side has
// called [Stream.Drain]. The stream goes on, but should end soon.
func (s *Stream) Draining() <-chan struct{} { return s.drained }

// Drain closes [Stream.Draining] at the other side: its program should end the
// stream soon, and perhaps open another one elsewhere. Older versions of this
// package ignore it.
func (s *Stream) Drain() {
	if s.outcome.Load() == nil && s.told.CompareAndSwap(false, true) {
		s.conn.owe(debt{what: debtDrain, seq: -s.key})
	}
}

// Meta returns a copy of the metadata that the stream was opened with.
func (s *Stream) Meta() *message.Meta {
	m := new(message.Meta)
	s.meta.CopyTo(m)
	return m
}

// Trailer returns a copy of the metadata that arrived with the end of the other
// side's messages. The opener gets what the handler has set for its reply. It is
// empty until Recv has returned io.EOF or a status.
func (s *Stream) Trailer() *message.Meta {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := new(message.Meta)
	s.trailer.CopyTo(m)
	return m
}

// Counts returns how many messages were sent, and how many were received.
func (s *Stream) Counts() (sent, received uint64) { return s.sent.Load(), s.got.Load() }

// watch calls end, which ends the stream, when ctx has ended.
func (s *Stream) watch(ctx context.Context, end func()) {
	unwatch := context.AfterFunc(ctx, end)
	s.mu.Lock()
	s.unwatch = unwatch
	s.mu.Unlock()
	if s.outcome.Load() != nil { // it ended before unwatch was set
		unwatch()
	}
}

// opener reports whether this side opened the stream.
func (s *Stream) opener() bool { return s.key < 0 }

// gaveUp returns the error of an operation that ended with ctx or with the stream.
func (s *Stream) gaveUp(ctx context.Context) error {
	if s.outcome.Load() != nil {
		return s.ended()
	}
	if ctx.Err() == nil {
		ctx = s.ctx // of the opener: the stream is about to end with it
	}
	return statusContext(ctx).Err()
}

// ended returns the error of an operation on a stream that has ended.
func (s *Stream) ended() error {
	<-s.done
	if st := s.outcome.Load().st; !st.OK() {
		return st.Err()
	}
	return io.EOF
}

// Status waits for the end of the stream and returns how it ended.
func (s *Stream) Status() *message.Status {
	<-s.done
	return s.outcome.Load().st
}

// Done is closed when the stream has ended.
func (s *Stream) Done() <-chan struct{} { return s.done }

// CloseSend tells the other side that this side sends no more messages. Only the
// side that opened the stream may call it; a handler returns instead.
func (s *Stream) CloseSend() error { return s.CloseSendMeta(nil) }

// CloseSendMeta is CloseSend with metadata for the handler's [Stream.Trailer].
func (s *Stream) CloseSendMeta(meta *message.Meta) error {
	if !s.opener() {
		return errors.New("session: a handler ends its stream by returning")
	}
	select { // after the messages that are being sent
	case <-s.out.turn:
	case <-s.done:
		return s.ended()
	}
	defer func() { s.out.turn <- struct{}{} }()
	if !s.life.Move(stream.SendClosed) {
		if s.life.State() == stream.Ended {
			return s.ended()
		}
		return nil // it was closed before
	}
	x := s.frame(message.TypeStreamEnd)
	defer putExchange(x)
	if meta != nil {
		meta.CopyTo(x.out.Meta())
	}
	s.flush(x, s.sendEnd(&x.out))
	return nil
}

// Close called by the opener ends the stream, if it has not ended: the context of
// its handler ends. Close called by the handler only drops messages that were not
// received; the stream ends when the handler returns. It may be called at any
// time, more than once, and is meant for defer.
func (s *Stream) Close() error {
	if !s.opener() {
		s.inbox.Abort(errStreamCanceled)
		return nil
	}
	s.abort(newStatus(message.CodeCanceled, errStreamCanceled))
	return nil
}

// abort ends the stream from this side, and drops what has arrived.
func (s *Stream) abort(st *message.Status) {
	if s.finish(st, true) {
		s.inbox.Abort(st.Err())
	}
}

// finish ends the stream with st, and with tell sends st to the other side. Only
// the first call has an effect; it reports whether this was the first.
func (s *Stream) finish(st *message.Status, tell bool) bool {
	if !s.outcome.CompareAndSwap(nil, &streamOutcome{st}) {
		return false
	}
	s.life.Move(stream.Ended)
	err := error(io.EOF)
	if !st.OK() {
		err = st.Err()
	}
	s.window.Close(err)
	if s.opener() {
		s.inbox.Close(err) // messages that have arrived can still be received
		s.inbox.Release()  // but they need not be
	} else {
		s.inbox.Abort(err)
	}
	if tell { // may run on the goroutine that reads, or when the connection ends: it must not wait for room
		s.conn.owe(debt{what: debtStreamEnd, seq: -s.key, st: s.conn.shared.told(s.printer(), st)})
	}
	if t := s.conn.streams.Load(); t != nil {
		t.remove(s)
	}
	opened := s.opener() && !s.opening.move(openingUnsent, openingEnded) // else the goroutine that opens it tells
	if opened {
		s.conn.shared.runs.streamed(s, st)
	}
	close(s.done)
	s.cancel(err)
	if opened {
		s.startHooks(st)
	}
	s.mu.Lock()
	unwatch := s.unwatch
	s.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	s.conn.closeIfDone()
	return true
}

func (s *Stream) drain() { s.drainOnce.Do(func() { close(s.drained) }) }

// sendCredit sends a credit, on the goroutine of a program that receives, and never
// waits for room: the next message may be there, and the other side may not read.
func (s *Stream) sendCredit(credit stream.Credit) {
	x := s.frame(message.TypeStreamCredit)
	defer putExchange(x)
	text := formatCredit(credit)
	x.out.SetServiceMethod(text)
	err := s.conn.sock.Send(&x.out, socket.Reserved, socket.FlushLater)
	if isFull(err) { // one that is sent sooner makes this one void, because credits are totals
		s.conn.owe(debt{what: debtCredit, seq: -s.key, text: text})
		return
	}
	s.flush(x, err)
}

// frame returns an exchange to send a frame of the stream without a body.
func (s *Stream) frame(mtype byte) *exchange {
	x := getExchange(s.conn, roleOutgoing)
	x.out.SetMtype(mtype)
	x.out.SetSeq(-s.key)
	return x
}

// flush begins to write the frame in x, unless sending it has failed with err.
func (s *Stream) flush(x *exchange, err error) {
	if err != nil {
		x.Log(slog.LevelDebug, "message of a stream not sent", slog.String("method", s.method), slog.String("type", message.TypeText(x.out.Mtype())), errAttr(err))
		return
	}
	s.conn.sock.StartFlush()
}

// printer returns a printer of lines about the stream.
func (s *Stream) printer() logging.Printer {
	return logging.Printer{L: s.conn.shared.Logger, From: streamOrigin{s}}
}

// keepSwap makes the store of x, the exchange that opened the stream, the store of
// the stream, if there are hooks that may use it.
func (s *Stream) keepSwap(x *exchange, hooks *Hooks) {
	s.hooks = hooks
	if hooks.preSendMessage != nil || hooks.preRecvMessage != nil || hooks.postReadReplyHeader != nil || hooks.postEndStream != nil {
		s.swap = x.Swap()
	}
}

// startHooks begins to run the hooks of the end of a stream that this side has opened.
func (s *Stream) startHooks(st *message.Status) {
	if s.hooks.postEndStream != nil {
		go s.hookEnd(st) // no one waits for the hooks
	}
}

// hookEnd runs the hooks of the end of the stream, on the side that opened it.
func (s *Stream) hookEnd(st *message.Status) {
	x := getExchange(s.conn, roleOutgoing)
	defer putExchange(x)
	x.swap, x.stream, x.status = s.swap, s, st
	s.endCtx(x).tell(s.hooks)
}

// endCtx returns the context for the hooks of the stream's end, built on x.
func (s *Stream) endCtx(x *exchange) streamEndCtx {
	return streamEndCtx{exchange: x, method: s.method, opener: s.opener(), sent: s.sent.Load(), received: s.inbox.Arrived()}
}
