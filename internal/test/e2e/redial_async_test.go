package e2e

import (
	"context"
	"net"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/session"
)

// AsyncCall returns at once even if the connection is lost while its hooks run,
// and the call is sent over the next connection.
func TestAsyncCallDoesNotWaitForRedial(t *testing.T) {
	kit.NoLeaks(t)
	server := kit.TCP.Peer(t, erpc.PeerConfig{})
	erpc.HandleCall(server, "/add", kit.Add)
	addr := kit.Start(t, server)
	conns := make(chan net.Conn, 2)
	again := make(chan struct{}) // the second dial waits for it
	dial := func(ctx context.Context, _, to string) (net.Conn, error) {
		if len(conns) > 0 {
			select {
			case <-again:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", to)
		if err == nil {
			conns <- conn
		}
		return conn, err
	}
	hook := &erpc.PluginImpl{PluginName: "cut", OnPreWriteCall: func(ctx erpc.WriteCtx) *erpc.Status {
		state := ctx.Session().(interface{ State() session.State }).State
		if state() == session.Open {
			_ = (<-conns).Close() // the session notices
			conns <- nil          // it has dialed once
			kit.Eventually(t, kit.Bound, "redial", func() bool { return state() == session.Redialing })
		}
		return nil
	}}
	client := kit.TCP.Peer(t, erpc.PeerConfig{
		Network: "mine", Transports: []erpc.Transport{erpc.CustomTransport{Nets: []string{"mine"}, DialFunc: dial}}, RedialTimes: -1,
	}, hook)
	s := kit.Open(t, client, addr)
	var sum int
	var cmd erpc.CallCmd
	kit.Within(t, kit.Bound, "AsyncCall", func() { cmd = s.AsyncCall("/add", &kit.Sum{A: 3, B: 4}, &sum, nil) })
	select {
	case <-cmd.Done():
		t.Errorf("the call has ended without a connection: %v", cmd.Status())
	default:
	}
	close(again)
	kit.AwaitIn(t, kit.Bound, "end of the call", cmd.Done())
	if st := cmd.Status(); !st.OK() || sum != 7 {
		t.Errorf("the call: %v, %d", st, sum)
	}
}
