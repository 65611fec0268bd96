package reflect_test

import (
	"context"
	"fmt"
	"net"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/reflect"
)

// A server lists its methods for clients on the same machine.
func Example() {
	r := reflect.New(reflect.Config{Allow: func(sess erpc.Session) bool {
		addr, ok := sess.RemoteAddr().(*net.TCPAddr)
		return ok && addr.IP.IsLoopback()
	}})
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, r)
	defer srv.Close()
	erpc.HandleCall(srv, "/math/add", add, r.Doc("adds numbers"))
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
	list, err := erpc.Call[reflect.List](context.Background(), sess, reflect.ListMethod, &reflect.ListArg{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range list.Methods {
		fmt.Println(m.Kind, m.Name, m.Arg, m.Result, m.Doc)
	}
	// Output: call /math/add []int int adds numbers
}

func add(_ context.Context, n *[]int) (*int, error) {
	sum := 0
	for _, v := range *n {
		sum += v
	}
	return &sum, nil
}
