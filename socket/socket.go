package socket

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/internal/workerpool"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// Defaults of [Config].
const (
	DefaultQueueLimit   = 1 << 20          // bytes
	DefaultReadLimit    = 64 << 20         // bytes
	DefaultWriteTimeout = 30 * time.Second // without a byte of progress
)

// A Policy says what happens to a push when the queue of a session is full,
// because the other side does not read fast enough. Calls and replies always
// wait, as long as their context allows.
type Policy string

// The policies.
const (
	// Block waits for room until the context ends. A side that drains less than
	// QueueLimit in a WriteTimeout while pushes wait is disconnected.
	Block Policy = "block"
	// DropNew refuses the message with [ErrQueueFull].
	DropNew Policy = "drop_new"
	// DropOld makes room by dropping the oldest pushes that wait.
	DropOld Policy = "drop_old"
	// Disconnect ends the connection with [ErrSlowReader].
	Disconnect Policy = "disconnect"
)

// A Config bounds what a socket holds. Zero values stand for the defaults.
type Config struct {
	QueueLimit   int           // bytes that may wait to be written; one message may always wait, whatever its size
	ReadLimit    int           // bytes of one frame, and of what its filters inflate to
	WriteTimeout time.Duration // without progress, before the connection ends; < 0: none
	Policy       Policy        // of pushes; default Block
	Codecs       *codec.Set    // of the bodies that are decoded; nil: all
	FlushDelay   time.Duration // how long a message waits for others to share its write; 0: not at all

	DecodeRoom message.DecodeRoom // of the bodies that are decoded; nil: no common bound

	blocking *workerpool.Pool[*writer]
	flushers *flusherPool
	closer   *closer
}

// Complete returns what sockets share, for [New]: c with the defaults filled in.
// The result must not be changed.
func (c Config) Complete() *Config {
	d := c
	d.blocking, d.flushers, d.closer = newBlockingWriters(), new(flusherPool), new(closer)
	if d.QueueLimit <= 0 {
		d.QueueLimit = DefaultQueueLimit
	}
	if d.ReadLimit <= 0 {
		d.ReadLimit = DefaultReadLimit
	}
	if d.WriteTimeout == 0 {
		d.WriteTimeout = DefaultWriteTimeout
	}
	if d.Policy == "" {
		d.Policy = Block
	}
	return &d
}

// Stats counts what went through a socket since it was made.
type Stats struct {
	MessagesIn, MessagesOut uint64
	BytesIn, BytesOut       uint64 // out: including what waits
	Reads, Writes           uint64 // system calls, or calls of the connection; writes: chunks
	Dropped                 uint64 // messages dropped by the policy
	Queued                  int    // bytes that wait to be written
}

// A Socket is a connection that carries messages. The methods that send may be
// called concurrently; Wait and Read must not be.
type Socket struct {
	proto proto.Proto
	in    reader
	out   writer
	limit uint32 // in place of Config.ReadLimit if it is less; 0: none; see LimitRead
	last  uint32 // the length of the message that was read last; owned by the reading goroutine
}

// New returns a socket that speaks p on conn. cfg comes from
// [Config.Complete].
func New(conn net.Conn, p proto.Proto, cfg *Config) *Socket {
	s := new(Socket)
	s.out.init(conn, pollable(conn), cfg)
	s.in.init(&s.out)
	s.in.loop = readNotifier(conn) != nil
	s.SetProto(p)
	return s
}

// Buffered reports whether bytes for the next Read have been read already.
func (s *Socket) Buffered() bool { return s.in.br != nil && s.in.br.Buffered() > 0 }

// Wait sends what was queued and returns once there is something to read.
func (s *Socket) Wait() error {
	_, err := s.in.wait()
	return err
}

