// Command rpcx is smallnest/rpcx with a router handler (its faster kind),
// protobuf bodies and four connections, which it needs for its best figures
// because it writes every message by itself.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/smallnest/rpcx/client"
	"github.com/smallnest/rpcx/log"
	"github.com/smallnest/rpcx/protocol"
	"github.com/smallnest/rpcx/server"

	"github.com/goerpc/erpc/bench/rig"
)

func main() {
	log.SetDummyLogger()
	rig.Main(rig.Variant{Name: "rpcx", Serve: serve, Dial: dial})
}

// connections is how many the callers share where the test is not about the
// number of sessions.
const connections = 4

func serve(c rig.Config) (*rig.Server, error) {
	l, err := rig.Listen(c)
	if err != nil {
		return nil, err
	}
	s := server.NewServer()
	s.AddHandler("Echo", "Say", func(ctx *server.Context) error {
		m := c.NewReply()
		if err := ctx.Bind(m); err != nil {
			return err
		}
		c.Work()
		m.Answer()
		return ctx.Write(m)
	})
	go func() { fmt.Fprintln(os.Stderr, "rpcx: no longer serving:", s.ServeListener(c.Network(), l)) }()
	return &rig.Server{}, nil
}

func dial(c rig.Config) (*rig.Client, error) {
	if c.Conns == 1 {
		c.Conns = connections
	}
	option := client.DefaultOption
	option.SerializeType = protocol.ProtoBuffer
	if c.Codec == "json" {
		option.SerializeType = protocol.JSON
	}
	if c.Transport == rig.TLS {
		option.TLSConfig = rig.ClientTLS()
	}
	all := make([]*client.Client, c.Conns)
	for i := range all {
		all[i] = client.NewClient(option)
		if err := all[i].Connect(c.Network(), c.Addr); err != nil {
			return nil, err
		}
	}
	return &rig.Client{NewCaller: func(i int) func() error {
		cl, req, tag := all[i%len(all)], c.NewRequest(), uint32(i)<<16
		req.Pad(c.Pad)
		return func() error {
			tag++
			req.Tag(tag)
			reply := c.NewReply()
			if err := cl.Call(context.Background(), "Echo", "Say", req, reply); err != nil {
				return err
			}
			return reply.Check(tag)
		}
	}}, nil
}
