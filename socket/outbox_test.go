package socket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/erpc-go/erpc/message"
)

// Several goroutines send in every way there is; what each sent must come in
// its order, whole, over every kind of connection.
func TestOrderOfEachWriter(t *testing.T) {
	const writers, each = 8, 150
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			s := newSocket(a, Config{QueueLimit: 64 << 10})
			r := newSocket(b, Config{})
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(w), 1))
					for i := range each {
						body := bytes.Repeat([]byte{byte(w), byte(i)}, rng.IntN(200))
						if i%50 == 49 {
							body = bytes.Repeat([]byte{byte(w), byte(i)}, ownFrame)
						}
						m := push(w*each+i, body)
						var err error
						switch rng.IntN(4) {
						case 0:
							err = s.Write(m, true)
						case 1:
							err = s.Write(m, false)
						case 2:
							if err = s.Queue(m); err == nil {
								s.Flush()
							}
						case 3:
							var frame []byte
							if frame, err = s.Pack(m); err == nil {
								err = s.Send(t.Context(), frame, false)
							}
						}
						if err != nil {
							t.Errorf("writer %d, message %d: %v", w, i, err)
							return
						}
					}
				})
			}
			var next [writers]int
			for n := range writers * each {
				var m message.Message
				if err := r.Read(&m); err != nil {
					t.Fatalf("after %d messages: %v", n, err)
				}
				w, i := int(m.Seq())/each, int(m.Seq())%each
				if i != next[w] {
					t.Fatalf("message %d of writer %d came when %d was due", i, w, next[w])
				}
				next[w]++
				if body := m.Raw(); !bytes.Equal(body, bytes.Repeat([]byte{byte(w), byte(i)}, len(body)/2)) {
					t.Fatalf("message %d of writer %d has bytes of another", i, w)
				}
			}
			wg.Wait()
			out, in := s.Stats(), r.Stats()
			if out.MessagesOut != writers*each || in.MessagesIn != writers*each || out.BytesOut != in.BytesIn || out.Queued != 0 {
				t.Errorf("stats do not agree: out %+v, in %+v", out, in)
			}
			if out.Writes == 0 || out.Writes > out.MessagesOut+writers || in.Reads == 0 {
				t.Errorf("implausible counts: out %+v, in %+v", out, in)
			}
			_, _ = s.Close(), r.Close() // what follows is the business of other tests
		})
	}
}

// A reader that stops, so that the lead passes to a goroutine that may block,
// and goes on, so that it comes back.
func TestLeadPassesOverAndBack(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			a, b := pair(t, network)
			s, r := newSocket(a, Config{QueueLimit: 64 << 20}), newSocket(b, Config{})
			next := 0
			for round := range 5 {
				sent := next
				for ; s.Stats().Queued == 0; sent++ { // until the kernel takes no more
					if err := s.Write(call(sent, make([]byte, 700+round)), false); err != nil {
						t.Fatal(err)
					}
				}
				for range 20 { // behind what was put back
					if err := s.Write(call(sent, make([]byte, 70_000)), false); err != nil {
						t.Fatal(err)
					}
					sent++
				}
				for ; next < sent; next++ {
					var m message.Message
					if err := r.Read(&m); err != nil {
						t.Fatal(err)
					}
					if int(m.Seq()) != next {
						t.Fatalf("message %d came when %d was due", m.Seq(), next)
					}
				}
			}
			_, _ = s.Close(), r.Close() // what follows is the business of other tests
		})
	}
}

func TestWriteTimeoutEndsConnection(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, _ := k.pair(t)
			s := newSocket(a, Config{WriteTimeout: 20 * time.Millisecond, QueueLimit: 64 << 20})
			read := make(chan struct{})
			go func() {
				defer close(read)
				var m message.Message
				if s.Read(&m) == nil {
					t.Error("read a message that nobody sent")
				}
			}()
			if err := s.Write(call(1, make([]byte, 4<<20)), false); err != nil {
				t.Fatal(err)
			}
			within(t, "the reader of a connection that timed out", read)
			if err := s.Write(call(2, nil), false); !errors.Is(err, ErrSlowReader) || !errors.Is(s.Err(), ErrSlowReader) {
				t.Errorf("write afterwards: %v; Err() = %v", err, s.Err())
			}
			_ = s.Close()
		})
	}
}

// The timeout is for no progress at all, not for slow progress.
func TestWriteTimeoutSparesSlowReader(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{WriteTimeout: 100 * time.Millisecond})
	frame := frameOf(t, call(1, make([]byte, 200_000)))
	if err := s.Write(call(1, make([]byte, 200_000)), false); err != nil {
		t.Fatal(err)
	}
	var got []byte
	buf := make([]byte, 16<<10)
	for len(got) < len(frame) { // takes several timeouts
		n, err := b.Read(buf)
		if err != nil {
			t.Fatalf("after %d of %d bytes: %v; the writer says %v", len(got), len(frame), err, s.Err())
		}
		got = append(got, buf[:n]...)
		time.Sleep(20 * time.Millisecond)
	}
	if !bytes.Equal(got, frame) {
		t.Error("other bytes came")
	}
	_ = s.Close()
}

