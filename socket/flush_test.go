package socket

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
)

// One turn writes about turnBytes; the rest queues behind the other work of the
// pool.
func TestTurnIsBounded(t *testing.T) {
	a, b := pair(t, "tcp")
	go discard(b)
	s := newSocket(a, Config{QueueLimit: 1 << 20})
	pool := s.out.cfg.flushers
	pool.running = runtime.GOMAXPROCS(0) // busy, as far as it knows
	frame := frameOf(t, push(0, make([]byte, 60<<10)))
	for range 10 { // what others add while the leader writes
		if err := s.SendFrame(t.Context(), frame, NoWait, FlushAsync); err != nil {
			t.Fatal(err)
		}
	}
	w := &s.out
	w.mu.Lock()
	w.state.move(writing)
	w.mu.Unlock()
	c := w.take()
	if c == nil {
		t.Fatal("nothing is queued")
	}
	for range 10 {
		if err := s.SendFrame(t.Context(), frame, NoWait, FlushAsync); err != nil {
			t.Fatal(err)
		}
	}
	try := attempts.Get().(*attempt)
	for c != nil {
		left, err := c.b, error(nil)
		for err == nil && len(left) > 0 {
			left, err = w.writeNow(try, left)
		}
		c = w.wrote(c, err)
	}
	other := new(writer)
	pool.add(other)
	if !w.reschedule() || w.state != scheduled {
		t.Fatalf("the rest is not left to the pool: %v", w.state)
	}
	for i, want := range []*writer{w, other, w} { // first as it was scheduled before its turn
		if got, _ := pool.todo.Pop(); got != want {
			t.Errorf("number %d in the line is another writer", i)
		}
	}
	pool.todo.Push(w)
	pool.running = 1
	pool.run()
	eventually(t, "everything is written", s.Flushed)
	_ = s.Close()
}

