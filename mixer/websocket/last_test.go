package websocket_test

import (
	"context"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/mixer/websocket"
	"github.com/goerpc/erpc/plugin/auth"
)

// TestLastMessagesArrive: what a session has sent before it is closed, or refused, leaves
// before its connection ends.
func TestLastMessagesArrive(t *testing.T) {
	login := auth.NewLogin(auth.LoginConfig{Check: func(_ context.Context, _ auth.Session, c auth.Credentials) (*auth.Identity, *erpc.Status) {
		if c.Token != "good" {
			return nil, nil
		}
		return &auth.Identity{Name: "ann"}, nil
	}})
	srv := websocket.NewServer("/", erpc.PeerConfig{Logger: quiet}, login)
	const pushes = 50
	erpc.HandleCall(srv.Peer, "/end", func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		s := erpc.CallCtxFrom(ctx).Session()
		for i := range pushes {
			if st := s.Push("/last", i); !st.OK() {
				return nil, st.Err()
			}
		}
		return nil, s.Close()
	})
	addr := start(t, srv)
	for range 20 {
		bad := websocket.NewClient("/", erpc.PeerConfig{Logger: quiet}, auth.NewBearerPlugin(auth.Token("bad")))
		if _, st := bad.DialJSON(addr); st.Code() != erpc.CodeUnauthorized {
			t.Errorf("a refused client gets %v", st)
		}
		_ = bad.Close()

		last := make(chan int, pushes)
		cli := websocket.NewClient("/", erpc.PeerConfig{Logger: quiet}, auth.NewBearerPlugin(auth.Token("good")))
		erpc.HandlePush(cli.Peer, "/last", func(_ context.Context, i *int) error { last <- *i; return nil })
		sess, st := cli.DialJSON(addr)
		if !st.OK() {
			t.Fatal(st)
		}
		_ = sess.Call("/end", nil, nil).Status() // its session ends with it
		for got := range pushes {
			select {
			case <-last:
			case <-time.After(5 * time.Second):
				t.Fatalf("%d of %d pushes have arrived", got, pushes)
			}
		}
		_ = cli.Close()
	}
}
