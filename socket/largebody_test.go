package socket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/rawproto"
)

// streamPair returns a socket and the connection at its other end.
func streamPair(t *testing.T, cfg Config) (*Socket, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			close(accepted)
			return
		}
		accepted <- c
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, ok := <-accepted
	if !ok {
		t.Fatal("nothing was accepted")
	}
	s := New(conn, rawproto.New(), cfg.Complete())
	t.Cleanup(func() { _ = abort(s); _ = other.Close() })
	return s, other
}

func randomBody(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b) // it never fails
	return b
}

// Large bodies and small messages of several senders arrive whole, each
// sender's in order.
func TestLargeBodiesKeepFramesWhole(t *testing.T) {
	t.Run("calls", func(t *testing.T) { testFramesWhole(t, message.TypeCall, 5<<20+123, 6) })
	t.Run("messages of streams", func(t *testing.T) { testFramesWhole(t, message.TypeStreamData, 64<<10, 200) })
	t.Run("the smallest of them", func(t *testing.T) { testFramesWhole(t, message.TypeStreamFull, largeStreamBody, 200) })
}

func testFramesWhole(t *testing.T, mtype byte, size, each int) {
	s, other := streamPair(t, Config{QueueLimit: 512 << 10})
	in := New(other, rawproto.New(), Config{}.Complete())
	body := randomBody(size)
	want := sha256.Sum256(body)
	const senders = 4
	var wg sync.WaitGroup
	for g := range senders {
		wg.Go(func() {
			for i := range each {
				m := message.New(message.WithServiceMethod("/g"), message.WithBody(body))
				if i%2 == 1 {
					m.SetBody([]byte("small"))
				}
				m.SetMtype(mtype)
				m.SetSeq(int32(g*1000 + i))
				if err := s.Send(m, ByPolicy, FlushYield); err != nil {
					t.Errorf("sender %d, message %d: %v", g, i, err)
				}
			}
		})
	}
	next := map[int]int{}
	for range senders * each {
		var m message.Message
		if err := other.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := in.Read(&m); err != nil {
			t.Fatal(err)
		}
		g, i := int(m.Seq())/1000, int(m.Seq())%1000
		if i != next[g] {
			t.Fatalf("message %d of sender %d arrived when %d was due", i, g, next[g])
		}
		next[g]++
		if large := i%2 == 0; large && sha256.Sum256(m.Raw()) != want || !large && string(m.Raw()) != "small" {
			t.Fatalf("message %d of sender %d arrived changed: %d bytes", i, g, len(m.Raw()))
		}
	}
	wg.Wait()
}

// A sender whose context ends in the middle of a frame returns at once and owns
// its body again. The frame still arrives whole.
func TestLargeBodyWhoseContextEndsInMidFrame(t *testing.T) {
	s, other := streamPair(t, Config{QueueLimit: 256 << 10})
	body := randomBody(32 << 20) // more than the buffers of the kernel take
	want := sha256.Sum256(body)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	m := message.New(message.WithContext(ctx), message.WithServiceMethod("/x"), message.WithBody(body))
	m.SetMtype(message.TypeCall)
	t0 := time.Now()
	if err := s.Send(m, ByPolicy, FlushInline); err != nil {
		t.Fatalf("half a frame was put, so the rest must be: %v", err)
	}
	if d := time.Since(t0); d > 10*time.Second { // a third of the write timeout

		t.Errorf("the sender was held for %v", d)
	}
	clear(body)
	in := New(other, rawproto.New(), Config{}.Complete())
	var got message.Message
	if err := other.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := in.Read(&got); err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(got.Raw()) != want {
		t.Error("the body arrived changed")
	}
}

// occupy sends a large call that fills the buffers of the kernel, which nobody
// reads. The channel gets its result.
func occupy(t *testing.T, s *Socket, ctx context.Context, body []byte) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		m := message.New(message.WithContext(ctx), message.WithServiceMethod("/x"), message.WithBody(body))
		m.SetMtype(message.TypeCall)
		done <- s.Send(m, ByPolicy, FlushInline)
	}()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.out.mu.Lock()
		writing := s.out.crowd != nil && s.out.crowd.body != nil
		s.out.mu.Unlock()
		if writing {
			return done
		}
		if time.Now().After(deadline) {
			t.Fatal("the large frame is not being written")
		}
	}
}

func small(ctx context.Context, mtype byte) *message.Message {
	m := message.New(message.WithContext(ctx), message.WithServiceMethod("/p"), message.WithBody([]byte("x")))
	m.SetMtype(mtype)
	return m
}

// While a large frame is being written, others are queued up to the limit of the
// queue. Beyond it their policy applies.
func TestLargeBodyLetsOthersQueue(t *testing.T) {
	const limit = 4 << 10
	s, _ := streamPair(t, Config{QueueLimit: limit, Policy: DropNew})
	done := occupy(t, s, context.Background(), randomBody(64<<20))
	queued := 0
	for ; queued < limit; queued++ {
		if err := s.Send(small(context.Background(), message.TypePush), ByPolicy, FlushAsync); errors.Is(err, ErrQueueFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if queued == 0 || queued == limit {
		t.Errorf("%d pushes of more than a byte were queued in %d bytes", queued, limit)
	}
	short, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stop()
	if err := s.Send(small(short, message.TypeCall), ByPolicy, FlushInline); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call with a deadline, the queue full: %v", err)
	}
	large := small(short, message.TypeCall)
	large.SetBody(randomBody(largeBody))
	if err := s.Send(large, ByPolicy, FlushInline); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a large call with a deadline, another being written: %v", err)
	}
	if err := abort(s); err != nil {
		t.Fatal(err)
	}
	if err := ended(t, done); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the large frame ended with %v", err)
	}
}

