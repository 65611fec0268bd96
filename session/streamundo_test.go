package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
)

// openOn opens a stream on a unit whose other side is the test.
func openOn(t *testing.T, u *unit) *Stream {
	t.Helper()
	x := getExchange(u.conn, roleOutgoing)
	defer putExchange(x)
	x.out.SetMtype(message.TypeStreamOpen)
	x.out.SetServiceMethod("/s")
	x.out.SetContext(t.Context())
	s, st := streamOpening{x, new(Hooks)}.on(u.conn)
	if !st.OK() {
		t.Fatal(st)
	}
	return s
}

// A message that is not sent, because its sender gives up while the queue is full,
// takes nothing of the window: the other side will never credit it.
func TestAMessageThatIsNotSentTakesNoWindow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := streamUnit(t, nil, func(sh *Shared) {
			cfg := *sh.Socket
			cfg.QueueLimit = 32 << 10 // of which messages of streams have a quarter
			sh.Socket = &cfg
		})
		s := openOn(t, u)
		defer s.Close()
		u.net.block()
		body := make([]byte, 6<<10)
		sent := 0
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := s.SendContext(ctx, body)
			cancel()
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) && code(err) != message.CodeHandleTimeout {
					t.Errorf("a full queue: %v", err)
				}
				break
			}
			sent++
		}
		if n, charge := s.window.Unacked(); n != sent || charge != int64(sent*len(body)) {
			t.Errorf("%d messages of %d bytes were sent; the window has %d of %d", sent, sent*len(body), n, charge)
		}
		if n, _ := s.Counts(); sent == 0 || n != uint64(sent) {
			t.Errorf("%d were sent, %d are counted", sent, n)
		}
		u.net.unblock()
		if err := s.Send(body); err != nil {
			t.Errorf("the stream is not whole: %v", err)
		}
	})
}