// Read reads one message, body undecoded. What was queued is sent before it waits
// for the other side. If a protocol or filter panics, it returns a
// [message.PanicError].
func (s *Socket) Read(m *message.Message) (err error) {
	br, err := s.in.wait()
	if err != nil {
		return err
	}
	err = s.unpack(br, m)
	if err == nil {
		s.last = m.Size()
		s.in.arrived(s.last)
	}
	return err
}

// LimitRead makes Read refuse messages above n bytes, before and after filters
// inflate them, even if [Config.ReadLimit] allows more. 0 removes the limit. Like
// Read, it must not be called concurrently.
func (s *Socket) LimitRead(n int) { s.limit = uint32(min(max(n, 0), math.MaxInt32)) }

// ReadOn waits for more of the message for which Read, or ReadOn, has returned
// [proto.ErrEarly], and unpacks it again. It returns the error of reading or of
// unpacking.
func (s *Socket) ReadOn(m *message.Message) error {
	br := s.in.br
	if br == nil {
		return net.ErrClosed
	}
	if _, err := br.Peek(br.Buffered() + 1); err != nil {
		return err
	}
	return s.unpack(br, m)
}

func (s *Socket) unpack(br *bufio.Reader, m *message.Message) (err error) {
	defer guard.Catch(&err, "protocol", "")
	limit := s.out.cfg.ReadLimit
	if s.limit > 0 {
		limit = min(limit, int(s.limit))
	}
	m.SetReadLimit(limit)
	m.SetEarnedStorage(s.last)
	m.SetCodecs(s.out.cfg.Codecs)
	m.SetDecodeRoom(s.out.cfg.DecodeRoom)
	return s.proto.Unpack(br, m, limit)
}

// Full says what happens to a message that finds the queue full.
type Full uint8

const (
	// ByPolicy has a push do what [Config].Policy says. A call or a reply waits
	// for room, first come first served, until its context ends.
	ByPolicy Full = iota
	// NoWait is ByPolicy, but returns ErrQueueFull where that would wait, for a
	// sender that will retry. What it refuses so does not count as dropped.
	NoWait
	// Reserved never waits and may use a second QueueLimit, of its own: for
	// refusals, control messages and replies from the goroutine that reads.
	// Beyond that it gets ErrQueueFull; see [Socket.NotifyRoom].
	Reserved
)

// Flush says who writes a queued message, if no goroutine is writing yet.
type Flush uint8

const (
	// FlushInline makes the sender write at once.
	FlushInline Flush = iota
	// FlushYield is FlushInline after other goroutines had a chance to add to
	// the same write.
	FlushYield
	// FlushAsync leaves the writing to a goroutine of the package, so that what
	// is sent in a burst, on one socket or on many, shares writes.
	FlushAsync
	// FlushLater leaves it to the next message with another mode, to StartFlush
	// or Flush, or to the next Read or Wait that has to wait.
	FlushLater
)

// Send packs and queues m. A sender never waits for the connection, only for room
// in the queue. It writes for one bounded turn at most, unless the body is large.
// When the queue is full, the kind of message, the policy of the socket and full
// decide:
//
//	           ByPolicy                          NoWait         Reserved
//	call       waits                             ErrQueueFull   2 × QueueLimit, then ErrQueueFull
//	reply      waits, and counts in Waiting      ErrQueueFull   2 × QueueLimit, then ErrQueueFull
//	push
//	 Block     waits                             ErrQueueFull   2 × QueueLimit, then ErrQueueFull
//	 DropNew   ErrQueueFull, counts as dropped   the same       2 × QueueLimit, then ErrQueueFull
//	 DropOld   drops older pushes, else waits    or …QueueFull  2 × QueueLimit, then ErrQueueFull
//	 Disconn.  ErrSlowReader                     the same       2 × QueueLimit, then ErrQueueFull
//
// A message of a stream waits like a call, and also while those of streams fill a
// quarter of the queue.
//
// While the queue is full only because goroutines of this package have not come
// round to writing, the sender writes, or waits, whatever the policy.
func (s *Socket) Send(m *message.Message, full Full, flush Flush) error {
	mode := putMode{full: full, flush: flush, policy: Block}
	switch m.Mtype() {
	case message.TypePush:
		mode.push, mode.policy = true, s.out.cfg.Policy
	case message.TypeStreamData, message.TypeStreamFull:
		mode.stream = true
	}
	if head, body, ok := s.split(m, mode); ok {
		return s.sendSplit(m, head, body)
	}
	// Packing is done outside of every lock, into storage of m's own. A large
	// frame is given away with that storage rather than copied.
	frame, err := s.pack(m.Storage(0), m)
	if err != nil {
		return err
	}
	m.Keep(frame)
	if len(frame) >= ownFrame && mode.policy != DropOld {
		m.GiveStorage()
		mode.own = true
	}
	if m.Mtype() == message.TypeReply {
		mode.weight = len(frame)
	}
	if order, ok := s.proto.(proto.Sequencer); ok {
		mode.order, mode.mtype, mode.seq = order, m.Mtype(), m.Seq()
	}
	return s.out.send(m.Context(), frame, mode)
}