func ended(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("the sender of a large frame is held")
		return nil
	}
}

// Senders that wait to write a large frame end with the connection.
func TestWaitingLargeBodiesEndWithTheSocket(t *testing.T) {
	s, _ := streamPair(t, Config{})
	first := occupy(t, s, context.Background(), randomBody(64<<20))
	const others = 3
	done := make(chan error, others)
	for range others {
		go func() {
			m := small(context.Background(), message.TypeCall)
			m.SetBody(randomBody(largeBody))
			done <- s.Send(m, ByPolicy, FlushInline)
		}()
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.out.mu.Lock()
		waiting := 0
		for l := s.out.crowdLocked().leads.head; l != nil; l = l.next {
			waiting++
		}
		s.out.mu.Unlock()
		if waiting == others {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d wait, want %d", waiting, others)
		}
	}
	if err := abort(s); err != nil {
		t.Fatal(err)
	}
	for range others {
		if err := ended(t, done); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a large frame that waited ended with %v", err)
		}
	}
	if err := ended(t, first); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the large frame ended with %v", err)
	}
}

// Close frees the sender of a large frame at once. The rest of the frame is still
// written if the other side reads it within lingerTime, and nothing else is.
func TestCloseInTheMiddleOfALargeBody(t *testing.T) {
	s, other := streamPair(t, Config{})
	body := randomBody(32 << 20)
	sent := bytes.Clone(body)
	done := occupy(t, s, context.Background(), body)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ended(t, done); err != nil {
		t.Errorf("the large frame ended with %v", err)
	}
	clear(body) // its owner may change it again
	if err := other.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(other)
	if err != nil {
		t.Fatal(err)
	}
	if head := bytes.Index(got, sent[:32]); head < 0 || !bytes.HasPrefix(sent, got[head:]) {
		t.Errorf("what arrived of the body is changed, or something stands behind it: %d bytes", len(got))
	}
}

func TestPackHeadAgreesWithPack(t *testing.T) {
	body := randomBody(largeBody)
	m := message.New(message.WithServiceMethod("/math/add"), message.WithAddMeta("k", "v w"), message.WithBody(body), message.WithBodyCodec('j'))
	m.SetMtype(message.TypeReply)
	m.SetSeq(77)
	m.SetStatus(message.NewStatus(7, "seven"))
	s, _ := streamPair(t, Config{})
	head, got, ok := s.split(m, putMode{policy: Block})
	if !ok {
		t.Fatal("not split")
	}
	whole, err := rawproto.New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(bytes.Clone(head), got...), whole) {
		t.Error("head and body are not what Pack writes")
	}
	for _, mode := range []putMode{{policy: DropOld}, {policy: Block, full: NoWait}} {
		if _, _, ok := s.split(m, mode); ok {
			t.Errorf("split under %+v", mode)
		}
	}
	m.SetBody(body[:largeBody-1])
	if _, _, ok := s.split(m, putMode{policy: Block}); ok {
		t.Error("a small body is split")
	}
	m.SetMtype(message.TypeStreamData)
	for n, want := range map[int]bool{largeStreamBody - 1: false, largeStreamBody: true} {
		m.SetBody(body[:n])
		if _, _, ok := s.split(m, putMode{policy: Block}); ok != want {
			t.Errorf("a message of a stream with %d bytes: split %v, want %v", n, ok, want)
		}
	}
}

// The head of a frame is not a packet of its own: it leaves in one write with the
// body, even behind queued messages and on a connection of an event loop.
func TestHeadGoesWithItsBody(t *testing.T) {
	body := randomBody(largeStreamBody)
	for _, queued := range []int{0, 10} {
		s, other := streamPair(t, Config{})
		counted := &countedConn{Conn: s.out.conn}
		s.out.conn = counted // sees the writes that are not made together
		for range queued {
			if err := s.Send(small(t.Context(), message.TypePush), ByPolicy, FlushLater); err != nil {
				t.Fatal(err)
			}
		}
		m := small(t.Context(), message.TypeStreamData)
		m.SetBody(body)
		if err := s.Send(m, ByPolicy, FlushInline); err != nil {
			t.Fatal(err)
		}
		if counted.writes != 0 {
			t.Errorf("%d writes besides the one for everything", counted.writes)
		}
		if got := s.out.moved.Load(); got != s.Stats().BytesOut {
			t.Errorf("%d bytes of %d counted as written", got, s.Stats().BytesOut)
		}
		in := New(other, rawproto.New(), Config{}.Complete())
		for i := range queued + 1 {
			var got message.Message
			if err := in.Read(&got); err != nil {
				t.Fatal(err)
			}
			if i == queued && !bytes.Equal(got.Raw(), body) {
				t.Error("the body arrived changed")
			}
		}
	}
}

type countedConn struct {
	net.Conn
	writes int
}

func (c *countedConn) NetConn() net.Conn      { return c.Conn }
func (c *countedConn) OnReadable(func()) bool { return false }

func (c *countedConn) Write(b []byte) (int, error) {
	c.writes++
	return c.Conn.Write(b)
}
