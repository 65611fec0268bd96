package compress_test

import (
	"context"
	"fmt"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/compress"
)

func Example() {
	cfg := erpc.PeerConfig{
		LocalIP:    "127.0.0.1",
		Transports: []erpc.Transport{compress.Transport{Algorithms: []compress.Algorithm{compress.Zstd, compress.S2}}},
	}
	srv := erpc.NewPeer(cfg)
	defer srv.Close()
	erpc.HandleCall(srv, "/greet", func(_ context.Context, name *string) (*string, error) {
		text := "hello " + *name
		return &text, nil
	})
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	cli := erpc.NewPeer(cfg)
	defer cli.Close()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	text, err := erpc.Call[string](context.Background(), sess, "/greet", "you")
	fmt.Println(*text, err)
	// Output: hello you <nil>
}
