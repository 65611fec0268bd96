package cost

import (
	"context"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/socket/websocket"
)

// How many allocations a message costs, on both ends together in one process. The
// bounds are the measured numbers, so that a change that adds an allocation is
// noticed.
func TestAllocationsOfAMessage(t *testing.T) {
	if kit.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	sess := newPair(t).sess
	web := newPairOver(t, erpc.PeerConfig{Network: "ws", Transports: []erpc.Transport{websocket.Transport{}}}).sess
	text := wrapperspb.String("hello, world")
	var body any = make([]byte, 100)
	result := make([]byte, 0, 200)
	for _, c := range []struct {
		name string
		most float64
		do   func() *erpc.Status
	}{
		// The result and its string; the argument with its context and its string.
		{"typed call", 4, func() *erpc.Status {
			_, err := erpc.Call[wrapperspb.StringValue](context.Background(), sess, "/typed", text)
			return erpc.StatusFromError(err)
		}},
		// The same, and the results of reflection.
		{"struct call", 6, func() *erpc.Status {
			return sess.Call("/echo/text", text, new(wrapperspb.StringValue)).Status()
		}},
		// The command; the argument with its context and its bytes.
		{"call of bytes with a result that has room", 3, func() *erpc.Status {
			return sess.Call("/bytes", body, &result).Status()
		}},
		// The same as over TCP: the library allocates nothing.
		{"typed call over WebSocket", 4, func() *erpc.Status {
			_, err := erpc.Call[wrapperspb.StringValue](context.Background(), web, "/typed", text)
			return erpc.StatusFromError(err)
		}},
	} {
		for range 200 { // fill pools, and let the handler run inline
			if st := c.do(); !st.OK() {
				t.Fatalf("%s: %v", c.name, st)
			}
		}
		got := testing.AllocsPerRun(2000, func() {
			if st := c.do(); !st.OK() {
				t.Errorf("%s: %v", c.name, st)
			}
		})
		t.Logf("%s: %.2f", c.name, got)
		if got > c.most+0.5 { // the collector sometimes empties the pools
			t.Errorf("%s: %.2f allocations, want %v", c.name, got, c.most)
		}
	}
}