// A quiet socket is served while others are as busy as possible.
func TestBusySocketsDoNotStarveQuietOnes(t *testing.T) {
	cfg := Config{}.Complete()
	a, b := socketPair(t)
	quiet := New(a, lengthProto{}, cfg)
	defer quiet.Close()
	// beside returns what a push on the quiet socket takes, on average, while eight
	// goroutines do something.
	beside := func(something func(i int) error) time.Duration {
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for i := range 8 {
			wg.Go(func() {
				for something(i) == nil {
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		var sum, worst time.Duration
		const n = 50
		buf := make([]byte, 100)
		for range n {
			start := time.Now()
			if err := quiet.Send(push(1, nil), ByPolicy, FlushAsync); err != nil {
				t.Fatal(err)
			}
			_ = b.SetReadDeadline(time.Now().Add(patience)) // the read would fail
			if _, err := b.Read(buf); err != nil {
				t.Fatal(err)
			}
			d := time.Since(start)
			sum, worst = sum+d, max(worst, d)
			time.Sleep(time.Millisecond)
		}
		close(stop)
		wg.Wait()
		t.Logf("mean %v, worst %v", sum/n, worst)
		return sum / n
	}
	var busy [4]*Socket
	for i := range busy {
		a, b := socketPair(t)
		go discard(b)
		busy[i] = New(a, lengthProto{}, cfg)
		defer busy[i].Close()
	}
	took := beside(func(i int) error { return busy[i%len(busy)].Send(push(1, make([]byte, 100)), ByPolicy, FlushAsync) })
	if took < 100*time.Millisecond { // 22 to 115 ms when the pool stayed with a busy socket
		return
	}
	if other := beside(func(int) error { return nil }); took > 2*other { // otherwise the processors are busy, not the pool
		t.Errorf("a push on a quiet socket takes %v, and %v beside other work", took, other)
	}
}

func TestFlushWaitsUntilWritten(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			s := newSocket(a, Config{QueueLimit: 8 << 20})
			if err := s.Flush(t.Context()); err != nil {
				t.Errorf("with nothing queued: %v", err)
			}
			const n = 100
			total := 0
			for i := range n {
				m := push(i, make([]byte, 20_000))
				if err := s.Send(m, ByPolicy, FlushLater); err != nil {
					t.Fatal(err)
				}
				total += int(m.Size())
			}
			short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := s.Flush(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("nobody reads, and Flush says %v", err)
			}
			all := collect(b)
			if err := s.Flush(soon(t)); err != nil {
				t.Fatal(err)
			}
			if got := s.Moved(); got < uint64(total) { // at least: TLS adds bytes
				t.Errorf("after Flush %d of %d bytes have moved", got, total)
			}
			_ = s.Close()
			if seqs := frames(t, all()); len(seqs) != n {
				t.Errorf("%d of %d arrived", len(seqs), n)
			}
			if err := s.Flush(t.Context()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// Flush ends with the connection, whatever the writer was doing.
func TestFlushEndsWithTheConnection(t *testing.T) {
	for _, k := range kinds {
		for _, flush := range []Flush{FlushInline, FlushAsync, FlushLater} {
			a, _ := k.pair(t)
			s := newSocket(a, Config{QueueLimit: 64 << 20})
			if err := s.Send(push(1, make([]byte, 8<<20)), ByPolicy, flush); err != nil {
				t.Fatal(err)
			}
			flushed := make(chan error, 1)
			go func() { flushed <- s.Flush(soon(t)) }()
			time.Sleep(time.Millisecond) // before Flush or in the middle of it: both must work
			_ = abort(s)
			select {
			case err := <-flushed:
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: %v", k.name, err)
				}
			case <-time.After(patience):
				t.Fatalf("%s: Flush does not end", k.name)
			}
		}
	}
}

// Frames of the reserve never wait, up to a bound, and NotifyRoom tells when
// there is room again.
func TestNotifyRoom(t *testing.T) {
	body := make([]byte, 500)
	s, all, n := full(t, Block, body)
	reserved := 0
	for ; ; reserved++ {
		err := s.Send(call(n+reserved, body), Reserved, FlushLater)
		if errors.Is(err, ErrQueueFull) {
			break
		}
		if err != nil || reserved > 10_000 {
			t.Fatalf("frame %d of the reserve: %v", reserved, err)
		}
	}
	room := make(chan struct{})
	if !s.NotifyRoom(func() { close(room) }) {
		t.Fatal("there is room")
	}
	select {
	case <-room:
		t.Fatal("told of room that is not there")
	default:
	}
	got := make(chan []byte)
	go func() { got <- all() }()
	within(t, "the notice of room", room)
	if err := s.Send(call(n+reserved, body), Reserved, FlushInline); err != nil {
		t.Errorf("after the notice: %v", err)
	}
	eventually(t, "everything is written", s.Flushed)
	if s.NotifyRoom(func() { t.Error("told though there was room") }) {
		t.Error("an empty queue has no room")
	}
	_ = s.Close()
	if s.NotifyRoom(func() { t.Error("told after the end") }) {
		t.Error("promised room on a closed socket")
	}
	if seqs := frames(t, <-got); len(seqs) != n+reserved+1 {
		t.Errorf("%d messages arrived, want %d", len(seqs), n+reserved+1)
	}
}

// Whoever waits for room hears of the end of the socket, too.
func TestNotifyRoomOfTheEnd(t *testing.T) {
	s, _, _ := full(t, Block, make([]byte, 500))
	told := make(chan struct{})
	if !s.NotifyRoom(func() { close(told) }) {
		t.Fatal("there is room")
	}
	_ = abort(s)
	within(t, "the notice of the end", told)
}

// Two sides that both call and answer do not block each other, because what the
// reading goroutine sends does not wait.
func TestRepliesOfReadersDoNotWaitForOneAnother(t *testing.T) {
	for _, k := range kinds {
		if k.name == "unixpacket" {
			continue // as unix
		}
		t.Run(k.name, func(t *testing.T) {
			const calls = 3000
			a, b := k.pair(t)
			cfg := Config{QueueLimit: 256 << 10}
			sides := [2]*Socket{newSocket(a, cfg), newSocket(b, cfg)}
			var wg sync.WaitGroup
			for _, s := range sides {
				wg.Go(func() {
					for i := range calls {
						if err := s.Send(call(i, make([]byte, 30)), ByPolicy, FlushYield); err != nil {
							t.Errorf("call %d: %v", i, err)
							return
						}
					}
				})
				wg.Go(func() { answer(t, s, calls) })
			}
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			within(t, "calls both ways", done)
			_, _ = sides[0].Close(), sides[1].Close()
		})
	}
}

// answer reads calls, replies to each at once, and reads as many replies.
func answer(t *testing.T, s *Socket, calls int) {
	for range 2 * calls {
		m := new(message.Message)
		if err := s.Read(m); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return
		}
		if m.Mtype() != message.TypeCall {
			continue
		}
		if err := s.Send(msg(message.TypeReply, int(m.Seq()), make([]byte, 60)), Reserved, FlushLater); err != nil {
			t.Errorf("a reply of the reader: %v", err)
			return
		}
	}
	s.StartFlush()
}
