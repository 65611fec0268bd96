// Command grpc is grpc-go with its defaults: one ClientConn, unary calls,
// generated code.
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
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
	c rig.Config
}

func (e echo) Say(_ context.Context, m *benchpb.Message) (*benchpb.Message, error) {
	e.c.Work()
	m.Answer()
	return m, nil
}

func serve(c rig.Config) (*rig.Server, error) {
	l, err := net.Listen(c.Network(), c.Addr)
	if err != nil {
		return nil, err
	}
	var options []grpc.ServerOption
	if c.Transport == rig.TLS {
		t, err := rig.ServerTLS()
		if err != nil {
			return nil, err
		}
		options = append(options, grpc.Creds(credentials.NewTLS(t)))
	}
	s := grpc.NewServer(options...)
	echopb.RegisterEchoServer(s, echo{c: c})
	go func() { fmt.Fprintln(os.Stderr, "grpc: no longer serving:", s.Serve(l)) }()
	return &rig.Server{}, nil
}

func dial(c rig.Config) (*rig.Client, error) {
	target, creds := c.Addr, insecure.NewCredentials()
	switch c.Transport {
	case rig.TLS:
		creds = credentials.NewTLS(rig.ClientTLS())
	case rig.Unix:
		target = "unix:" + c.Addr
	}
	all := make([]echopb.EchoClient, c.Conns)
	for i := range all {
		conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds))
		if err != nil {
			return nil, err
		}
		all[i] = echopb.NewEchoClient(conn)
	}
	return &rig.Client{NewCaller: func(i int) func() error {
		cl, req, tag := all[i%len(all)], benchpb.NewRequest(), uint32(i)<<16
		req.Pad(c.Pad)
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