// sendSplit sends m in two pieces, head and body, without copying body.
func (s *Socket) sendSplit(m *message.Message, head, body []byte) error {
	m.Keep(head)
	m.SetSize(uint32(len(head) + len(body)))
	if m.Mtype() == message.TypeReply {
		s.out.load(1, len(body))
		defer s.out.load(-1, -len(body))
	}
	return s.out.sendBody(m.Context(), head, body)
}

// SendFrame is [Socket.Send] for a push that [Socket.Pack] made, so that one
// caller can reach many sockets. Each keeps a reference to frame until it is written,
// so frame must not be changed any more.
func (s *Socket) SendFrame(ctx context.Context, frame []byte, full Full, flush Flush) error {
	return s.out.send(ctx, frame, putMode{full: full, flush: flush, policy: s.out.cfg.Policy, push: true, common: true})
}

// SendLast sends bytes that are not a message, just before the connection is
// closed.
func (s *Socket) SendLast(b []byte) {
	_ = s.out.send(context.Background(), b, putMode{full: Reserved}) // the connection is about to end anyway
}

// Inform implements [proto.Conn]. It queues bytes that are not a message; they are
// sent before Read waits for the other side.
func (s *Socket) Inform(b []byte) {
	_ = s.out.send(context.Background(), b, putMode{full: Reserved, flush: FlushLater}) // nothing depends on it
}

// StartFlush writes what is queued as far as that does not block, and leaves
// the rest to a goroutine of the package.
func (s *Socket) StartFlush() {
	if s.out.claim() {
		s.out.flush(false)
	}
}

// Flush returns nil once the connection has taken what was queued before the call,
// or the reason why it will not: the socket or ctx has ended. The other side may
// not have received it yet.
func (s *Socket) Flush(ctx context.Context) error { return s.out.flushAll(ctx) }

// NotifyRoom arranges for f to be called once, as soon as the queue has been taken
// for writing or nothing can be sent any more. f is called by the goroutine that
// writes and must not block. NotifyRoom reports false, and does not call f, if
// there is room already or nothing can be sent. Only one f can wait at a time.
func (s *Socket) NotifyRoom(f func()) bool { return s.out.notifyRoom(f) }

// NotifyFailed arranges for f to be called once, when a write has failed and nothing
// more can be sent. f must not block. It is not called after Close, or if nothing can be
// sent already. Only one f can wait at a time.
func (s *Socket) NotifyFailed(f func()) { s.out.notifyFailed(f) }

// GaveUp reports whether a sender has given up waiting for room and the queue has
// not been written since. Others need not wait then.
func (s *Socket) GaveUp() bool {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.gaveUp
}

// Moved returns how many bytes the connection has delivered and taken. Together
// with Flushed it tells cheaply whether anything is going on.
func (s *Socket) Moved() uint64 { return s.in.bytes.Load() + s.out.moved.Load() }

