package streams

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/goerpc/erpc"
)

// Files is a controller of streams. Its methods use the embedded context and a
// field of each receiver.
type Files struct {
	erpc.CallCtx
	Greeting string
}

func (f *Files) Get(s *erpc.Stream[note, string]) *erpc.Status {
	first, err := s.Recv()
	if err != nil {
		return erpc.StatusFromError(err)
	}
	who := string(f.PeekMeta("who"))
	for i := range first.N {
		line := fmt.Sprint(f.Greeting, " ", who, " ", i)
		if err := s.Send(&line); err != nil {
			return erpc.StatusFromError(err)
		}
	}
	f.SetMeta("count", fmt.Sprint(first.N))
	return nil
}

func (f *Files) Put(s *erpc.Stream[note, note]) error {
	sum := 0
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		sum += m.N
	}
	if sum < 0 {
		return erpc.NewStatus(1003, "negative").Err()
	}
	if sum == 0 {
		panic("nothing was sent")
	}
	return s.Send(&note{sum})
}

func (f *Files) Refuse(*erpc.Stream[note, note]) *erpc.Status { return erpc.NewStatus(1002, "no") }

func (f *Files) End(s *erpc.Stream[note, note]) error { // returns what Recv returned
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
	}
}

func TestStructHandlersOfStreams(t *testing.T) {
	sess, _ := link(t, func(srv erpc.Peer) {
		srv.RouteStream(&Files{Greeting: "hello"})
		srv.SubRoute("v2").RouteStream(&Files{Greeting: "hi"})
		srv.RouteStreamFunc(Twice)
	}, erpc.PeerConfig{}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()

	t.Run("each stream has a receiver of its own", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				path, greeting := "/files/get", "hello"
				if i%2 == 1 {
					path, greeting = "/v2/files/get", "hi"
				}
				who, n := fmt.Sprint("guest", i), 0
				for m, err := range erpc.Subscribe[string](ctx, sess, path, &note{20}, erpc.WithSetMeta("who", who)) {
					if want := fmt.Sprint(greeting, " ", who, " ", n); err != nil || *m != want {
						t.Errorf("%v, %v; want %q", m, err, want)
						return
					}
					n++
				}
				if n != 20 {
					t.Errorf("%d messages", n)
				}
			})
		}
		wg.Wait()
	})
	t.Run("metadata of the reply", func(t *testing.T) {
		s := open[note, string](t, ctx, sess, "/files/get")
		if err := s.Send(&note{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if got := s.Raw().(*erpc.UntypedStream).Trailer().Peek("count"); string(got) != "1" {
			t.Errorf("count %q", got)
		}
	})
	for _, c := range []struct {
		path string
		send []int
		want int32
		sum  int
	}{
		{"/files/put", []int{1, 2, 3}, 0, 6},
		{"/files/put", []int{-1}, 1003, 0},
		{"/files/put", nil, erpc.CodeInternalServerError, 0},
		{"/files/refuse", nil, 1002, 0},
		{"/twice", []int{4}, 0, 8},
	} {
		t.Run(fmt.Sprint(c.path, c.send), func(t *testing.T) {
			s := open[note, note](t, ctx, sess, c.path)
			for _, n := range c.send {
				if err := s.Send(&note{n}); err != nil {
					t.Fatal(err)
				}
			}
			m, err := s.CloseAndRecv()
			wantCode(t, "the answer", errOrEOF(err), c.want)
			if err == nil && m.N != c.sum {
				t.Errorf("%d, want %d", m.N, c.sum)
			}
		})
	}
	t.Run("the end that Recv returned is a good one", func(t *testing.T) {
		s := open[note, note](t, ctx, sess, "/files/end")
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

func errOrEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// Twice is a handler whose service method comes from its name.
func Twice(ctx erpc.CallCtx, s *erpc.Stream[note, note]) *erpc.Status {
	m, err := s.Recv()
	if err != nil {
		return erpc.StatusFromError(err)
	}
	return erpc.StatusFromError(s.Send(&note{2 * m.N}))
}
