package streams

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/session"
)

type note struct{ N int }

// link makes a server and a session of a client to it, over TCP.
func link(t *testing.T, register func(erpc.Peer), server, client erpc.PeerConfig) (erpc.Session, erpc.Peer) {
	t.Helper()
	srv, addr := func() (erpc.Peer, string) {
		server.LocalIP = "127.0.0.1"
		srv := kit.Peer(t, server)
		register(srv)
		return srv, kit.Start(t, srv)
	}()
	_, sess := kit.Dial(t, addr, client)
	return sess, srv
}

func register(srv erpc.Peer) {
	erpc.HandleStream(srv, "/count", func(ctx context.Context, s *erpc.Stream[note, note]) error {
		first, err := s.Recv()
		if err != nil {
			return err
		}
		for i := range first.N {
			if err := s.Send(&note{i}); err != nil {
				return err
			}
		}
		return nil
	})
	erpc.HandleStream(srv, "/sum", func(ctx context.Context, s *erpc.Stream[note, note]) error {
		sum := 0
		for m, err := range s.All() {
			if err != nil {
				return err
			}
			sum += m.N
		}
		return s.Send(&note{sum})
	})
	erpc.HandleStream(srv, "/echo", func(ctx context.Context, s *erpc.Stream[note, note]) error {
		for m, err := range s.All() {
			if err != nil {
				return err
			}
			if err := s.Send(m); err != nil {
				return err
			}
		}
		return nil
	})
	erpc.HandleStream(srv, "/shapes/panic", func(context.Context, *erpc.Stream[note, note]) error { panic("no") })
	erpc.HandleStream(srv, "/shapes/wait", func(ctx context.Context, s *erpc.Stream[note, note]) error {
		if err := s.Send(&note{}); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	erpc.HandleStream(srv, "/shapes/bytes", func(_ context.Context, s *erpc.Stream[[]byte, []byte]) error {
		for m, err := range s.All() {
			if err != nil {
				return err
			}
			if err := s.Send(m); err != nil {
				return err
			}
		}
		return nil
	})
	erpc.HandleStream(srv, "/fail", func(ctx context.Context, s *erpc.Stream[note, note]) error {
		return erpc.NewStatus(1001, "no").Err()
	})
}

// Streams go over each protocol that carries them, on each transport.
func TestShapes(t *testing.T) {
	combinations(func(name string, tr transport, pf erpc.ProtoFunc) {
		t.Run(name, func(t *testing.T) { testShapes(t, tr.open(t, pf)) })
	})
}

func testShapes(t *testing.T, sess erpc.Session) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	open := func(t *testing.T, method string) *erpc.Stream[note, note] {
		s, err := erpc.OpenStream[note, note](ctx, sess, method)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("the handler sends many", func(t *testing.T) {
		s, count := open(t, "/count"), scaled(5000)
		if err := s.Send(&note{count}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for m, err := range s.All() {
			if err != nil || m.N != n {
				t.Fatalf("message %d: %v, %v", n, m, err)
			}
			n++
		}
		if n != count {
			t.Errorf("%d messages", n)
		}
	})
	t.Run("the opener sends many", func(t *testing.T) {
		s := open(t, "/sum")
		want := 0
		for i := range scaled(5000) {
			want += i
			if err := s.Send(&note{i}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.CloseAndRecv()
		if err != nil || got.N != want {
			t.Fatalf("%v, %v; want %d", got, err, want)
		}
	})
	t.Run("both send", func(t *testing.T) {
		s := open(t, "/echo")
		for i := range scaled(2000) {
			if err := s.Send(&note{i}); err != nil {
				t.Fatal(err)
			}
			if m, err := s.Recv(); err != nil || m.N != i {
				t.Fatalf("%v, %v; want %d", m, err, i)
			}
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("after CloseSend: %v", err)
		}
	})
	t.Run("it fails", func(t *testing.T) {
		s := open(t, "/fail")
		_, err := s.Recv()
		var st *erpc.StatusError
		if !errors.As(err, &st) || st.Status.Code() != 1001 {
			t.Errorf("%v", err)
		}
	})
	t.Run("nobody is there", func(t *testing.T) {
		s := open(t, "/nobody")
		_, err := s.Recv()
		var st *erpc.StatusError
		if !errors.As(err, &st) || st.Status.Code() != erpc.CodeNotFound {
			t.Errorf("%v", err)
		}
	})
	t.Run("it panics", func(t *testing.T) {
		_, err := open(t, "/shapes/panic").Recv()
		wantCode(t, "a panic", err, erpc.CodeInternalServerError)
	})
	t.Run("it is cancelled, or its time is over", func(t *testing.T) {
		closed := open(t, "/shapes/wait")
		if _, err := closed.Recv(); err != nil {
			t.Fatal(err)
		}
		_ = closed.Close() // it never fails
		_, err := closed.Recv()
		wantCode(t, "after Close", err, erpc.CodeCanceled)
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		late, err := erpc.OpenStream[note, note](short, sess, "/shapes/wait")
		for err == nil { // the time may be over before the stream is open
			_, err = late.Recv()
		}
		wantCode(t, "after the deadline", err, erpc.CodeHandleTimeout)
	})
	t.Run("small and large messages", func(t *testing.T) {
		s, err := erpc.OpenStream[[]byte, []byte](ctx, sess, "/shapes/bytes")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, n := range []int{0, 1, 64<<10 + 1, 1 << 20} {
			m := pattern(n, n)
			if err := s.Send(&m); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Recv(); err != nil || !bytes.Equal(*got, m) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
	})
	if !sess.Health() {
		t.Error("the session has ended")
	}
}

// If the protocol has no form for streams, or the other side does not know them,
// opening one returns an error and the session goes on.
func TestProtocolsWithoutStreams(t *testing.T) {
	for name, pf := range map[string]erpc.ProtoFunc{
		"http":          httproto.NewHTTProtoFunc(),
		"thrift struct": thriftproto.NewStructProtoFunc(),
	} {
		t.Run(name, func(t *testing.T) {
			sess, _ := link(t, register, erpc.PeerConfig{ProtoFunc: pf}, erpc.PeerConfig{ProtoFunc: pf})
			_, err := erpc.OpenStream[note, note](t.Context(), sess, "/echo")
			if !errors.Is(err, session.ErrNoStreams) {
				t.Errorf("%v", err)
			}
			if !sess.Health() {
				t.Error("the session has ended")
			}
		})
	}
}
