package main

import (
	"fmt"
	"time"

	"github.com/goerpc/erpc"
)

// News has the client's push handlers: either side can have handlers.
type News struct {
	erpc.PushCtx
	ticks chan<- int
}

// Tick handles a broadcast of the server.
func (n *News) Tick(count *int) *erpc.Status {
	fmt.Printf("broadcast %s %d arrived\n", n.ServiceMethod(), *count)
	n.ticks <- *count
	return nil
}

// visit runs a client: it calls, pushes, and waits for some broadcasts.
func visit(addr, name string) error {
	peer := erpc.NewPeer(erpc.PeerConfig{})
	defer peer.Close()
	ticks := make(chan int, broadcasts)
	peer.RoutePush(&News{ticks: ticks})

	sess, st := peer.Dial(addr)
	if !st.OK() {
		return st.Err()
	}
	var sum int
	arg := []int{1, 2, 3, 4, 5}
	fmt.Printf("CALL /math/add %v, with metadata author=%s\n", arg, name)
	st = sess.Call("/math/add", arg, &sum, erpc.WithAddMeta("author", name)).Status()
	if !st.OK() {
		return st.Err()
	}
	fmt.Printf("REPLY %d\n", sum)

	text := "hello from " + name
	fmt.Printf("PUSH /chat/say %q, which has no reply\n", text)
	if st := sess.Push("/chat/say", text); !st.OK() {
		return st.Err()
	}

	timeout := time.After(patience)
	for range broadcasts {
		select {
		case <-ticks:
		case <-sess.CloseNotify():
			return fmt.Errorf("the server went away")
		case <-timeout:
			return fmt.Errorf("no broadcast arrived for %v", patience)
		}
	}
	fmt.Printf("bye after %d broadcasts\n", broadcasts)
	return nil
}
