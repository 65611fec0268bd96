package socket

import (
	"bytes"
	"context"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/rawproto"
)

// bodySize is that of a body that takes two writes.
const bodySize = rawPiece + 1000

// A large body goes out behind its head, each write with a deadline. Those that wait for
// room get that of what is taken with it.
func TestBodyWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []byte
		var w *writer
		conn := new(scripted)
		conn.write = func(p []byte) (int, error) {
			if left := time.Until(conn.deadline()); left != time.Second {
				t.Errorf("the write after %d bytes has %v", len(got), left)
			}
			got = append(got, p...)
			return len(p), nil
		}
		w = newWriter(conn, fullKernel{}, Config{WriteTimeout: looks * time.Second})
		w.queue.add([]byte("queued"))
		waits := w.crowdLocked().room.push([]byte("waits"), putMode{})
		body := randomBody(bodySize)
		c, b, err := w.beginBody(t.Context(), []byte("head"), body)
		if err != nil || len(waits.result) != 1 || w.crowd.body != b || w.queue.n != len("waits") {
			t.Fatalf("%v; %d bytes are queued, want those of the one that waited", err, w.queue.n)
		}
		w.crowd.body = nil
		w.state.move(writing)
		w.queue.addFront(c)
		w.flush(false)
		synctest.Wait()
		if want := append(append([]byte("queuedhead"), body...), "waits"...); !bytes.Equal(got, want) {
			t.Errorf("%d bytes were written, want %d", len(got), len(want))
		}
		got = nil
		if err := w.sendBody(t.Context(), []byte("head"), body); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, append([]byte("head"), body...)) || w.state != idle || w.crowd.body != nil {
			t.Errorf("%d bytes of the second were written; %v", len(got), w.state)
		}
		if w.messages != 3 || w.writes != 4 || w.moved.Load() != w.bytes+uint64(len("queued")) {
			t.Errorf("%d messages, %d writes, %d bytes moved of %d", w.messages, w.writes, w.moved.Load(), w.bytes)
		}
	})
}

// An interrupt after the last write leaves no deadline behind.
func TestInterruptAfterTheLastWrite(t *testing.T) {
	var w *writer
	conn, sent := new(scripted), 0
	conn.write = func(p []byte) (int, error) {
		sent += len(p)
		if sent == bodySize+4 {
			w.interrupt(w.crowd.body)
		}
		return len(p), nil
	}
	w = newWriter(conn, fullKernel{}, Config{WriteTimeout: -1})
	if err := w.sendBody(t.Context(), []byte("head"), make([]byte, bodySize)); err != nil {
		t.Fatal(err)
	}
	if !conn.deadline().IsZero() || w.crowd.body != nil || w.state != idle {
		t.Errorf("the deadline is %v, the state %v", conn.deadline(), w.state)
	}
}

// An interrupt that comes too late does not end the write of another sender.
func TestLateInterrupt(t *testing.T) {
	conn := new(scripted)
	w := newWriter(conn, fullKernel{}, Config{})
	for _, now := range []*bodyWrite{nil, new(bodyWrite)} {
		late := new(bodyWrite)
		w.crowdLocked().body = now
		w.interrupt(late)
		if !conn.deadline().IsZero() || late.interrupted || w.crowd.interrupted() {
			t.Errorf("the deadline is %v", conn.deadline())
		}
	}
}

// The sender whose write is interrupted owns its body again. The rest is written from a
// copy, without a deadline, or with that of Close.
func TestInterruptInTheMiddle(t *testing.T) {
	for _, closes := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var w *writer
			var got []byte
			var by time.Time // the deadline of the write that goes on
			writes, returned := 0, make(chan struct{})
			conn := new(scripted)
			conn.write = func(p []byte) (int, error) {
				writes++
				switch writes {
				case 2: // of the body
					got = append(got, p[:100]...)
					if closes {
						_ = w.close(lingerTime) // the lead is taken, so it does nothing else
					} else {
						w.interrupt(w.crowd.body)
					}
					return 100, os.ErrDeadlineExceeded
				case 3:
					<-returned
					by = conn.deadline()
				}
				got = append(got, p...)
				return len(p), nil
			}
			w = newWriter(conn, fullKernel{}, Config{WriteTimeout: -1})
			body := randomBody(bodySize)
			want := append([]byte("head"), body...)
			if err := w.sendBody(t.Context(), []byte("head"), body); err != nil {
				t.Fatal(err)
			}
			clear(body)
			if w.crowd.body != nil {
				t.Error("the writer still refers to the body")
			}
			end := time.Time{}
			if closes {
				end = time.Now().Add(lingerTime)
			}
			close(returned)
			synctest.Wait()
			if !bytes.Equal(got, want) || w.state != idle || conn.isClosed() != closes {
				t.Errorf("%d of %d bytes arrived, or others; %v, closed %v", len(got), len(want), w.state, conn.isClosed())
			}
			if !by.Equal(end) {
				t.Errorf("the rest is written until %v, want %v", by, end)
			}
		})
	}
}

