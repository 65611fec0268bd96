package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

func bigEndian(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// erpcLink starts a server and opens a session to it.
func erpcLink(register func(erpc.Peer)) (erpc.Session, func(), error) {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", ListenPort: 0})
	register(srv)
	lis, err := srv.Listen()
	if err != nil {
		return nil, nil, err
	}
	go func() { _ = srv.Serve(lis) }() // it ends with the peer
	cli := erpc.NewPeer(erpc.PeerConfig{})
	stop := func() { _ = errors.Join(cli.Close(), srv.Close()) } // nothing is left to lose
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		stop()
		return nil, nil, fmt.Errorf("dial: %w", st.Err())
	}
	return sess, stop, nil
}

// startERPC sends unencoded bytes.
func startERPC() (client, error) {
	sess, stop, err := erpcLink(func(srv erpc.Peer) {
		for _, method := range []string{sinkMethod, echoMethod} {
			erpc.HandleStream(srv, "/"+method, func(_ context.Context, s *erpc.Stream[[]byte, []byte]) error {
				b := bytesStream{s: s}
				return serve(method, b.recv, b.send)
			})
		}
	})
	if err != nil {
		return client{}, err
	}
	return client{func(method string) (stream, error) {
		s, err := erpc.OpenStream[[]byte, []byte](context.Background(), sess, "/"+method)
		return &bytesStream{s: s}, err
	}, stop}, nil
}

type bytesStream struct {
	s   *erpc.Stream[[]byte, []byte]
	out []byte
	in  []byte
}

func (s *bytesStream) send(b []byte) error { s.out = b; return s.s.Send(&s.out) }
func (s *bytesStream) closeSend() error    { return notEOF(s.s.CloseSend()) }

func (s *bytesStream) recv() ([]byte, error) {
	err := s.s.RecvInto(&s.in)
	return s.in, err
}

// startERPCProto sends protobuf messages, as the other frameworks do.
func startERPCProto() (client, error) {
	sess, stop, err := erpcLink(func(srv erpc.Peer) {
		for _, method := range []string{sinkMethod, echoMethod} {
			erpc.HandleStream(srv, "/"+method, func(_ context.Context, s *erpc.Stream[wrapperspb.BytesValue, wrapperspb.BytesValue]) error {
				p := protoStream{s}
				return serve(method, p.recv, p.send)
			})
		}
	})
	if err != nil {
		return client{}, err
	}
	return client{func(method string) (stream, error) {
		s, err := erpc.OpenStream[wrapperspb.BytesValue, wrapperspb.BytesValue](context.Background(), sess, "/"+method, erpc.WithBodyCodec(codec.ID_PROTOBUF))
		return protoStream{s}, err
	}, stop}, nil
}

type protoStream struct {
	s *erpc.Stream[wrapperspb.BytesValue, wrapperspb.BytesValue]
}

func (s protoStream) send(b []byte) error { return s.s.Send(&wrapperspb.BytesValue{Value: b}) }
func (s protoStream) closeSend() error    { return notEOF(s.s.CloseSend()) }

func (s protoStream) recv() ([]byte, error) {
	m, err := s.s.Recv()
	return m.GetValue(), err
}

// notEOF replaces io.EOF by nil, because recv reports the end of the stream.
func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
