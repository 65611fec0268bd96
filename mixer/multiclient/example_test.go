package multiclient_test

import (
	"context"
	"fmt"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/mixer/multiclient"
)

func Example() {
	server := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	defer server.Close()
	erpc.HandleCall(server, "/file/size", func(_ context.Context, file *[]byte) (*int, error) {
		size := len(*file)
		return &size, nil
	})
	lis, err := server.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = server.Serve(lis) }() // it returns when the peer is closed

	client := erpc.NewPeer(erpc.PeerConfig{})
	defer client.Close()
	pool := multiclient.New(client, lis.Addr().String(), 4, time.Minute)
	defer pool.Close()

	large := make([]byte, 1<<20)
	done := make(chan erpc.CallCmd, 10)
	for range cap(done) {
		pool.AsyncCall("/file/size", large, new(int), done)
	}
	total := 0
	for range cap(done) {
		result, st := (<-done).Reply()
		if !st.OK() {
			fmt.Println(st)
			return
		}
		total += *result.(*int)
	}
	fmt.Println(total, "bytes over at most 4 connections")
	// Output: 10485760 bytes over at most 4 connections
}
