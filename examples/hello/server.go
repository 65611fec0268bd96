package main

import (
	"fmt"
	"time"

	"github.com/goerpc/erpc"
)

// Math has the call handlers. Their service methods are /math/<method>.
type Math struct{ erpc.CallCtx }

// Add returns the sum of arg.
func (m *Math) Add(arg *[]int) (int, *erpc.Status) {
	fmt.Printf("CALL %s %v arrived, metadata author=%s\n", m.ServiceMethod(), *arg, m.PeekMeta("author"))
	sum := 0
	for _, n := range *arg {
		sum += n
	}
	return sum, nil
}

// Chat has the push handlers.
type Chat struct{ erpc.PushCtx }

// Say prints the text of a client. A push has no reply.
func (c *Chat) Say(text *string) *erpc.Status {
	fmt.Printf("PUSH %s arrived: %q\n", c.ServiceMethod(), *text)
	return nil
}

// serve runs the server, which answers calls and broadcasts every second until
// it is interrupted.
func serve(addr string) error {
	peer := erpc.NewPeer(erpc.PeerConfig{ListenAddress: addr})
	peer.RouteCall(new(Math))
	peer.RoutePush(new(Chat))
	lis, err := peer.Listen()
	if err != nil {
		return err
	}
	fmt.Println("listening on", lis.Addr())

	go func() {
		err := peer.Serve(lis) // until the peer is closed
		fmt.Println("stopped listening:", err)
	}()
	go broadcast(peer)
	erpc.GraceSignal() // waits for Ctrl-C, lets handlers finish and closes the peer
	return nil
}

// broadcast pushes a tick to every client once per second, until the process
// ends.
func broadcast(peer erpc.Peer) {
	for n := 1; ; n++ {
		time.Sleep(time.Second)
		if sent, _ := peer.Broadcast("/news/tick", n); sent > 0 {
			fmt.Printf("BROADCAST /news/tick %d sent to %d clients\n", n, sent)
		}
	}
}
