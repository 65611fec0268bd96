package main

import (
	"context"
	"net"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"storj.io/drpc"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcserver"
)

// protobuf is the encoding that drpc's generated code uses.
type protobuf struct{}

func (protobuf) Marshal(m drpc.Message) ([]byte, error) { return proto.Marshal(m.(proto.Message)) }
func (protobuf) Unmarshal(b []byte, m drpc.Message) error {
	return proto.Unmarshal(b, m.(proto.Message))
}

type drpcHandler struct{}

func (drpcHandler) HandleRPC(s drpc.Stream, rpc string) error {
	d := drpcStream{s}
	if err := serve(strings.TrimPrefix(rpc, "/"), d.recv, d.send); err != nil {
		return err
	}
	return s.CloseSend()
}

// startDRPC is drpc with its defaults.
func startDRPC() (client, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return client{}, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = drpcserver.New(drpcHandler{}).Serve(ctx, lis) }() // it ends with ctx
	c, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		cancel()
		return client{}, err
	}
	conn := drpcconn.New(c)
	stop := func() {
		_ = conn.Close() // nothing is left to lose
		cancel()
	}
	return client{func(method string) (stream, error) {
		s, err := conn.NewStream(ctx, "/"+method, protobuf{})
		return drpcStream{s}, err
	}, stop}, nil
}

type drpcStream struct{ s drpc.Stream }

func (s drpcStream) send(b []byte) error { return s.s.MsgSend(wrapperspb.Bytes(b), protobuf{}) }
func (s drpcStream) closeSend() error    { return s.s.CloseSend() }

func (s drpcStream) recv() ([]byte, error) {
	return recvProto(func(m any) error { return s.s.MsgRecv(m, protobuf{}) })
}
