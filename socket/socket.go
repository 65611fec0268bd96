package socket

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

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

// linger is how long what was queued may still be written after Close.
const linger = time.Second

// A Policy says what happens to a push when the queue of a session is full,
// because the other side does not read fast enough. Calls and replies always
// wait, for as long as their context allows.
type Policy string

// The policies.
const (
	// Block waits for room until the context ends.
	Block Policy = "block"
	// DropNew refuses the message with [ErrQueueFull].
	DropNew Policy = "drop_new"
	// DropOld makes room by leaving out the oldest pushes that wait.
	DropOld Policy = "drop_old"
	// Disconnect ends the connection with [ErrSlowReader].
	Disconnect Policy = "disconnect"
)

// A Config bounds what a socket holds. Zero values stand for the defaults.
type Config struct {
	QueueLimit   int           // bytes that may wait to be written; one message more always may
	ReadLimit    int           // bytes of one frame, and of what its filters inflate to
	WriteTimeout time.Duration // without progress, before the connection ends; < 0: none
	Policy       Policy        // of pushes; default Block
	FlushDelay   time.Duration // how long a message waits for others to share its write; 0: not at all

	drainers *workerpool.Pool[*outbox]
	flushers *flusherPool
}

// Complete returns what sockets share: c with the defaults filled in, for
// [New]. It must not be changed any more.
func (c Config) Complete() *Config {
	d := c
	d.drainers, d.flushers = newDrainers(), new(flusherPool)
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
	Dropped                 uint64 // messages left out by the policy
	Queued                  int    // bytes that wait to be written
}

// A Socket is a connection that carries messages. The methods that send may be
// called concurrently; Wait and Read must not be.
type Socket struct {
	proto proto.Proto
	order proto.Sequencer // proto, if it is one
	in    reader
	out   outbox
}

// New returns a socket that speaks p on conn. cfg comes from
// [Config.Complete].
func New(conn net.Conn, p proto.Proto, cfg *Config) *Socket {
	s := new(Socket)
	s.out.init(conn, pollable(conn), cfg)
	s.in.init(&s.out)
	s.in.loop = readier(conn) != nil
	s.SetProto(p)
	return s
}

// Buffered reports whether Read has something to begin with.
func (s *Socket) Buffered() bool { return s.in.br != nil && s.in.br.Buffered() > 0 }

// Wait sends what was queued and returns once there is something to read.
func (s *Socket) Wait() error {
	_, err := s.in.wait()
	return err
}

// Read reads one message, body undecoded. What was queued is sent before it
// waits for the other side. A protocol or filter that panics gives a
// [message.PanicError].
func (s *Socket) Read(m *message.Message) (err error) {
	br, err := s.in.wait()
	if err != nil {
		return err
	}
	if err = s.unpack(br, m); err == nil {
		s.in.messages.Store(s.in.messages.Load() + 1)
	}
	return err
}

// ReadOn looks again at the message of which Read, or ReadOn, has said
// [proto.ErrEarly], once more of it is there. It returns why it can't, or what
// is said of the message now.
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
	return s.proto.Unpack(br, m, s.out.cfg.ReadLimit)
}

// Write packs and sends m. It does not wait for the connection, only for room
// in the queue, and for that no longer than the context of m. With yield it
// lets other goroutines add to the same write first.
func (s *Socket) Write(m *message.Message, yield bool) error {
	lead, err := s.queue(m, putMode{policy: s.policy(m), later: s.out.cfg.FlushDelay > 0})
	switch {
	case !lead:
	case s.out.cfg.FlushDelay > 0:
		s.out.flushLater()
	default:
		s.out.flush(yield)
	}
	return err
}

// Post is Write for a message whose sender does not wait for anything: the
// writing is left to a goroutine, so that what is posted in a burst, to one
// socket or to many, shares writes.
func (s *Socket) Post(m *message.Message) error {
	lead, err := s.queue(m, putMode{policy: s.policy(m), later: true})
	if lead {
		s.out.leave()
	}
	return err
}

// Queue is Write without the sending: the message goes with the next Write,
// Flush or Read that has to wait.
func (s *Socket) Queue(m *message.Message) error {
	_, err := s.queue(m, putMode{policy: s.policy(m), hold: true})
	return err
}

// QueueUrgent is Queue for a small answer that the reading goroutine must not
// wait for: a queue limit's worth of them does not wait for room.
func (s *Socket) QueueUrgent(m *message.Message) error {
	_, err := s.queue(m, putMode{policy: Block, hold: true, urgent: true})
	return err
}

// TryWrite is Write for a message that is not worth waiting for: it returns
// [ErrQueueFull] if there is no room.
func (s *Socket) TryWrite(m *message.Message) error {
	lead, err := s.queue(m, putMode{policy: DropNew})
	if lead {
		s.out.flush(false)
	}
	return err
}

