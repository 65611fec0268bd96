package streams

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/goerpc/erpc"
)

type bytesStream = erpc.Stream[[]byte, []byte]

func benchLink(b *testing.B) erpc.Session {
	b.Helper()
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	erpc.HandleStream(srv, "/sink", func(ctx context.Context, s *bytesStream) error {
		var m []byte
		for {
			err := s.RecvInto(&m)
			if errors.Is(err, io.EOF) {
				return s.Send(new([]byte))
			}
			if err != nil {
				return err
			}
		}
	})
	erpc.HandleStream(srv, "/echo", func(ctx context.Context, s *bytesStream) error {
		for {
			m, err := s.Recv()
			if err != nil {
				return err
			}
			if err := s.Send(m); err != nil {
				return err
			}
		}
	})
	lis, err := srv.Listen()
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = srv.Serve(lis) }() // ends with the peer
	cli := erpc.NewPeer(erpc.PeerConfig{})
	b.Cleanup(func() { _ = cli.Close(); _ = srv.Close() })
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		b.Fatal(st)
	}
	return sess
}

func BenchmarkOneWay(b *testing.B) {
	for _, size := range []int{128, 64 << 10} {
		b.Run(byteText(size), func(b *testing.B) {
			s, err := erpc.OpenStream[[]byte, []byte](b.Context(), benchLink(b), "/sink")
			if err != nil {
				b.Fatal(err)
			}
			m := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Send(&m); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := s.CloseAndRecv(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkPingPong(b *testing.B) {
	s, err := erpc.OpenStream[[]byte, []byte](b.Context(), benchLink(b), "/echo")
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	m := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Send(&m); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			b.Fatal(err)
		}
	}
}

// The upper limit for 64 KiB messages: io.Copy between two sockets on the same
// machine.
func BenchmarkCopy(b *testing.B) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer lis.Close()
	done := make(chan error, 1)
	go func() {
		c, err := lis.Accept()
		if err == nil {
			_, err = io.Copy(io.Discard, struct{ io.Reader }{c})
		}
		done <- err
	}()
	c, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	m := make([]byte, 64<<10)
	b.SetBytes(int64(len(m)))
	for b.Loop() {
		if _, err := c.Write(m); err != nil {
			b.Fatal(err)
		}
	}
	_ = c.Close() // the reader checks the data
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func byteText(n int) string {
	if n < 1<<10 {
		return "128 B"
	}
	return "64 KiB"
}
