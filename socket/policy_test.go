package socket

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
)

const testLimit = 16 << 10 // QueueLimit of these tests, in bytes

// full returns a socket whose kernel buffers and queue are full, because
// nobody reads, and how many pushes went in.
func full(t *testing.T, policy Policy, body []byte) (s *Socket, all func() []byte, n int) {
	t.Helper()
	a, b := pair(t, "unix")
	s = newSocket(a, Config{QueueLimit: testLimit, Policy: policy})
	n = fill(t, s, body)
	for {
		err := s.Send(call(n, body), NoWait, FlushInline)
		if errors.Is(err, ErrQueueFull) {
			return s, func() []byte { return collect(b)() }, n
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
}

func TestBlockWaitsForRoomOrContext(t *testing.T) {
	body := make([]byte, 500)
	s, all, n := full(t, Block, body)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	late := push(-1, body)
	late.SetContext(ctx)
	if err := s.Send(late, ByPolicy, FlushInline); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("write to a full queue: %v, want the end of its context", err)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		if err := s.Send(push(n, body), ByPolicy, FlushInline); err != nil {
			t.Error(err)
		}
		_ = s.Close()
	}()
	seqs := frames(t, all())
	within(t, "the write that waited", written)
	if want := n + 1; len(seqs) != want || !slices.IsSorted(seqs) || seqs[0] != 0 {
		t.Errorf("%d messages arrived, in order: %v; want %d", len(seqs), slices.IsSorted(seqs), want)
	}
}

// Reserved messages never wait: there is room for a queue's worth of them, and
// they arrive with the rest. A reply that waits is counted meanwhile.
func TestReservedBeyondFullQueue(t *testing.T) {
	body := make([]byte, 500)
	s, all, n := full(t, Block, body)
	sent := 0
	for size := 0; size+2*len(body) < testLimit; sent++ {
		m := push(n+sent, body)
		if err := s.Send(m, Reserved, FlushLater); err != nil {
			t.Fatal(err)
		}
		size += int(m.Size())
	}
	if err := s.Send(push(-1, make([]byte, testLimit)), Reserved, FlushLater); !errors.Is(err, ErrQueueFull) {
		t.Errorf("one message too many for the reserve: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reply := message.New(message.WithBody(body), message.WithContext(ctx))
	reply.SetMtype(message.TypeReply)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Send(reply, ByPolicy, FlushInline); !errors.Is(err, context.Canceled) {
			t.Errorf("reply: %v", err)
		}
	}()
	other := message.New(message.WithBody(body), message.WithContext(ctx))
	other.SetMtype(message.TypeReply)
	go func() { _ = s.Send(other, ByPolicy, FlushInline) }() // its context ends
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if replies, bytes := s.Waiting(); replies == 2 && bytes >= int64(2*len(body)) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a reply that waits is not counted")
		}
	}
	cancel()
	within(t, "the end of those that waited", ended)
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if replies, bytes := s.Waiting(); replies == 0 && bytes == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a reply that no longer waits is counted")
		}
	}
	go func() { _ = s.Close() }() // what is queued is written
	seqs := frames(t, all())
	if want := n + sent; len(seqs) != want || !slices.IsSorted(seqs) {
		t.Errorf("%d messages arrived, in order: %v; want %d", len(seqs), slices.IsSorted(seqs), want)
	}
}

func TestDropNewRefuses(t *testing.T) {
	body := make([]byte, 500)
	s, all, n := full(t, DropNew, body)
	before := s.Stats()
	for i := range 10 {
		if err := s.Send(push(n+i, body), ByPolicy, FlushInline); !errors.Is(err, ErrQueueFull) {
			t.Fatalf("push to a full queue: %v", err)
		}
	}
	after := s.Stats()
	if after.Dropped != before.Dropped+10 || after.MessagesOut != before.MessagesOut || after.BytesOut != before.BytesOut {
		t.Errorf("stats went from %+v to %+v with ten messages dropped", before, after)
	}
	if after.Queued > testLimit || after.Queued < testLimit-len(body)-lengthHead {
		t.Errorf("%d bytes wait, want close to %d and not above", after.Queued, testLimit)
	}
	// The policy is for pushes; a call waits.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	c := call(0, body)
	c.SetContext(ctx)
	if err := s.Send(c, ByPolicy, FlushInline); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("call to a full queue: %v, want it to wait", err)
	}
	_ = s.Close()
	if seqs := frames(t, all()); len(seqs) != n {
		t.Errorf("%d messages arrived, want the %d that were taken", len(seqs), n)
	}
}

