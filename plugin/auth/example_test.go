package auth_test

import (
	"context"
	"fmt"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/auth"
)

func greet(_ context.Context, name *string) (*string, error) {
	text := "hello " + *name
	return &text, nil
}

// A server that wants a token, a client that shows one, and one that shows
// another.
func Example() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, auth.NewCheckerPlugin(
		auth.CheckToken(func(token string) bool { return auth.Equal(token, "s3cret") })))
	defer srv.Close()
	erpc.HandleCall(srv, "/greet", greet)
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	for _, token := range []string{"s3cret", "guess"} {
		cli := erpc.NewPeer(erpc.PeerConfig{}, auth.NewBearerPlugin(auth.Token(token)))
		defer cli.Close()
		sess, st := cli.Dial(lis.Addr().String())
		if !st.OK() {
			fmt.Println(st.Code(), st.Msg())
			continue
		}
		var text string
		st = sess.Call("/greet", "you", &text).Status()
		fmt.Println(text, st.OK())
	}
	// Output:
	// hello you true
	// 401 Unauthorized
}

// Client and server prove to each other that they have the same key. It is
// never sent.
func ExampleNewHMACChecker() {
	keys := map[string][]byte{"alice": []byte("32 random bytes, from a file, say")}
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, auth.NewHMACChecker(auth.HMACCheckerConfig{
		Key: func(_ auth.Session, id string) ([]byte, bool) {
			key, ok := keys[id]
			return key, ok
		},
		Passed: func(sess auth.Session, id string) *erpc.Status {
			sess.SetID(id) // now the server can push to "alice"
			return nil
		},
	}))
	defer srv.Close()
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	cli := erpc.NewPeer(erpc.PeerConfig{}, auth.NewHMACBearer(auth.HMACBearerConfig{
		ID: "alice", Key: "32 random bytes, from a file, say",
	}))
	defer cli.Close()
	_, st := cli.Dial(lis.Addr().String())
	fmt.Println(st.OK())
	// Output: true
}
