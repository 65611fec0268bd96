package e2e

import (
	"context"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// A call that is given up before anything came back from the other side is still
// cancelled there.
func TestFirstCallOfASessionIsCancelled(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	started, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	erpc.HandleCall(srv, "/hang", func(ctx context.Context, _ *int) (*int, error) {
		started <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return nil, ctx.Err()
	})
	for range 20 {
		cli, first := kit.Dial(t, addr, erpc.PeerConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		cmd := first.AsyncCall("/hang", 1, new(int), nil, erpc.WithContext(ctx))
		kit.Await(t, "the handler", started)
		cancel()
		kit.Await(t, "the end of the call", cmd.Done())
		if st := cmd.Status(); st.Code() != erpc.CodeCanceled {
			t.Fatalf("the call ended with %v", st)
		}
		kit.Await(t, "the end of the handler", ended)
		if err := cli.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