// A deadline that a blocking write has set must not hit a write long after.
func TestWriteLongAfterTimeout(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			a, b := k.pair(t)
			const timeout = 200 * time.Millisecond
			s, r := newSocket(a, Config{WriteTimeout: timeout}), newSocket(b, Config{})
			for i := range 2 {
				if err := s.Write(call(i, make([]byte, 1<<20)), false); err != nil {
					t.Fatal(err)
				}
				var m message.Message
				if err := r.Read(&m); err != nil {
					t.Fatalf("message %d: %v; the writer says %v", i, err, s.Err())
				}
				time.Sleep(timeout + timeout/2)
			}
			if err := s.Write(call(2, nil), false); err != nil {
				t.Fatal(err)
			}
			var m message.Message
			if err := r.Read(&m); err != nil {
				t.Fatalf("%v; the writer says %v", err, s.Err())
			}
			_, _ = s.Close(), r.Close() // what follows is the business of other tests
		})
	}
}

func TestCloseSendsWhatIsQueued(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			s := newSocket(a, Config{})
			const n = 200
			for i := range n {
				if err := s.Queue(call(i, make([]byte, 1000))); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := s.Write(call(n, nil), false); !errors.Is(err, net.ErrClosed) {
				t.Errorf("write after Close: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
			if seqs := frames(t, collect(b)()); len(seqs) != n {
				t.Errorf("%d of %d messages came", len(seqs), n)
			}
		})
	}
}

// Close returns at once though the other side does not read, and the
// connection is closed all the same a little later.
func TestCloseDoesNotWaitForSlowReader(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			a, _ := k.pair(t)
			s := newSocket(a, Config{WriteTimeout: -1})
			if err := s.Write(call(1, make([]byte, 4<<20)), false); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > linger/2 {
				t.Errorf("Close took %v", took)
			}
			read := make(chan struct{})
			go func() {
				defer close(read)
				_, _ = a.Read(make([]byte, 1)) // until it is closed
			}()
			within(t, "the end of the connection", read)
		})
	}
}

func TestAbortLosesWhatIsQueued(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{})
	n := fill(t, s, make([]byte, 500))
	_ = s.Close() // lingers
	if err := s.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(call(n, nil), false); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Abort: %v", err)
	}
	got := collect(b)()
	if len(got) >= n*(500+lengthHead) {
		t.Errorf("all %d bytes came, though the kernel could not have them", len(got))
	}
}

// Whatever Close and Abort run into, a writer gets nil or net.ErrClosed.
func TestWriteCloseRace(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 400
	}
	for i := range rounds {
		a, b := socketPair(t)
		if i%4 == 3 {
			a = wrapped{a}
		}
		s := newSocket(a, Config{})
		all := collect(b)
		var wg sync.WaitGroup
		for w := range 2 {
			wg.Go(func() {
				for j := 0; ; j++ {
					if err := s.Write(call(j, nil), w == 0); err != nil {
						if !errors.Is(err, net.ErrClosed) {
							t.Errorf("round %d: write: %v", i, err)
						}
						return
					}
				}
			})
		}
		wg.Go(func() {
			if i%3 == 0 {
				_ = s.Abort()
			} else {
				_ = s.Close()
			}
		})
		wg.Wait()
		if got := all(); i%3 != 0 {
			if n := uint64(len(frames(t, got))); n != s.Stats().MessagesOut {
				t.Fatalf("round %d: %d messages were taken, %d came", i, s.Stats().MessagesOut, n)
			}
		}
		_ = b.Close()
	}
}

// A breaking connection takes only the first half of the n-th write.
type breaking struct {
	net.Conn
	mu     sync.Mutex // guards the following
	left   int
	got    []byte
	writes int // after it broke
	closed bool
	first  []*byte // of what was written
}

var errBroken = errors.New("cable cut")

func (c *breaking) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = append(c.first, unsafe.SliceData(p))
	if c.left < 0 {
		c.writes++
		return 0, errBroken
	}
	if c.left == 0 {
		c.left--
		c.got = append(c.got, p[:len(p)/2]...)
		return len(p) / 2, errBroken
	}
	c.left--
	c.got = append(c.got, p...)
	return len(p), nil
}

func (c *breaking) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

func (c *breaking) SetWriteDeadline(time.Time) error { return nil }

