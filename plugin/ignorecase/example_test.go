package ignorecase_test

import (
	"context"
	"fmt"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/ignorecase"
)

func Example() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, ignorecase.NewIgnoreCase())
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

	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer cli.Close()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	var text string
	st = sess.Call("/Greet", "you", &text).Status()
	fmt.Println(text, st.OK())
	// Output: hello you true
}
