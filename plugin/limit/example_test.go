package limit_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/limit"
)

// Ten messages are worked on at the same time, and a hundred may wait, the newest
// of which is next.
func Example() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	defer srv.Close()
	erpc.HandleCall(srv, "/thumbnail", func(_ context.Context, name *string) (*string, error) {
		small := *name + ".small"
		return &small, nil
	}, limit.New(limit.Config{Handlers: 10, Queue: 100}))
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer cli.Close()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	name := "cat.png"
	small, err := erpc.Call[string](context.Background(), sess, "/thumbnail", &name)
	switch st := erpc.StatusFromError(err); {
	case st.OK():
		fmt.Println(*small)
	case st.Code() == erpc.CodeExhausted:
		fmt.Println("not executed: try elsewhere")
	default:
		fmt.Println(st)
	}
	// Output: cat.png.small
}

// A client that tells its callers at once when a thousand calls wait for their
// replies already.
func ExamplePending() {
	cli := erpc.NewPeer(erpc.PeerConfig{}, limit.Pending(1000))
	defer cli.Close()
	tooMany := func(st *erpc.Status) bool { return errors.Is(st.Cause(), limit.ErrPending) }
	fmt.Println(tooMany(nil))
	// Output: false
}
