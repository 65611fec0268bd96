// Command kitex is cloudwego/kitex, multiplexed: TTHeader, its protobuf
// payload codec, netpoll on one connection. The service is written by hand as
// its generator would (package echo); the message is encoded by its own prutal,
// which is faster than Google's protobuf and is what its generated code uses.
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/cloudwego/kitex/client"
	"github.com/cloudwego/kitex/pkg/klog"
	"github.com/cloudwego/kitex/server"

	"github.com/goerpc/erpc/bench/peers/kitex/echo"
	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

func main() {
	klog.SetLevel(klog.LevelError)
	rig.Main(rig.Variant{Name: "kitex", Serve: serve, Dial: dial})
}

type handler struct{ c rig.Config }

func (e *handler) Say(_ context.Context, m *benchpb.Plain) (*benchpb.Plain, error) {
	e.c.Work()
	m.Answer()
	return m, nil
}

func serve(c rig.Config) (*rig.Server, error) {
	var addr net.Addr = &net.UnixAddr{Net: "unix", Name: c.Addr}
	if c.Transport != rig.Unix {
		var err error
		addr, err = net.ResolveTCPAddr("tcp", c.Addr)
		if err != nil {
			return nil, err
		}
	}
	s := server.NewServer(server.WithServiceAddr(addr), server.WithMuxTransport())
	if err := s.RegisterService(echo.Service(), &handler{c}); err != nil {
		return nil, err
	}
	go func() { fmt.Fprintln(os.Stderr, "kitex: no longer serving:", s.Run()) }()
	return &rig.Server{}, rig.AwaitListener(c)
}

// dial opens c.Conns connections; a client of its own for each, because one
// client opens its connections when it likes.
func dial(c rig.Config) (*rig.Client, error) {
	all := make([]client.Client, c.Conns)
	for i := range all {
		var err error
		all[i], err = client.NewClient(echo.Service(),
			client.WithDestService(echo.ServiceName), client.WithHostPorts(c.Addr), client.WithMuxConnection(1))
		if err != nil {
			return nil, err
		}
	}
	return &rig.Client{NewCaller: func(i int) func() error {
		cl, req, tag := all[i%len(all)], benchpb.NewPlain(), uint32(i)<<16
		req.Pad(c.Pad)
		return func() error {
			tag++
			req.Tag(tag)
			var result echo.Result
			if err := cl.Call(context.Background(), echo.Method, &echo.Args{Req: req}, &result); err != nil {
				return err
			}
			return result.Success.Check(tag)
		}
	}}, nil
}
