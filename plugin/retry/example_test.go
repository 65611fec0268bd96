package retry_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/retry"
)

// A client with two servers, one of which is gone.
func Example() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)})
	defer srv.Close()
	erpc.HandleCall(srv, "/hi", func(context.Context, *struct{}) (*string, error) {
		text := "hello"
		return &text, nil
	})
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	r := retry.New(retry.Config{Attempts: 3, Breaker: &retry.BreakerConfig{}})
	cli := erpc.NewPeer(erpc.PeerConfig{}, r)
	defer cli.Close()
	gone, st1 := cli.Dial(lis.Addr().String())
	here, st2 := cli.Dial(lis.Addr().String())
	if !st1.OK() || !st2.OK() {
		fmt.Println(st1, st2)
		return
	}
	if err := gone.Close(); err != nil {
		fmt.Println(err)
		return
	}

	next := 0
	target := r.OnAny(func() retry.Caller {
		next++
		return []erpc.Session{gone, here}[(next-1)%2]
	})
	text, err := erpc.CallValue[string](context.Background(), target, "/hi", nil)
	fmt.Println(text, err, r.Stats().Retries)
	// Output: hello <nil> 1
}
