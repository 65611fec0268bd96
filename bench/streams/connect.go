package main

import (
	"context"
	"net"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// startConnect is connect-go over HTTP/2 without TLS.
func startConnect() (client, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return client{}, err
	}
	mux := http.NewServeMux()
	for _, method := range []string{sinkMethod, echoMethod} {
		path := "/" + service + "/" + method
		mux.Handle(path, connect.NewBidiStreamHandler(path, func(_ context.Context, s *connect.BidiStream[wrapperspb.BytesValue, wrapperspb.BytesValue]) error {
			recv := func() ([]byte, error) {
				m, err := s.Receive()
				return m.GetValue(), err
			}
			return serve(method, recv, func(b []byte) error { return s.Send(wrapperspb.Bytes(b)) })
		}))
	}
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	srv := &http.Server{Handler: mux, Protocols: h2c}
	go func() { _ = srv.Serve(lis) }() // it ends with Close
	tr := &http.Transport{Protocols: h2c}
	stop := func() {
		tr.CloseIdleConnections()
		_ = srv.Close() // nothing is left to lose
	}
	return client{func(method string) (stream, error) {
		cl := connect.NewClient[wrapperspb.BytesValue, wrapperspb.BytesValue](&http.Client{Transport: tr}, "http://"+lis.Addr().String()+"/"+service+"/"+method)
		return connectStream{cl.CallBidiStream(context.Background())}, nil
	}, stop}, nil
}

type connectStream struct {
	s *connect.BidiStreamForClient[wrapperspb.BytesValue, wrapperspb.BytesValue]
}

func (s connectStream) send(b []byte) error { return s.s.Send(wrapperspb.Bytes(b)) }
func (s connectStream) closeSend() error    { return s.s.CloseRequest() }

func (s connectStream) recv() ([]byte, error) {
	m, err := s.s.Receive()
	return m.GetValue(), err
}
