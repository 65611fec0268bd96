package proxy_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/proxy"
)

// A peer in front of two backends, which it uses in turn.
func Example() {
	quiet := slog.New(slog.DiscardHandler)
	serve := func(name string) (erpc.Peer, string) {
		p := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet})
		erpc.HandleCall(p, "/who", func(context.Context, *struct{}) (*string, error) { return &name, nil })
		return p, listen(p)
	}
	a, addrA := serve("a")
	defer a.Close()
	b, addrB := serve("b")
	defer b.Close()

	back := erpc.NewPeer(erpc.PeerConfig{RedialTimes: -1})
	defer back.Close()
	toA, stA := back.Dial(addrA)
	toB, stB := back.Dial(addrB)
	if !stA.OK() || !stB.OK() {
		fmt.Println(stA, stB)
		return
	}
	front := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet}, proxy.NewPlugin(proxy.RoundRobin(toA, toB)))
	defer front.Close()

	cli := erpc.NewPeer(erpc.PeerConfig{})
	defer cli.Close()
	sess, st := cli.Dial(listen(front))
	if !st.OK() {
		fmt.Println(st)
		return
	}
	for range 4 {
		var name string
		st := sess.Call("/who", nil, &name).Status()
		fmt.Println(name, st.OK())
	}
	// Output:
	// a true
	// b true
	// a true
	// b true
}

// listen serves on a free port and returns the address.
func listen(p erpc.Peer) string {
	lis, err := p.Listen()
	if err != nil {
		panic(err)
	}
	go p.Serve(lis)
	return lis.Addr().String()
}
