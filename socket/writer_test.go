package socket

import (
	"bytes"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	"github.com/goerpc/erpc/message"
)

// Several goroutines send in every mode, over every kind of connection. The
// messages of each must arrive whole and in order.
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
							err = s.Send(m, ByPolicy, FlushYield)
						case 1:
							err = s.Send(m, ByPolicy, FlushInline)
						case 2:
							if err = s.Send(m, ByPolicy, FlushLater); err == nil {
								s.StartFlush()
							}
						case 3:
							var frame []byte
							if frame, err = s.Pack(m); err == nil {
								err = s.SendFrame(t.Context(), frame, ByPolicy, FlushAsync)
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
					t.Fatalf("message %d of writer %d arrived when %d was due", i, w, next[w])
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
			_, _ = s.Close(), r.Close() // closing is tested elsewhere
		})
	}
}

// The reader stops, so that the lead passes to a goroutine that may block, and
// goes on, so that the lead comes back.
func TestLeadPassesOverAndBack(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			a, b := pair(t, network)
			s, r := newSocket(a, Config{QueueLimit: 64 << 20}), newSocket(b, Config{})
			next := 0
			for round := range 5 {
				sent := next
				for ; s.Stats().Queued == 0; sent++ { // until the kernel takes no more
					if err := s.Send(call(sent, make([]byte, 700+round)), ByPolicy, FlushInline); err != nil {
						t.Fatal(err)
					}
				}
				for range 20 { // behind what was put back
					if err := s.Send(call(sent, make([]byte, 70_000)), ByPolicy, FlushInline); err != nil {
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
						t.Fatalf("message %d arrived when %d was due", m.Seq(), next)
					}
				}
			}
			_, _ = s.Close(), r.Close() // closing is tested elsewhere
		})
	}
}

// Large frames are written from the storage of their message, even with small ones
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
		if err := s.Send(m, ByPolicy, FlushLater); err != nil {
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
		t.Error("the bytes are not those of the messages, in order")
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
		if err := s.Send(call(i, []byte("abc")), ByPolicy, FlushLater); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Queued != 3*(lengthHead+3) || st.Writes != 0 || st.MessagesOut != 3 {
		t.Errorf("with three messages queued: %+v", st)
	}
	s.StartFlush()
	s.StartFlush() // nothing is left: no write
	if st := s.Stats(); st.Queued != 0 || st.Writes != 1 {
		t.Errorf("after a flush: %+v", st)
	}
	if err := s.Send(call(3, nil), ByPolicy, FlushLater); err != nil {
		t.Fatal(err)
	}
	// Wait sends what is queued before it waits for the other side.
	go func() { _ = s.Wait() }() // ended by the end of the test
	stream := make([]byte, 4*lengthHead+9)
	if _, err := io.ReadFull(b, stream); err != nil {
		t.Fatal(err)
	}
	if seqs := frames(t, stream); len(seqs) != 4 {
		t.Errorf("messages %v arrived", seqs)
	}
}

func TestQueueBeyondLimitFlushes(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{QueueLimit: 1000})
	all := collect(b)
	const n = 100
	for i := range n { // more than the limit, with no other goroutine to write it
		if err := s.Send(call(i, make([]byte, 100)), ByPolicy, FlushLater); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.Close()
	if seqs := frames(t, all()); len(seqs) != n {
		t.Errorf("%d of %d messages arrived", len(seqs), n)
	}
}

func TestSendLastGoesBeforeTheEnd(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{})
	if err := s.Send(call(7, []byte("q")), ByPolicy, FlushLater); err != nil {
		t.Fatal(err)
	}
	s.SendLast([]byte("bye"))
	_ = s.Close()
	want := append(frameOf(t, call(7, []byte("q"))), "bye"...)
	if got := collect(b)(); !bytes.Equal(got, want) {
		t.Errorf("%q arrived, want %q", got, want)
	}
	s.SendLast([]byte("too late")) // must not panic or hang
}

// A broadcast over many sockets: Send leaves the writing to others, and everything
// arrives.
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
			if err := s.SendFrame(t.Context(), frame, NoWait, FlushAsync); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, s := range socks {
		_ = s.Close()
		seqs := frames(t, all[i]())
		if len(seqs) != each || seqs[0] != 0 || seqs[each-1] != each-1 {
			t.Errorf("socket %d got %v", i, seqs)
		}
	}
}