func TestDropOldKeepsOrderAndWholeFrames(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{QueueLimit: testLimit, Policy: DropOld})
	n := fill(t, s, make([]byte, 900))
	const more = 500
	var calls []int
	for i := n; i < n+more; i++ {
		m := push(i, make([]byte, i%900))
		if i < n+20 && i%4 == 0 { // while there is room for them
			m = call(i, make([]byte, 10))
			calls = append(calls, i)
		}
		if err := s.Send(m, ByPolicy, FlushInline); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if q := s.Stats().Queued; q > testLimit {
			t.Fatalf("%d bytes wait, above the limit of %d", q, testLimit)
		}
	}
	st := s.Stats()
	_ = s.Close()
	seqs := frames(t, collect(b)())
	if !slices.IsSorted(seqs) {
		t.Error("messages arrived in another order")
	}
	for _, c := range calls {
		if !slices.Contains(seqs, c) {
			t.Errorf("call %d was dropped; only pushes may be", c)
		}
	}
	if seqs[len(seqs)-1] != n+more-1 {
		t.Errorf("the last message that came is %d, want the newest, %d", seqs[len(seqs)-1], n+more-1)
	}
	if lost := uint64(n + more - len(seqs)); st.Dropped != lost || lost == 0 {
		t.Errorf("%d messages are missing, %d were counted as dropped", lost, st.Dropped)
	}
}

func TestDropOldWaitsBehindCalls(t *testing.T) {
	body := make([]byte, 500)
	a, _ := pair(t, "unix")
	s := newSocket(a, Config{QueueLimit: testLimit, Policy: DropOld})
	fill(t, s, body)
	for err := error(nil); err == nil; {
		err = s.Send(call(1, body), NoWait, FlushInline) // calls can't be dropped
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	m := push(2, body)
	m.SetContext(ctx)
	if err := s.Send(m, ByPolicy, FlushInline); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("push behind calls: %v, want it to wait", err)
	}
	_ = abort(s)
}

func TestDisconnectEndsBothDirections(t *testing.T) {
	body := make([]byte, 500)
	s, _, n := full(t, Disconnect, body)
	read := make(chan error, 1)
	go func() {
		var m message.Message
		read <- s.Read(&m)
	}()
	if err := s.Send(push(n, body), ByPolicy, FlushInline); !errors.Is(err, ErrSlowReader) {
		t.Fatalf("push to a full queue: %v", err)
	}
	select {
	case err := <-read:
		if err == nil {
			t.Error("read a message that nobody sent")
		}
	case <-time.After(patience):
		t.Fatal("the reader was not told")
	}
	if err := s.Send(call(n, nil), ByPolicy, FlushInline); !errors.Is(err, ErrSlowReader) {
		t.Errorf("write afterwards: %v", err)
	}
	if err := s.Err(); !errors.Is(err, ErrSlowReader) {
		t.Errorf("Err() = %v", err)
	}
	_ = s.Close()
}

// What many writers leave in the queue is bounded by the limit whatever the
// policy, and no sender waits once the socket is closed.
func TestManyWritersStayBelowLimit(t *testing.T) {
	for _, policy := range []Policy{Block, DropNew, DropOld} {
		t.Run(string(policy), func(t *testing.T) {
			body := make([]byte, 300)
			s, _, _ := full(t, policy, body)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						err := sendInline(s, push(i, body), i%2 == 0)
						if err != nil && !errors.Is(err, ErrQueueFull) {
							return // closed
						}
					}
				})
			}
			for range 1000 {
				if q := s.Stats().Queued; q > testLimit {
					t.Fatalf("%d bytes wait, above %d", q, testLimit)
				}
			}
			_ = abort(s) // wakes those that wait for room
			close(stop)
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			within(t, "writers after Abort", done)
		})
	}
}

