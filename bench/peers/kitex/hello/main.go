// Command hello is a server of kitex with one method and its defaults.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"

	"github.com/cloudwego/kitex/server"

	"github.com/goerpc/erpc/bench/peers/kitex/echo"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

type hello struct{}

func (*hello) Say(_ context.Context, m *benchpb.Plain) (*benchpb.Plain, error) { return m, nil }

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	flag.Parse()
	if err := serve(*addr); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func serve(addr string) error {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return err
	}
	s := server.NewServer(server.WithServiceAddr(tcp))
	if err := s.RegisterService(echo.Service(), &hello{}); err != nil {
		return err
	}
	return s.Run()
}
