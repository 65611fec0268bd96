package dispatcher_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/router/dispatcher"
)

func Example() {
	var d dispatcher.Dispatcher
	d.AddFunc("upper", strings.ToUpper) // any function will do
	d.AddService("visits", new(counter))

	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	defer srv.Close()
	d.Register(srv)
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
	upper := dispatcher.Func[string, string](sess, "upper")
	visit := dispatcher.Func[int, int](sess, "visits/Add")
	fmt.Println(upper(context.Background(), "hello"))
	fmt.Println(visit(context.Background(), 2))
	// Output:
	// HELLO <nil>
	// 2 <nil>
}
