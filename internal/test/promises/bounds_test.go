package promises

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/message"
)

// TestLongStatusFailsAtItsSender: a handler that fails with more text than a
// status may have gives its caller a status all the same, and the session lives
// on, whatever the protocol.
func TestLongStatusFailsAtItsSender(t *testing.T) {
	for _, w := range wires {
		t.Run(w.name, func(t *testing.T) {
			srv, addr := kit.Serve(t, w.cfg())
			erpc.HandleCall(srv, "/long", func(context.Context, *int) (*int, error) {
				return nil, erpc.NewStatus(1001, "long", strings.Repeat("x", message.MaxStatus)).Err()
			})
			_, sess := kit.Dial(t, addr, w.cfg())
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				st := sess.Call("/long", nil, nil, erpc.WithContext(ctx)).Status()
				kit.WantCode(t, "a call that fails at length", st, erpc.CodeInternalServerError)
			}
		})
	}
}

// TestLongStatusEndsItsStream is the same for the end of a stream, whose opener
// waits for it.
func TestLongStatusEndsItsStream(t *testing.T) {
	long := strings.Repeat("x", message.MaxStatus)
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	erpc.HandleStream(srv, "/long", func(context.Context, *erpc.Stream[int, int]) error { return errors.New(long) })
	_, sess := kit.Dial(t, addr, erpc.PeerConfig{})
	s, st := sess.OpenStream(t.Context(), "/long")
	if !st.OK() {
		t.Fatal(st)
	}
	ended := make(chan *erpc.Status, 1)
	go func() { ended <- s.Status() }()
	kit.WantCode(t, "the stream", kit.Await(t, "the end of the stream", ended), erpc.CodeInternalServerError)
}
