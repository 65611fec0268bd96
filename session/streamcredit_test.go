package session

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// fullUnit returns a unit whose queue and its reserve are full, and a stream on it with
// messages for which credit is due.
func fullUnit(t *testing.T) (*unit, *Stream) {
	t.Helper()
	u := streamUnit(t, nil, func(sh *Shared) { sh.Socket = socket.Config{QueueLimit: 1 << 10, WriteTimeout: -1}.Complete() })
	s := openOn(t, u)
	u.sentOne()
	for range 2 { // each is half a window at least
		if err := u.frame(message.TypeStreamData, s.key, "", make([]byte, 32<<10)); err != nil {
			t.Fatal(err)
		}
	}
	u.net.block()
	m := message.New()
	for err := error(nil); !isFull(err); err = u.sock.Send(m, socket.Reserved, socket.FlushInline) {
		m.Reset()
		m.SetMtype(message.TypeStreamCredit) // no frame is shorter
		m.SetSeq(s.key - 1)
		synctest.Wait() // what was sent before is being written, or waits in the queue
	}
	return u, s
}

// Credit that finds no room does not hold the receiver up, and is sent when there is
// room.
func TestCreditWaitsForNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u, s := fullUnit(t)
		defer s.Close()
		unblock := sync.OnceFunc(u.net.unblock)
		time.AfterFunc(time.Hour, unblock) // whatever happens
		got := 0
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			var b []byte
			err := s.RecvContext(ctx, &b)
			late := ctx.Err() != nil
			cancel()
			if err != nil || late {
				t.Fatalf("while the queue is full: %v, late %v", err, late)
			}
			got++
		}
		unblock()
		synctest.Wait()
		credited := 0
		for _, m := range u.sent() {
			if m.Mtype() == message.TypeStreamCredit && m.Seq() == -s.key {
				c, err := parseCredit(m.ServiceMethod())
				if err != nil {
					t.Fatal(err)
				}
				credited = int(c.Count)
			}
		}
		if credited != got {
			t.Errorf("%d messages were received, %d are credited", got, credited)
		}
	})
}

// CloseSend that finds no room ends with the stream.
func TestCloseSendEndsWithItsStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u, s := fullUnit(t)
		ended := make(chan struct{})
		began := time.Now()
		go func() {
			defer close(ended)
			_ = s.CloseSend()
		}()
		synctest.Wait()
		time.AfterFunc(time.Second, func() { _ = s.Close() })
		time.AfterFunc(time.Hour, u.net.unblock) // whatever happens
		<-ended
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it waited for %v", took)
		}
	})
}
