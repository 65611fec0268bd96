package heartbeat_test

import (
	"fmt"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/heartbeat"
)

// A client that notices within a second or two that its server is gone, and then
// redials.
func Example() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"}, heartbeat.NewPong())
	defer srv.Close()
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.Serve(lis)

	cli := erpc.NewPeer(erpc.PeerConfig{RedialTimes: -1}, heartbeat.NewPinger(heartbeat.PingConfig{
		Rate:   500 * time.Millisecond,
		Misses: 2,
	}))
	defer cli.Close()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		fmt.Println(st)
		return
	}
	fmt.Println(sess.Health())
	// Output: true
}
