package erpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/goerpc/erpc"
)

// A call that is given up before anything came back from the other side is
// cancelled there all the same.
func TestCancelOfTheFirstCall(t *testing.T) {
	srv, sess := benchPair(t)
	started, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	erpc.HandleCall(srv, "/hang", func(ctx context.Context, _ *int) (*int, error) {
		started <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return nil, ctx.Err()
	})
	for range 20 {
		cli := erpc.NewPeer(erpc.PeerConfig{Logger: srv.Config().Logger})
		first, st := cli.Dial(sess.RemoteAddr().String())
		if !st.OK() {
			t.Fatal(st)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // it is written, and then given up
		_, err := erpc.Call[int](ctx, first, "/hang", 1)
		if st := erpc.StatusFromError(err); st.Code() != erpc.CodeCanceled {
			t.Fatalf("the call ended with %v", err)
		}
		select {
		case <-started:
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Fatal("the handler goes on")
			}
		case <-time.After(200 * time.Millisecond): // it was not even written
		}
		_ = cli.Close()
	}
}
