package socket

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
)

// A failed socket tells once that it failed, and holds neither what was queued nor a
// timer.
func TestFailingFreesEverything(t *testing.T) {
	w := newWriter(new(scripted), fullKernel{}, Config{})
	told := 0
	w.notifyFailed(func() { told++ })
	w.queue.add(make([]byte, 10))
	w.mu.Lock()
	w.boundLocked(time.Hour)
	w.mu.Unlock()
	w.fail(errBroken)
	w.fail(net.ErrClosed)
	w.notifyFailed(func() { told++ })
	if told != 1 || !w.queue.empty() || w.crowd.watchdog.timer != nil || w.crowd.onFailed != nil {
		t.Errorf("told %d times, %d bytes queued, timer %v", told, w.queue.n, w.crowd.watchdog.timer)
	}
}

// A connection that the other side has closed is left to its reader until Close; any
// other is closed at once.
func TestWhoClosesAFailedConnection(t *testing.T) {
	for err, reader := range map[error]bool{
		syscall.EPIPE: true, syscall.ECONNRESET: true, os.ErrDeadlineExceeded: false, errBroken: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			conn := new(scripted)
			w := newWriter(conn, fullKernel{}, Config{})
			w.failWriting(err)
			if conn.isClosed() == reader {
				t.Errorf("%v: closed at once: %v", err, conn.isClosed())
			}
			if err := w.close(lingerTime); err != nil || !conn.isClosed() {
				t.Errorf("after Close: %v, closed %v", err, conn.isClosed())
			}
		})
	}
}

// An ending connection returns err from Close, and below from NetConn.
type ending struct {
	scripted
	err   error
	below net.Conn
}

func (c *ending) Close() error      { return errors.Join(c.scripted.Close(), c.err) }
func (c *ending) NetConn() net.Conn { return c.below }

// That the other side has gone is no error of Close.
func TestErrorsOfClose(t *testing.T) {
	for err, want := range map[error]error{
		io.EOF: nil, io.ErrClosedPipe: nil, net.ErrClosed: nil, os.ErrDeadlineExceeded: nil, syscall.EPIPE: nil, syscall.ECONNRESET: nil, errBroken: errBroken,
	} {
		if got := closeWithin(&ending{err: err}, time.Hour); !errors.Is(got, want) || want == nil && got != nil {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}

// A Close that blocks is ended by closing the innermost connection.
func TestCloseBelow(t *testing.T) {
	inner, plain := new(scripted), new(scripted)
	middle := &ending{below: inner}
	closeBelow(&ending{below: middle})
	if !inner.isClosed() || middle.isClosed() {
		t.Errorf("closed: the innermost %v, that around it %v", inner.isClosed(), middle.isClosed())
	}
	last := &ending{} // with nothing below
	closeBelow(&ending{below: last})
	closeBelow(plain)
	if !last.isClosed() || plain.isClosed() {
		t.Errorf("closed: the last %v, one alone %v", last.isClosed(), plain.isClosed())
	}
}

// The goroutines of the pool end when there is nothing to do, and others begin.
func TestFlushersBeginAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriter(&scripted{write: takesAll}, fullKernel{}, Config{})
		for n := range uint64(2*runtime.GOMAXPROCS(0) + 1) {
			if err := w.send(t.Context(), []byte("x"), putMode{policy: Block, flush: FlushAsync}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if w.moved.Load() != n+1 {
				t.Fatalf("message %d is not written", n)
			}
		}
	})
}

// What may be added to a chunk: not what would make it larger than it may be, and never
// what would copy a frame that was given away.
func TestChunkTakes(t *testing.T) {
	for _, c := range []struct {
		kind     chunkKind
		has, cap int
		n        int
		want     bool
	}{
		{shared, maxChunk - 10, maxChunk, 10, true},
		{shared, maxChunk - 10, maxChunk, 11, false},
		{shared, 10, 10, 10, true}, // it grows
		{wholeFrame, 10, 20, 10, true},
		{wholeFrame, 10, 20, 11, false},
		{droppable, 10, 20, 1, false},
		{begun, 10, 20, 1, false},
		{lentBody, 10, 20, 1, false},
		{references, 0, 20, 1, false},
		{lentFrame, 10, 20, 1, false},
		{marker, 0, 0, 1, false},
	} {
		if got := (&chunk{kind: c.kind, b: make([]byte, c.has, c.cap)}).takes(c.n); got != c.want {
			t.Errorf("kind %d with %d of %d bytes takes %d: %v", c.kind, c.has, c.cap, c.n, got)
		}
	}
}

// No push is dropped for one that just fits, and those of streams still count.
func TestDropNoMoreThanNeeded(t *testing.T) {
	for n, want := range map[int]uint64{10: 0, 11: 1, 20: 1, 21: 2, 1000: 2} {
		q := queue{stream: 5}
		q.addDroppable(make([]byte, 10))
		q.addDroppable(make([]byte, 10))
		q.add(make([]byte, 5))
		if dropped := q.drop(n, 35); dropped != want || q.n != 25-10*int(want) || q.stream != 5 {
			t.Errorf("for %d bytes %d are dropped, want %d; %d bytes are left, %d of streams", n, dropped, want, q.n, q.stream)
		}
	}
}

// A closed connection needs no timer in place of its deadline.
func TestDeadlineOfAClosedConnection(t *testing.T) {
	w := newWriter(new(scripted), fullKernel{}, Config{})
	if err := w.deadline(time.Now().Add(time.Hour), net.ErrClosed); err != net.ErrClosed || w.crowd != nil {
		t.Errorf("%v, timer: %v", err, w.crowd != nil)
	}
}

// A last connection delivers its last bytes together with the end.
type last struct {
	scripted
	in []byte
}

func (c *last) Read(p []byte) (int, error) {
	n := copy(p, c.in)
	c.in = c.in[n:]
	if len(c.in) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func TestBytesThatComeWithTheEnd(t *testing.T) {
	r := newSocket(&last{in: frameOf(t, call(1, []byte("x")))}, Config{})
	m := message.New()
	if err := r.Read(m); err != nil || m.Seq() != 1 {
		t.Errorf("message %d, %v", m.Seq(), err)
	}
	if err := r.Read(m); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last message: %v", err)
	}
}

// A notifier below TLS is found.
func TestNotifierBelowTLS(t *testing.T) {
	a, _ := net.Pipe()
	c := &countedConn{Conn: a}
	for _, conn := range []net.Conn{c, tls.Client(c, &tls.Config{ServerName: "x"})} {
		if readNotifier(conn) != c {
			t.Errorf("none is found below %T", conn)
		}
	}
	if readNotifier(a) != nil {
		t.Error("a pipe is one")
	}
}

// inSequence is a protocol that packs heads and is told the order of what is sent.
type inSequence struct {
	proto.Proto
	proto.HeadPacker
}

func (inSequence) Sent(byte, int32) {}

// A body is not sent behind its head if the protocol must know the order.
func TestNoSplitInSequence(t *testing.T) {
	raw := rawproto.New()
	for p, want := range map[proto.Proto]bool{raw: true, inSequence{raw, raw.(proto.HeadPacker)}: false} {
		s := new(Socket)
		s.proto, s.out.raw = p, fullKernel{}
		if _, _, ok := s.split(call(1, make([]byte, largeBody)), putMode{policy: Block}); ok != want {
			t.Errorf("%T: split %v", p, ok)
		}
	}
}