// The sender of a large body gets the reason why the socket ended, not what its write
// then returned. After the end nothing is written.
func TestErrorOfABodyWrite(t *testing.T) {
	var w *writer
	writes := 0
	w = newWriter(&scripted{write: func([]byte) (int, error) {
		writes++
		w.fail(ErrSlowReader)
		return 0, net.ErrClosed
	}}, fullKernel{}, Config{})
	for range 2 {
		if err := w.sendBody(t.Context(), []byte("head"), make([]byte, bodySize)); err != ErrSlowReader {
			t.Errorf("%v, want %v", err, ErrSlowReader)
		}
	}
	if writes != 1 || w.state != idle {
		t.Errorf("%d writes, want that which failed; %v", writes, w.state)
	}
}

// The sender of a large body does not wait for a goroutine that is late.
func TestBodyDoesNotWaitForTheFlush(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for state, want := range map[writerState]error{idle: nil, scheduled: nil, writing: context.Canceled, starting: context.Canceled} {
		w := newWriter(nil, fullKernel{}, Config{})
		w.state = state
		w.mu.Lock()
		if err := w.awaitLeadLocked(ctx); err != want || err == nil && w.state != writingBody {
			t.Errorf("from %v: %v; now %v", state, err, w.state)
		}
		w.endSendingLocked(errBroken)
		if err := w.awaitLeadLocked(ctx); err != errBroken {
			t.Errorf("from %v, after the end: %v", state, err)
		}
		w.mu.Unlock()
	}
}

// A counting context knows how many functions wait for its end.
type counting struct {
	context.Context
	done  chan struct{}
	waits int
}

func (c *counting) Done() <-chan struct{} { return c.done }

func (c *counting) AfterFunc(func()) (stop func() bool) {
	c.waits++
	return func() bool { c.waits--; return true }
}

// A context that lives on does not keep the bodies that were sent with it.
func TestSentBodyIsNotWatched(t *testing.T) {
	asked := 0
	ctx := &counting{Context: t.Context(), done: make(chan struct{})}
	w := newWriter(&scripted{write: func(p []byte) (int, error) { asked = ctx.waits; return len(p), nil }}, fullKernel{}, Config{})
	if err := w.sendBody(ctx, []byte("head"), make([]byte, bodySize)); err != nil {
		t.Fatal(err)
	}
	if asked != 1 || ctx.waits != 0 {
		t.Errorf("%d functions waited for the context during the write, and %d do now", asked, ctx.waits)
	}
}

// Which bodies are written from where they lie.
func TestWhichBodiesAreSplit(t *testing.T) {
	queues := putMode{policy: Block}
	for _, c := range []struct {
		name    string
		mtype   byte
		size    int
		raw     bool
		mode    putMode
		setting message.Setting
		want    bool
	}{
		{"a large call", message.TypeCall, largeBody, true, queues, nil, true},
		{"a smaller one", message.TypeCall, largeBody - 1, true, queues, nil, false},
		{"of a stream", message.TypeStreamData, largeStreamBody, true, queues, nil, true},
		{"a smaller one of a stream", message.TypeStreamData, largeStreamBody - 1, true, queues, nil, false},
		{"on a wrapped connection", message.TypeCall, largeBody, false, queues, nil, false},
		{"that does not wait", message.TypeCall, largeBody, true, putMode{full: NoWait, policy: Block}, nil, false},
		{"that may be dropped", message.TypePush, largeBody, true, putMode{policy: DropNew}, nil, false},
		{"that can't be packed", message.TypeCall, largeBody, true, queues, message.WithXferPipe(251), false},
	} {
		s := new(Socket)
		s.proto = rawproto.New()
		if c.raw {
			s.out.raw = fullKernel{}
		}
		m := msg(c.mtype, 1, make([]byte, c.size))
		if c.setting != nil {
			c.setting(m)
		}
		if _, _, ok := s.split(m, c.mode); ok != c.want {
			t.Errorf("%s: split %v", c.name, ok)
		}
	}
}

// A large reply counts as waiting while its sender writes it.
func TestLargeReplyCounts(t *testing.T) {
	s := new(Socket)
	s.proto = rawproto.New()
	var replies, size int64
	s.out.init(&scripted{write: func(p []byte) (int, error) { replies, size = s.Waiting(); return len(p), nil }}, fullKernel{}, Config{}.Complete())
	m := msg(message.TypeReply, 1, make([]byte, bodySize))
	if err := s.Send(m, ByPolicy, FlushInline); err != nil {
		t.Fatal(err)
	}
	if replies != 1 || size != bodySize {
		t.Errorf("%d replies of %d bytes waited during the write", replies, size)
	}
	if replies, size = s.Waiting(); replies != 0 || size != 0 {
		t.Errorf("%d replies of %d bytes wait after it", replies, size)
	}
	if st := s.Stats(); uint64(m.Size()) != st.BytesOut || st.BytesOut < bodySize {
		t.Errorf("the size of the message is %d; %d bytes were sent", m.Size(), st.BytesOut)
	}
}