// pack turns a panic into an error: packing runs user code, down to the Error
// method of what caused a status.
func (s *Socket) pack(dst []byte, m *message.Message) (frame []byte, err error) {
	if err := m.Err(); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			frame, err = nil, &PackError{guard.New(p, "protocol", "")}
		}
	}()
	frame, err = s.proto.Pack(dst, m)
	if err != nil {
		return nil, &PackError{err}
	}
	m.SetSize(uint32(len(frame)))
	return frame, nil
}

// A PackError is a message that could not be made into a frame: its body could
// not be encoded, or a part of it is too long for the format. Nothing was
// written.
type PackError struct{ Err error }

// Error implements error.
func (e *PackError) Error() string { return fmt.Sprintf("socket: message not sent: %v", e.Err) }

// Unwrap returns the error of the protocol or the codec.
func (e *PackError) Unwrap() error { return e.Err }

// Pack returns the wire form of m, for [Socket.SendFrame] on this socket or on any
// other of the same protocol.
func (s *Socket) Pack(m *message.Message) ([]byte, error) {
	return s.pack(nil, m)
}

// RemoteAddr implements [proto.Conn].
func (s *Socket) RemoteAddr() net.Addr { return s.out.conn.RemoteAddr() }

// Pollable reports whether the connection is one of the system, for which Wait
// holds no buffer.
func (s *Socket) Pollable() bool { return s.out.raw != nil }

// SetProto changes the protocol. It must not be called once another goroutine
// sends or reads messages.
func (s *Socket) SetProto(p proto.Proto) {
	s.proto = p
	if a, ok := p.(proto.Attacher); ok {
		a.Attach(s)
	}
}

// Proto returns the protocol of the connection.
func (s *Socket) Proto() proto.Proto { return s.proto }

// Conn returns the underlying connection.
func (s *Socket) Conn() net.Conn { return s.out.conn }

// ControlFD calls f with the file descriptor of the connection, which is valid
// only until f returns.
func (s *Socket) ControlFD(f func(fd uintptr)) error {
	conn := s.out.conn
	for {
		if c, ok := conn.(syscall.Conn); ok {
			raw, err := c.SyscallConn()
			if err != nil {
				return fmt.Errorf("socket: no file descriptor: %w", err)
			}
			return raw.Control(f)
		}
		w, ok := conn.(interface{ NetConn() net.Conn }) // as tls.Conn
		if !ok {
			return fmt.Errorf("socket: a connection over %s has no file descriptor: %w", s.out.conn.LocalAddr().Network(), os.ErrInvalid)
		}
		conn = w.NetConn()
	}
}

// Err returns why nothing more can be sent, nil while something can.
func (s *Socket) Err() error {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.err
}

// Waiting returns how many replies wait for room in the queue, or are being
// written by their senders because they are large, and their bytes.
func (s *Socket) Waiting() (replies, bytes int64) {
	return int64(s.out.waiters.Load()), s.out.waiting.Load()
}

// Flushed reports whether nothing waits to be written, or nothing can be written
// any more.
func (s *Socket) Flushed() bool {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.err != nil || s.out.state == idle && s.out.queue.empty()
}

// Stats returns the counters. It may be called concurrently with everything.
func (s *Socket) Stats() Stats {
	s.out.mu.Lock()
	st := Stats{
		MessagesOut: s.out.messages, BytesOut: s.out.bytes, Writes: s.out.writes,
		Queued: s.out.queue.n,
	}
	if c := s.out.crowd; c != nil {
		st.Dropped = c.dropped
	}
	s.out.mu.Unlock()
	st.MessagesIn, st.BytesIn, st.Reads = s.in.messages.Load(), s.in.bytes.Load(), s.in.reads.Load()
	return st
}

// Close refuses all further messages, and senders that wait get an error. What was
// queued is still written, for at most a second; Close does not wait for that. It
// returns no error if the other side has gone.
func (s *Socket) Close() error { return s.out.close(lingerTime) }
