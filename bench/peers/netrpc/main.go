// Command netrpc is the standard library's net/rpc with its defaults: structs,
// with gob or its JSON.
package main

import (
	"fmt"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"

	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

func main() {
	rig.Main(rig.Variant{Name: "netrpc", Serve: serve, Dial: dial})
}

// Echo is the service.
type Echo struct{ c rig.Config }

// Say answers req.
func (e Echo) Say(req, reply *benchpb.Plain) error {
	e.c.Work()
	*reply = *req
	reply.Answer()
	return nil
}

func serve(c rig.Config) (*rig.Server, error) {
	s := rpc.NewServer()
	if err := s.Register(Echo{c}); err != nil {
		return nil, err
	}
	l, err := rig.Listen(c)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				fmt.Fprintln(os.Stderr, "netrpc: no longer listening:", err)
				return
			}
			if c.Codec == "json" {
				go s.ServeCodec(jsonrpc.NewServerCodec(conn))
			} else {
				go s.ServeConn(conn)
			}
		}
	}()
	return &rig.Server{}, nil
}

func dial(c rig.Config) (*rig.Client, error) {
	all := make([]*rpc.Client, c.Conns)
	for i := range all {
		conn, err := rig.Connect(c)
		if err != nil {
			return nil, err
		}
		if c.Codec == "json" {
			all[i] = jsonrpc.NewClient(conn)
		} else {
			all[i] = rpc.NewClient(conn)
		}
	}
	return &rig.Client{NewCaller: func(i int) func() error {
		cl, req, tag := all[i%len(all)], benchpb.NewPlain(), uint32(i)<<16
		req.Pad(c.Pad)
		return func() error {
			tag++
			req.Tag(tag)
			var reply benchpb.Plain
			if err := cl.Call("Echo.Say", req, &reply); err != nil {
				return err
			}
			return reply.Check(tag)
		}
	}}, nil
}
