package main

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const service = "erpc.bench.Streams"

// startGRPC is grpc-go with its defaults.
func startGRPC() (client, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return client{}, err
	}
	desc := grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil)}
	both := map[string]grpc.StreamDesc{}
	for _, method := range []string{sinkMethod, echoMethod} {
		d := grpc.StreamDesc{StreamName: method, ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			return serve(method, func() ([]byte, error) { return recvProto(s.RecvMsg) }, func(b []byte) error { return s.SendMsg(wrapperspb.Bytes(b)) })
		}}
		both[method] = d
		desc.Streams = append(desc.Streams, d)
	}
	srv := grpc.NewServer()
	srv.RegisterService(&desc, nil)
	go func() { _ = srv.Serve(lis) }() // it ends with Stop
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		srv.Stop()
		return client{}, err
	}
	stop := func() {
		_ = conn.Close() // nothing is left to lose
		srv.Stop()
	}
	return client{func(method string) (stream, error) {
		d := both[method]
		s, err := conn.NewStream(context.Background(), &d, "/"+service+"/"+method)
		return grpcStream{s}, err
	}, stop}, nil
}

type grpcStream struct{ s grpc.ClientStream }

func (s grpcStream) send(b []byte) error   { return s.s.SendMsg(wrapperspb.Bytes(b)) }
func (s grpcStream) recv() ([]byte, error) { return recvProto(s.s.RecvMsg) }
func (s grpcStream) closeSend() error      { return s.s.CloseSend() }

func recvProto(recv func(any) error) ([]byte, error) {
	m := new(wrapperspb.BytesValue)
	err := recv(m)
	return m.Value, err
}
