package jsonproto_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/jsonproto"
)

// Both ends use the format if their configurations name it.
func ExampleNewJSONProtoFunc() {
	cfg := erpc.PeerConfig{LocalIP: "127.0.0.1", ProtoFunc: jsonproto.NewJSONProtoFunc(), Logger: slog.New(slog.DiscardHandler)}
	srv := erpc.NewPeer(cfg)
	erpc.HandleCall(srv, "/greet", func(_ context.Context, name *string) (*string, error) {
		greeting := "hello, " + *name
		return &greeting, nil
	})
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()

	cli := erpc.NewPeer(cfg)
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	var greeting string
	st = sess.Call("/greet", "\"world\"", &greeting).Status()
	fmt.Println(greeting, st.OK())

	_ = cli.Close() // an example can't report it
	_ = srv.Close()
	<-served
	// Output: hello, "world" true
}
