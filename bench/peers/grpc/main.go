// Command grpc is grpc-go with its defaults: one ClientConn, unary calls,
// generated code, no TLS.
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/goerpc/erpc/bench/peers/grpc/echopb"
	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

func main() {
	rig.Main(rig.Variant{Name: "grpc", Serve: serve, Dial: dial})
}

type echo struct {
	echopb.UnimplementedEchoServer
}

func (echo) Say(_ context.Context, m *benchpb.Message) (*benchpb.Message, error) {
	m.Answer()
	return m, nil
}

func serve(c rig.Config) (*rig.Server, error) {
	l, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, err
	}
	s := grpc.NewServer()
	echopb.RegisterEchoServer(s, echo{})
	go func() { fmt.Fprintln(os.Stderr, "grpc: no longer serving:", s.Serve(l)) }()
	return &rig.Server{}, nil
}

func dial(c rig.Config) (*rig.Client, error) {
	all := make([]echopb.EchoClient, c.Conns)
	for i := range all {
		conn, err := grpc.NewClient(c.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		all[i] = echopb.NewEchoClient(conn)
	}
	return &rig.Client{NewCaller: func(i int) func() error {
		cl, req, tag := all[i%len(all)], benchpb.NewRequest(), uint32(i)<<16
		return func() error {
			tag++
			req.Tag(tag)
			reply, err := cl.Say(context.Background(), req)
			if err != nil {
				return err
			}
			return reply.Check(tag)
		}
	}}, nil
}
