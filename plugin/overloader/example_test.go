package overloader_test

import (
	"context"
	"fmt"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/overloader"
)

// A server accepts one call of /report a second. The second caller is told to come
// back.
func Example() {
	limits := overloader.New(overloader.LimitConfig{
		MaxConn:       10_000,
		MaxInFlight:   500,
		MaxQueue:      1000,
		MaxQueueTime:  100 * time.Millisecond,
		MaxHandlerQPS: []overloader.HandlerLimit{{ServiceMethod: "/report", MaxQPS: 1}},
		Except:        []string{"/heartbeat"},
	})
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, limits)
	defer srv.Close()
	erpc.HandleCall(srv, "/report", func(context.Context, *struct{}) (*string, error) {
		text := "all is well"
		return &text, nil
	})
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
	for range 2 {
		var text string
		st := sess.Call("/report", nil, &text).Status()
		fmt.Printf("%q overload: %t\n", text, overloader.IsOverload(st))
	}
	// Output:
	// "all is well" overload: false
	// "" overload: true
}
