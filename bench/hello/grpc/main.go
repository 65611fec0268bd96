// Command grpc is a server of grpc-go with one method and its defaults.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"

	"github.com/goerpc/erpc/bench/peers/grpc/echopb"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

type hello struct{ echopb.UnimplementedEchoServer }

func (hello) Say(_ context.Context, m *benchpb.Message) (*benchpb.Message, error) { return m, nil }

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	flag.Parse()
	if err := serve(*addr); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func serve(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	echopb.RegisterEchoServer(s, hello{})
	return s.Serve(l)
}