// Flush sends what was queued.
func (s *Socket) Flush() {
	if s.out.claim() {
		s.out.flush(false)
	}
}

func (s *Socket) policy(m *message.Message) Policy {
	if m.Mtype() == message.TypePush {
		return s.out.cfg.Policy
	}
	return Block
}

// queue packs m outside of every lock, into storage of m's own. A large frame
// is given away with that storage rather than copied.
func (s *Socket) queue(m *message.Message, mode putMode) (lead bool, err error) {
	reply := m.Mtype() == message.TypeReply
	if head, body, ok := s.streamable(m, mode); ok {
		m.Keep(head)
		m.SetSize(uint32(len(head) + len(body)))
		if reply {
			s.out.load(1, len(body))
			defer s.out.load(-1, -len(body))
		}
		return false, s.out.stream(m.Context(), head, body)
	}
	frame, err := s.pack(m.Storage(0), m)
	if err != nil {
		return false, err
	}
	m.Keep(frame)
	if len(frame) >= ownFrame && mode.policy != DropOld {
		m.GiveStorage()
		mode.own = true
	}
	if reply {
		mode.weight = len(frame)
	}
	if s.order != nil {
		mode.order, mode.mtype, mode.seq = s.order, m.Mtype(), m.Seq()
	}
	return s.out.put(m.Context(), frame, mode)
}

// pack turns a panic into an error: packing runs code of the user, down to
// the Error method of what caused a status.
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

// Unwrap returns what the protocol or the codec said.
func (e *PackError) Unwrap() error { return e.Err }

// Pack returns the wire form of m, for [Socket.Send] on this socket or on any
// other of the same protocol.
func (s *Socket) Pack(m *message.Message) ([]byte, error) {
	return s.pack(nil, m)
}

// Send queues a push that [Socket.Pack] made and leaves the writing to a
// goroutine of the package, so that one caller can reach many sockets. It
// keeps nothing of frame. If the queue is full it does what the policy says;
// with nowait it returns [ErrQueueFull] where that is to wait, and does not
// count it, for a caller that will come back.
func (s *Socket) Send(ctx context.Context, frame []byte, nowait bool) error {
	lead, err := s.out.put(ctx, frame, putMode{policy: s.out.cfg.Policy, nowait: nowait, later: true})
	if lead {
		s.out.leave()
	}
	return err
}

// SendLast sends bytes that are no message, in front of the end of the
// connection.
func (s *Socket) SendLast(b []byte) {
	if lead, _ := s.out.put(context.Background(), b, putMode{policy: DropNew}); lead { // the end is near anyway
		s.out.flush(false)
	}
}

// Inform implements [proto.Conn]: it queues bytes that are no message, and that
// leave before Read waits for the other side.
func (s *Socket) Inform(b []byte) {
	_, _ = s.out.put(context.Background(), b, putMode{policy: DropNew, hold: true}) // nothing depends on it
}

// RemoteAddr implements [proto.Conn].
func (s *Socket) RemoteAddr() net.Addr { return s.out.conn.RemoteAddr() }

// Pollable reports whether the connection is one of the system that is waited
// for without a buffer.
func (s *Socket) Pollable() bool { return s.out.raw != nil }

// SetProto changes the protocol. It must not be called once messages are sent
// or read by anybody else.
func (s *Socket) SetProto(p proto.Proto) {
	s.proto = p
	s.order, _ = p.(proto.Sequencer)
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
	return s.out.dead
}

// Waiting returns how many replies wait for room in the queue, or are written by
// who sends them because they are large, and their bytes.
func (s *Socket) Waiting() (replies, bytes int64) {
	return s.out.waiters.Load(), s.out.waiting.Load()
}

// Flushed reports whether nothing waits to be written, or can be any more.
func (s *Socket) Flushed() bool {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.dead != nil || !s.out.leading && s.out.queue.n == 0
}

// Stats returns the counters. It may be called concurrently with everything.
func (s *Socket) Stats() Stats {
	s.out.mu.Lock()
	st := Stats{
		MessagesOut: s.out.messages, BytesOut: s.out.bytes, Writes: s.out.writes,
		Dropped: s.out.dropped, Queued: s.out.queue.n,
	}
	s.out.mu.Unlock()
	st.MessagesIn, st.BytesIn, st.Reads = s.in.messages.Load(), s.in.bytes.Load(), s.in.reads.Load()
	return st
}

// Close lets nothing more be sent and ends whoever waits to. What was queued
// is still written, for at most a second; Close does not wait for that.
func (s *Socket) Close() error { return s.out.close(linger) }

// Abort closes the connection at once; what was queued is lost.
func (s *Socket) Abort() error {
	s.out.mu.Lock()
	s.out.failLocked(net.ErrClosed)
	s.out.closing = false
	s.out.mu.Unlock()
	return s.out.conn.Close()
}