func TestOneMessageAboveLimitGoes(t *testing.T) {
	a, b := pair(t, "unix")
	s := newSocket(a, Config{QueueLimit: 100})
	all := collect(b)
	big := bytes.Repeat([]byte("x"), 300_000)
	for i := range 3 {
		if err := s.Send(call(i, big), ByPolicy, FlushInline); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.Close()
	if seqs := frames(t, all()); len(seqs) != 3 {
		t.Errorf("%d messages arrived, want 3", len(seqs))
	}
}

func TestSendToFullQueue(t *testing.T) {
	body := make([]byte, 500)
	for _, c := range []struct {
		policy  Policy
		nowait  bool
		want    error
		dropped uint64
	}{
		{Block, true, ErrQueueFull, 0}, // the caller will retry, so nothing is lost yet
		{Block, false, context.DeadlineExceeded, 0},
		{DropNew, true, ErrQueueFull, 1},
		{DropNew, false, ErrQueueFull, 1},
		{DropOld, true, ErrQueueFull, 0}, // calls can't be dropped, so the push is refused
		{DropOld, false, context.DeadlineExceeded, 0},
		{Disconnect, true, ErrSlowReader, 1},
	} {
		s, _, n := full(t, c.policy, body)
		before := s.Stats().Dropped
		frame, err := s.Pack(push(n, body))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		full := ByPolicy
		if c.nowait {
			full = NoWait
		}
		err = s.SendFrame(ctx, frame, full, FlushAsync)
		cancel()
		if !errors.Is(err, c.want) || s.Stats().Dropped-before != c.dropped {
			t.Errorf("%s, nowait %v: error %v and %d dropped, want %v and %d", c.policy, c.nowait, err, s.Stats().Dropped-before, c.want, c.dropped)
		}
		_ = abort(s)
	}
}

// A burst that is faster than our own goroutines says nothing about the other
// side: no push is dropped and no connection is ended for it.
func TestBurstBeforeTheFlushersBegin(t *testing.T) {
	for _, policy := range []Policy{Block, DropNew, DropOld, Disconnect} {
		a, b := pair(t, "tcp")
		s := newSocket(a, Config{QueueLimit: testLimit, Policy: policy})
		pool := s.out.cfg.flushers
		pool.running = runtime.GOMAXPROCS(0) // busy, as far as it knows
		const n = 10
		frame := frameOf(t, push(0, make([]byte, testLimit/3)))
		for i := range n {
			if err := s.SendFrame(t.Context(), frame, NoWait, FlushAsync); err != nil {
				t.Fatalf("%s: push %d: %v", policy, i, err)
			}
		}
		if st := s.Stats(); st.Dropped > 0 || st.Queued == 0 {
			t.Errorf("%s: %d pushes were dropped; %d bytes are left to the flushers", policy, st.Dropped, st.Queued)
		}
		pool.run() // finds what was left to it several times, and flushes it once
		_ = s.Close()
		if seqs := frames(t, collect(b)()); len(seqs) != n {
			t.Errorf("%s: %d of %d pushes arrived", policy, len(seqs), n)
		}
	}
}

func TestBurstBeforeTheBlockingWriterBegins(t *testing.T) {
	for _, policy := range []Policy{Block, DropNew, DropOld, Disconnect} {
		a, b := pair(t, "tcp")
		s := newSocket(wrapped{a}, Config{QueueLimit: testLimit, Policy: policy})
		begin := make(chan struct{})
		s.out.cfg.blocking.Do = func(o *writer) { <-begin; o.flushBlocking() }
		body := make([]byte, testLimit/3-lengthHead) // three frames fit
		for i := range 3 {
			if err := s.Send(push(i, body), ByPolicy, FlushInline); err != nil {
				t.Fatalf("%s: push %d: %v", policy, i, err)
			}
		}
		if err := s.SendFrame(t.Context(), frameOf(t, push(3, body)), NoWait, FlushAsync); !errors.Is(err, ErrQueueFull) {
			t.Errorf("%s: a push that is not to wait: %v", policy, err)
		}
		written := make(chan struct{})
		go func() {
			defer close(written)
			if err := s.Send(push(3, body), ByPolicy, FlushInline); err != nil {
				t.Errorf("%s: a push that may wait: %v", policy, err)
			}
		}()
		close(begin)
		within(t, "the push that waits for the writer to begin", written)
		if st := s.Stats(); st.Dropped > 0 {
			t.Errorf("%s: %d pushes were dropped", policy, st.Dropped)
		}
		_ = s.Close()
		if seqs := frames(t, collect(b)()); !slices.Equal(seqs, []int{0, 1, 2, 3}) {
			t.Errorf("%s: pushes %v arrived", policy, seqs)
		}
	}
}
