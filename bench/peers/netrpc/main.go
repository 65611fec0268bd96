// Command netrpc is the standard library's net/rpc as it comes: gob, structs.
package main

import (
	"fmt"
	"net"
	"net/rpc"
	"os"

	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

func main() {
	rig.Main(rig.Variant{Name: "netrpc", Serve: serve, Dial: dial})
}

// Echo is the service.
type Echo struct{}

// Say answers req.
func (Echo) Say(req, reply *benchpb.Plain) error {
	*reply = *req
	reply.Answer()
	return nil
}

func serve(c rig.Config) (*rig.Server, error) {
	s := rpc.NewServer()
	if err := s.Register(Echo{}); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, err
	}
	go func() {
		s.Accept(l)
		fmt.Fprintln(os.Stderr, "netrpc: no longer listening")
	}()
	return &rig.Server{}, nil
}

func dial(c rig.Config) (*rig.Client, error) {
	all := make([]*rpc.Client, c.Conns)
	for i := range all {
		var err error
		if all[i], err = rpc.Dial("tcp", c.Addr); err != nil {
			return nil, err
		}
	}
	return &rig.Client{NewCaller: func(i int) func() error {
		cl, req, tag := all[i%len(all)], benchpb.NewPlain(), uint32(i)<<16
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
