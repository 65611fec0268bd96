package streams

import (
	"context"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// Idle subscriptions take little memory: both ends of one, with the goroutine of
// its handler, stay below maxIdleStream bytes. Their windows are limits and take
// no memory.
func TestIdleStreamsCostLittle(t *testing.T) {
	const maxIdleStream = 24 << 10
	count := scaled(10_000)
	wake := make(chan struct{})
	sess, _ := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/feed", func(ctx context.Context, s *erpc.Stream[note, note]) error {
			m, err := s.Recv()
			if err != nil {
				return err
			}
			if err := s.Send(m); err != nil {
				return err
			}
			select {
			case <-wake:
				return s.Send(&note{-m.N})
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}, erpc.PeerConfig{MaxStreams: -1, StreamMemory: -1}, erpc.PeerConfig{StreamMemory: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := memory()
	streams := make([]*erpc.Stream[note, note], count)
	for i := range streams {
		s := open[note, note](t, ctx, sess, "/feed")
		defer s.Close()
		if err := s.Send(&note{i}); err != nil {
			t.Fatal(err)
		}
		if m, err := s.Recv(); err != nil || m.N != i {
			t.Fatalf("%v, %v; want %d", m, err, i)
		}
		streams[i] = s
	}
	each := int64(memory()-before) / int64(count)
	t.Logf("%d idle streams have %d bytes each", count, each)
	if each > maxIdleStream {
		t.Errorf("an idle stream has %d bytes, more than %d", each, maxIdleStream)
	}
	close(wake)
	for i, s := range streams {
		if m, err := s.Recv(); err != nil || m.N != -i {
			t.Fatalf("stream %d after it was idle: %v, %v", i, m, err)
		}
	}
}

// A session with an open stream is not idle, however quiet the stream is; once its
// streams have ended, it is idle.
func TestASessionWithAStreamIsNotIdle(t *testing.T) {
	kit.Bubble(t, testASessionWithAStreamIsNotIdle)
}

func testASessionWithAStreamIsNotIdle(t *testing.T) {
	const limit = 100 * time.Millisecond
	on := kit.Memory()
	sess, srv := link(t, register, on(erpc.PeerConfig{IdleTimeout: limit}), on(erpc.PeerConfig{IdleTimeout: limit}))
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	s := open[note, note](t, ctx, sess, "/echo")
	time.Sleep(10 * limit)
	if err := s.Send(&note{3}); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Recv(); err != nil || m.N != 3 {
		t.Fatalf("after a quiet time: %v, %v", m, err)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	receive(t, "the end of the idle session", sess.CloseNotify())
	kit.Eventually(t, bound, "its end at the server", func() bool { return srv.CountSession() == 0 })
}
