package secure_test

import (
	"context"
	"fmt"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/secure"
)

// Both peers have the key. The server wants everything sealed but what is below
// /public; its client need not ask for it call by call.
func Example() {
	cfg := secure.Config{
		Keys:     []secure.Key{{ID: "2026-11", Key: "32 random bytes, from a file, say"}},
		Require:  true,
		Optional: []string{"/public/*"},
	}
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, secure.New(cfg))
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

	call := func(plugins ...erpc.Plugin) {
		cli := erpc.NewPeer(erpc.PeerConfig{}, plugins...)
		defer cli.Close()
		sess, st := cli.Dial(lis.Addr().String())
		if !st.OK() {
			fmt.Println(st)
			return
		}
		var text string
		st = sess.Call("/greet", "you", &text).Status()
		fmt.Printf("%q %t %q\n", text, st.OK(), st.Msg())
	}
	call(secure.New(cfg))
	call() // without the key
	// Output:
	// "hello you" true ""
	// "" false "message must be encrypted"
}