func TestBrokenWriteEndsEverything(t *testing.T) {
	for good := range 4 {
		t.Run(fmt.Sprint(good, " good"), func(t *testing.T) {
			conn := &breaking{left: good}
			s := newSocket(conn, Config{})
			var want []byte
			large := make([]byte, ownFrame) // a chunk, and so a write, of its own
			for i := range 10 {
				want = append(want, frameOf(t, call(i, large))...)
				if err := s.Queue(call(i, large)); err != nil {
					t.Fatal(err)
				}
			}
			s.Flush()
			eventually(t, "the connection is closed", func() bool {
				conn.mu.Lock()
				defer conn.mu.Unlock()
				return conn.closed
			})
			for i := range 3 {
				if err := s.Write(call(i, nil), false); !errors.Is(err, errBroken) {
					t.Errorf("write afterwards: %v", err)
				}
			}
			if err := s.Err(); !errors.Is(err, errBroken) {
				t.Errorf("Err() = %v", err)
			}
			_ = s.Close()
			conn.mu.Lock()
			defer conn.mu.Unlock()
			if conn.writes > 0 {
				t.Errorf("%d more writes after half a frame", conn.writes)
			}
			frame := lengthHead + len(large)
			if !bytes.Equal(conn.got, want[:good*frame+frame/2]) {
				t.Errorf("%d bytes were written, not what comes first", len(conn.got))
			}
		})
	}
}

// Large frames go in the storage of their message, also when small ones are
// around them.
func TestLargeFramesAreNotCopied(t *testing.T) {
	conn := &breaking{left: 1000}
	s := newSocket(conn, Config{QueueLimit: 64 << 20})
	var storage []*byte
	var want []byte
	for i := range 30 {
		body := make([]byte, i)
		if i%3 == 1 {
			body = make([]byte, ownFrame+1000*i)
		}
		m := call(i, body)
		at := unsafe.SliceData(m.Storage(lengthHead + len(body))) // exactly what is needed
		if i%3 == 1 {
			storage = append(storage, at)
		}
		want = append(want, frameOf(t, m)...)
		if err := s.Queue(m); err != nil {
			t.Fatal(err)
		}
		if i%3 == 1 && cap(m.Storage(0)) > 0 {
			t.Error("the message still has the storage that was given away")
		}
	}
	_ = s.Close()
	eventually(t, "everything is written", func() bool {
		conn.mu.Lock()
		defer conn.mu.Unlock()
		return conn.closed
	})
	if !bytes.Equal(conn.got, want) {
		t.Error("the bytes are not those of the messages in their order")
	}
	for _, at := range conn.first {
		if len(storage) > 0 && at == storage[0] {
			storage = storage[1:]
		}
	}
	if len(storage) > 0 {
		t.Errorf("%d of 10 large frames were copied", len(storage))
	}
}

func TestQueueWaitsForFlush(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{})
	for i := range 3 {
		if err := s.Queue(call(i, []byte("abc"))); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Queued != 3*(lengthHead+3) || st.Writes != 0 || st.MessagesOut != 3 {
		t.Errorf("with three messages queued: %+v", st)
	}
	s.Flush()
	s.Flush() // nothing is left: no write
	if st := s.Stats(); st.Queued != 0 || st.Writes != 1 {
		t.Errorf("after a flush: %+v", st)
	}
	if err := s.Queue(call(3, nil)); err != nil {
		t.Fatal(err)
	}
	// Whoever waits for the other side sends first what that waits for.
	go func() { _ = s.Wait() }() // ended by the end of the test
	stream := make([]byte, 4*lengthHead+9)
	if _, err := io.ReadFull(b, stream); err != nil {
		t.Fatal(err)
	}
	if seqs := frames(t, stream); len(seqs) != 4 {
		t.Errorf("messages %v came", seqs)
	}
}

func TestQueueBeyondLimitFlushes(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{QueueLimit: 1000})
	all := collect(b)
	const n = 100
	for i := range n { // more than the limit, and nobody else to write it
		if err := s.Queue(call(i, make([]byte, 100))); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.Close()
	if seqs := frames(t, all()); len(seqs) != n {
		t.Errorf("%d of %d messages came", len(seqs), n)
	}
}

func TestSendLastGoesBeforeTheEnd(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{})
	if err := s.Queue(call(7, []byte("q"))); err != nil {
		t.Fatal(err)
	}
	s.SendLast([]byte("bye"))
	_ = s.Close()
	want := append(frameOf(t, call(7, []byte("q"))), "bye"...)
	if got := collect(b)(); !bytes.Equal(got, want) {
		t.Errorf("%q came, want %q", got, want)
	}
	s.SendLast([]byte("too late")) // must not panic or hang
}

// One broadcaster, many sockets: Send leaves the writing to others and all
// of it arrives.
func TestSendToManySockets(t *testing.T) {
	cfg := Config{}.Complete()
	const sockets, each = 50, 40
	var all [sockets]func() []byte
	var socks [sockets]*Socket
	for i := range sockets {
		a, b := socketPair(t)
		socks[i], all[i] = New(a, lengthProto{}, cfg), collect(b)
	}
	for j := range each {
		frame, err := socks[0].Pack(push(j, []byte("to all")))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range socks {
			if err := s.Send(t.Context(), frame, true); err != nil {
				t.Fatal(err)
			}
		}
		clear(frame) // Send keeps nothing of it
	}
	for i, s := range socks {
		_ = s.Close()
		seqs := frames(t, all[i]())
		if len(seqs) != each || seqs[0] != 0 || seqs[each-1] != each-1 {
			t.Errorf("socket %d got %v", i, seqs)
		}
	}
}
