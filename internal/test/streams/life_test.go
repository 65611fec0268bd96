package streams

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

const bound = 30 * time.Second // of every wait

func code(err error) int32 {
	var st *erpc.StatusError
	if errors.As(err, &st) {
		return st.Status.Code()
	}
	if errors.Is(err, io.EOF) {
		return 0
	}
	return -1
}

func wantCode(t *testing.T, what string, err error, want int32) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%s: %v, want code %d", what, err, want)
	}
}

// receive receives from c, and fails the test if nothing arrives within bound.
func receive[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(bound):
		t.Fatalf("%s: nothing for %v", what, bound)
	}
	return v
}

func open[Out, In any](t *testing.T, ctx context.Context, sess erpc.StreamOpener, method string) *erpc.Stream[In, Out] {
	t.Helper()
	s, err := erpc.OpenStream[Out, In](ctx, sess, method)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever ends a stream, both sides learn how, and the handler's context ends.
func TestEnds(t *testing.T) {
	type result struct {
		recv, cause error
	}
	for _, c := range []struct {
		name            string
		end             func(sess erpc.Session, s *erpc.Stream[note, note], cancel context.CancelFunc)
		timeout         time.Duration
		opener, handler int32
	}{
		{"the opener closes", func(_ erpc.Session, s *erpc.Stream[note, note], _ context.CancelFunc) { _ = s.Close(); _ = s.Close() }, 0, erpc.CodeCanceled, erpc.CodeCanceled},
		{"the opener's context is cancelled", func(_ erpc.Session, _ *erpc.Stream[note, note], cancel context.CancelFunc) { cancel() }, 0, erpc.CodeCanceled, erpc.CodeCanceled},
		{"the deadline passes", func(erpc.Session, *erpc.Stream[note, note], context.CancelFunc) {}, 100 * time.Millisecond, erpc.CodeHandleTimeout, erpc.CodeHandleTimeout},
		{"the session ends", func(sess erpc.Session, _ *erpc.Stream[note, note], _ context.CancelFunc) { _ = sess.Close() }, 0, erpc.CodeConnClosed, erpc.CodeConnClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			kit.Bubble(t, func(t *testing.T) {
				results := make(chan result, 1)
				started := make(chan struct{}, 1)
				waits := func(ctx context.Context, s *erpc.Stream[note, note]) error {
					started <- struct{}{}
					_, err := s.Recv()
					<-ctx.Done()
					results <- result{err, context.Cause(ctx)}
					return err
				}
				on := kit.Memory()
				sess, _ := link(t, func(srv erpc.Peer) { erpc.HandleStream(srv, "/wait", waits) }, on(erpc.PeerConfig{}), on(erpc.PeerConfig{}))
				ctx, cancel := context.WithCancel(t.Context())
				if c.timeout > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), c.timeout)
				}
				defer cancel()
				s := open[note, note](t, ctx, sess, "/wait")
				receive(t, "handler", started)
				c.end(sess, s, cancel)
				_, err := s.Recv()
				wantCode(t, "Recv of the opener", err, c.opener)
				wantCode(t, "Send of the opener", s.Send(&note{}), c.opener)
				receive(t, "the opener's context", s.Context().Done())
				r := receive(t, "the handler's end", results)
				wantCode(t, "Recv of the handler", r.recv, c.handler)
				if r.cause == nil {
					t.Error("the handler's context has no cause")
				}
			})
		})
	}
}

func TestHandlersThatFail(t *testing.T) {
	sess, _ := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/panic", func(context.Context, *erpc.Stream[note, note]) error { panic("no") })
		erpc.HandleStream(srv, "/goexit", func(context.Context, *erpc.Stream[note, note]) error { runtime.Goexit(); return nil })
		erpc.HandleStream(srv, "/early", func(_ context.Context, s *erpc.Stream[note, note]) error {
			if err := s.Send(&note{1}); err != nil {
				return err
			}
			return erpc.NewStatus(1234, "enough").Err()
		})
	}, erpc.PeerConfig{}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	for _, method := range []string{"/panic", "/goexit"} {
		_, err := open[note, note](t, ctx, sess, method).Recv()
		wantCode(t, method, err, erpc.CodeInternalServerError)
	}
	s := open[note, note](t, ctx, sess, "/early")
	for err := error(nil); err == nil; { // the opener sends until it learns that the handler has ended
		if err = s.Send(&note{}); err != nil {
			wantCode(t, "Send after the handler's end", err, 1234)
		}
	}
	m, err := s.Recv()
	if err != nil || m.N != 1 {
		t.Errorf("what was sent before the failure: %v, %v", m, err)
	}
	_, err = s.Recv()
	wantCode(t, "after that", err, 1234)
}

// The server opens streams to its client.
func TestEitherSideOpens(t *testing.T) {
	got := make(chan int, 1)
	sess, srv := link(t, func(srv erpc.Peer) {
		erpc.HandleCall(srv, "/ask", func(ctx context.Context, n *int) (*int, error) {
			s, err := erpc.OpenStream[note, note](ctx, erpc.CallCtxFrom(ctx).Session(), "/echo")
			if err != nil {
				return nil, err
			}
			defer s.Close()
			if err := s.Send(&note{*n}); err != nil {
				return nil, err
			}
			m, err := s.Recv()
			if err != nil {
				return nil, err
			}
			return &m.N, nil
		})
	}, erpc.PeerConfig{}, erpc.PeerConfig{})
	register(sess.Peer().(erpc.Peer))
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	n, err := erpc.Call[int](ctx, sess, "/ask", 41)
	if err != nil || *n != 41 {
		t.Fatalf("%v, %v", n, err)
	}
	close(got)
	if srv.CountSession() != 1 {
		t.Error("the session is gone")
	}
}

// A stream that is not read stops its sender and nothing else.
func TestAStalledReaderStopsItsSenderOnly(t *testing.T) { everywhere(t, testStalledReader) }

func testStalledReader(t *testing.T, link linker) {
	release := make(chan struct{})
	sess, _ := link(t, func(srv erpc.Peer) {
		register(srv)
		erpc.HandleStream(srv, "/stall", func(ctx context.Context, s *erpc.Stream[[]byte, note]) error {
			select {
			case <-release:
			case <-ctx.Done():
			}
			n := 0
			for _, err := range s.All() {
				if err != nil {
					return err
				}
				n++
			}
			return s.Send(&note{n})
		})
		erpc.HandleCall(srv, "/add", func(_ context.Context, n *int) (*int, error) { m := *n + 1; return &m, nil })
	}, erpc.PeerConfig{}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	s := open[[]byte, note](t, ctx, sess, "/stall")
	chunk := make([]byte, 16<<10)
	sent := 0
	for {
		short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		err := s.SendContext(short, &chunk)
		stop()
		if err != nil {
			wantCode(t, "Send", err, erpc.CodeHandleTimeout)
			break
		}
		sent++
	}
	if bytes := sent * len(chunk); bytes > 256<<10 {
		t.Errorf("%d bytes were sent to a program that does not read", bytes)
	}
	for i := range scaled(1000) {
		n, err := erpc.Call[int](ctx, sess, "/add", i)
		if err != nil || *n != i+1 {
			t.Fatalf("call %d beside the stalled stream: %v, %v", i, n, err)
		}
	}
	other := open[note, note](t, ctx, sess, "/echo")
	for i := range scaled(500) {
		if err := other.Send(&note{i}); err != nil {
			t.Fatal(err)
		}
		if m, err := other.Recv(); err != nil || m.N != i {
			t.Fatalf("%v, %v", m, err)
		}
	}
	close(release)
	m, err := s.CloseAndRecv()
	if err != nil || m.N != sent {
		t.Errorf("%v, %v; %d were sent", m, err, sent)
	}
}

// Both sides write more than their windows while neither reads; once they do,
// everything arrives.
func TestBothWriteMoreThanTheWindow(t *testing.T) { everywhere(t, testBothWrite) }

func testBothWrite(t *testing.T, link linker) {
	const size = 32 << 10 // so four messages are more than a window
	count := scaled(200)
	both := func(s *erpc.Stream[[]byte, []byte]) error {
		failed := make(chan error, 1)
		go func() {
			chunk := make([]byte, size)
			for range count {
				if err := s.Send(&chunk); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
		time.Sleep(50 * time.Millisecond) // long enough to fill every window and queue
		for range count {
			m, err := s.Recv()
			if err != nil {
				return err
			}
			if len(*m) != size {
				return fmt.Errorf("%d bytes", len(*m))
			}
		}
		return <-failed
	}
	sess, _ := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/both", func(_ context.Context, s *erpc.Stream[[]byte, []byte]) error { return both(s) })
	}, erpc.PeerConfig{}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	if err := both(open[[]byte, []byte](t, ctx, sess, "/both")); err != nil {
		t.Error(err)
	}
}

// Messages of all sizes up to the limit arrive as they were sent. One above it is
// refused, and the stream goes on.
func TestSizes(t *testing.T) { everywhere(t, testSizes) }

func testSizes(t *testing.T, link linker) {
	limit := 512 << 10
	if full {
		limit = 16 << 20
	}
	cfg := erpc.PeerConfig{StreamMessageLimit: limit}
	sess, _ := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/same", func(_ context.Context, s *erpc.Stream[[]byte, []byte]) error {
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
	}, cfg, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	s := open[[]byte, []byte](t, ctx, sess, "/same")
	for _, n := range []int{0, 1, 255, 256, 4095, 64 << 10, 64<<10 + 1, limit / 4, limit} {
		m := make([]byte, n)
		_, _ = rand.Read(m) // it never fails
		if err := s.Send(&m); err != nil {
			t.Fatal(err)
		}
		got, err := s.Recv()
		if err != nil || !bytes.Equal(*got, m) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	large := make([]byte, limit+1)
	wantCode(t, "above the limit", s.Send(&large), erpc.CodeTooLarge)
	one := []byte{1}
	if err := s.Send(&one); err != nil {
		t.Errorf("the stream has not survived that: %v", err)
	}
}

func TestMaxStreams(t *testing.T) {
	sess, _ := link(t, register, erpc.PeerConfig{MaxStreams: 3}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	var streams []*erpc.Stream[note, note]
	echo := func() error {
		s := open[note, note](t, ctx, sess, "/echo")
		streams = append(streams, s)
		_ = s.Send(&note{}) // Recv tells
		_, err := s.Recv()
		return err
	}
	for range 3 {
		if err := echo(); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "the fourth", echo(), erpc.CodeExhausted)
	if err := streams[0].CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := streams[0].Recv(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := echo(); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}

// Messages of half-closed streams count: the opener can't make the other side hold
// more than its memory for streams by ending its own side of each.
func TestHalfClosedStreamsStayWithinTheMemory(t *testing.T) {
	const size, memory, opened = 2 << 20, 8 << 20, 12
	release := make(chan struct{})
	sess, _ := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/hold", func(ctx context.Context, s *erpc.Stream[[]byte, note]) error {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
			n := 0
			for m, err := range s.All() {
				if err != nil {
					return err
				}
				n += len(*m)
			}
			return s.Send(&note{n})
		})
	}, erpc.PeerConfig{StreamMemory: memory}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	ended := make(chan error, opened)
	chunk := make([]byte, size)
	for range opened {
		s := open[[]byte, note](t, ctx, sess, "/hold")
		if err := s.Send(&chunk); err != nil {
			wantCode(t, "Send", err, erpc.CodeExhausted)
		}
		_ = s.CloseSend() // what Recv says counts
		go func() {
			m, err := s.Recv()
			if err == nil && m.N != size {
				err = fmt.Errorf("%d bytes arrived", m.N)
			}
			ended <- err
		}()
	}
	for range opened - memory/size { // those that did not fit, before any message is taken
		wantCode(t, "a stream above the memory", receive(t, "a refusal", ended), erpc.CodeExhausted)
	}
	close(release)
	for range memory / size {
		if err := receive(t, "the end of a stream", ended); err != nil && code(err) != erpc.CodeExhausted {
			t.Error(err)
		}
	}
}

// Streams do not use up the slots of calls: a session full of them still handles
// calls.
func TestStreamsTakeNoPlacesOfCalls(t *testing.T) {
	sess, _ := link(t, func(srv erpc.Peer) {
		register(srv)
		erpc.HandleCall(srv, "/add", func(_ context.Context, n *int) (*int, error) { m := *n + 1; return &m, nil })
	}, erpc.PeerConfig{MaxHandlers: 1, MaxSessionHandlers: 1}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	for range 5 {
		s := open[note, note](t, ctx, sess, "/echo")
		defer s.Close()
		if err := s.Send(&note{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		n, err := erpc.Call[int](ctx, sess, "/add", i)
		if err != nil || *n != i+1 {
			t.Errorf("call %d: %v, %v", i, n, err)
		}
	}
}

// A side that has stopped reading, because all handler slots are taken, still
// reads credits of streams on which it sends: its handlers may wait for such a
// stream.
func TestCreditsPassAFullSide(t *testing.T) {
	const count, size = 64, 32 << 10 // many windows
	sess, _ := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/take", func(_ context.Context, s *erpc.Stream[[]byte, note]) error {
			srvSess, n := s.Session(), 0
			for range s.All() {
				if n++; n == 1 { // before the window of the sender is used up
					for range 32 {
						if st := srvSess.Push("/work", make([]byte, 16<<10)); !st.OK() {
							return st.Err()
						}
					}
				}
			}
			return s.Send(&note{n})
		})
	}, erpc.PeerConfig{}, erpc.PeerConfig{InflightLimit: 64 << 10})
	released, working := make(chan struct{}), make(chan struct{}, 1000)
	erpc.HandlePush(sess.Peer().(erpc.Peer), "/work", func(context.Context, *[]byte) error {
		working <- struct{}{}
		<-released // as if it needed the data of the stream
		return nil
	})
	defer close(released)
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	s := open[[]byte, note](t, ctx, sess, "/take")
	defer s.Close()
	begin := time.Now()
	chunk := make([]byte, size)
	if err := s.Send(&chunk); err != nil {
		t.Fatal(err)
	}
	receive(t, "a handler at work", working)
	for range count {
		if err := s.Send(&chunk); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := s.CloseAndRecv(); err != nil || m.N != count+1 {
		t.Errorf("%v, %v", m, err)
	}
	if took := time.Since(begin); took >= 3*time.Second { // the time it waits for its own handlers
		t.Errorf("the stream waited %v for credits", took)
	}
}

// TestStreamsOneAfterAnother opens each stream as soon as the previous one has
// ended: with a limit of one, none is refused.
func TestStreamsOneAfterAnother(t *testing.T) {
	sess, _ := link(t, register, erpc.PeerConfig{MaxStreams: 1}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	for i := range 300 {
		s := open[note, note](t, ctx, sess, "/echo")
		if err := s.CloseSend(); err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Fatalf("stream %d: %v", i, err)
		}
	}
}

// Many streams are opened and ended on one session, and leave nothing behind.
func TestManyStreams(t *testing.T) { everywhere(t, testManyStreams) }

func testManyStreams(t *testing.T, link linker) {
	count, atOnce := 10_000, 500
	if !full {
		count, atOnce = 300, 100
	}
	sess, _ := link(t, register, erpc.PeerConfig{MaxStreams: -1, StreamMemory: -1}, erpc.PeerConfig{StreamMemory: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range count {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			s, err := erpc.OpenStream[note, note](ctx, sess, "/echo")
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Send(&note{i}); err != nil {
				t.Error(err)
			}
			if m, err := s.Recv(); err != nil || m.N != i {
				t.Errorf("%v, %v", m, err)
			}
		})
	}
	wg.Wait()
	for end := time.Now().Add(bound); ; time.Sleep(5 * time.Millisecond) {
		n := runtime.NumGoroutine()
		if n <= before+20 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", n, before)
		}
	}
}

// A shutdown tells the handlers, refuses new streams, and after its grace ends the
// remaining ones with 503.
func TestShutdown(t *testing.T) {
	drained := make(chan struct{})
	sess, srv := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/polite", func(ctx context.Context, s *erpc.Stream[note, note]) error {
			if err := s.Send(&note{1}); err != nil {
				return err
			}
			<-s.Draining()
			close(drained)
			return s.Send(&note{2})
		})
		erpc.HandleStream(srv, "/stubborn", func(ctx context.Context, s *erpc.Stream[note, note]) error {
			if err := s.Send(&note{1}); err != nil {
				return err
			}
			<-ctx.Done()
			return context.Cause(ctx)
		})
	}, erpc.PeerConfig{}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	polite, stubborn := open[note, note](t, ctx, sess, "/polite"), open[note, note](t, ctx, sess, "/stubborn")
	for _, s := range []*erpc.Stream[note, note]{polite, stubborn} {
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	grace, stop := context.WithTimeout(ctx, 500*time.Millisecond)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- srv.Shutdown(grace) }()
	receive(t, "Draining of the handler", drained)
	if m, err := polite.Recv(); err != nil || m.N != 2 {
		t.Errorf("the polite stream's last message: %v, %v", m, err)
	}
	if _, err := polite.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the end of the polite stream: %v", err)
	}
	late, err := erpc.OpenStream[note, note](ctx, sess, "/polite")
	if err == nil { // this side does not know yet
		_, err = late.Recv()
	}
	wantCode(t, "a new stream", err, erpc.CodeShuttingDown)
	_, err = stubborn.Recv()
	wantCode(t, "the stubborn stream", err, erpc.CodeShuttingDown)
	receive(t, "Shutdown", done)
}

// Drain asks the other end of one stream to end it, from either side, over every
// protocol; all streams go on.
func TestDrainOfOneStream(t *testing.T) {
	for name, pf := range protocols {
		t.Run(name, func(t *testing.T) {
			asked := make(chan int, 1)
			sess, _ := link(t, func(srv erpc.Peer) {
				erpc.HandleStream(srv, "/feed", func(ctx context.Context, s *erpc.Stream[note, note]) error {
					m, err := s.Recv()
					if err != nil {
						return err
					}
					if m.N == 1 {
						s.Drain()
					}
					if err := s.Send(m); err != nil {
						return err
					}
					select {
					case <-s.Draining():
						asked <- m.N
					case <-ctx.Done():
						return ctx.Err()
					}
					return s.Send(m)
				})
			}, erpc.PeerConfig{ProtoFunc: pf}, erpc.PeerConfig{ProtoFunc: pf})
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			var streams []*erpc.Stream[note, note]
			for i := range 3 {
				s := open[note, note](t, ctx, sess, "/feed")
				defer s.Close()
				if err := s.Send(&note{i}); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Recv(); err != nil {
					t.Fatal(err)
				}
				streams = append(streams, s)
			}
			receive(t, "Draining of the one that its handler drains", streams[1].Draining())
			for _, i := range []int{2, 0} {
				select {
				case <-streams[i].Draining():
					t.Errorf("stream %d drains", i)
				default:
				}
				streams[i].Drain()
				if got := receive(t, "the handler", asked); got != i {
					t.Errorf("the handler of %d heard it, want %d", got, i)
				}
				if m, err := streams[i].Recv(); err != nil || m.N != i {
					t.Errorf("a drained stream: %v, %v", m, err)
				}
				if _, err := streams[i].Recv(); !errors.Is(err, io.EOF) {
					t.Errorf("its end: %v", err)
				}
				streams[i].Drain() // it has ended
			}
		})
	}
}

// A message whose context ends before the connection takes it is not sent, and the
// stream goes on as if it had never existed.
func TestSendContextLeavesTheStreamWhole(t *testing.T) {
	for _, size := range []int{1 << 10, 60 << 10} { // queued, and written from where it lies
		t.Run(fmt.Sprint(size), func(t *testing.T) { testSendGivesUp(t, size) })
	}
}

func testSendGivesUp(t *testing.T, size int) {
	var held atomic.Bool // the server stops reading
	release := make(chan struct{})
	sess, srv := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/numbers", func(_ context.Context, s *erpc.Stream[[]byte, note]) error {
			n := 0
			for m, err := range s.All() {
				if err != nil {
					return err
				}
				if int((*m)[0]) != n {
					return erpc.NewStatus(1001, fmt.Sprintf("message %d in place of %d", (*m)[0], n)).Err()
				}
				n++
			}
			return s.Send(&note{n})
		})
		erpc.HandlePush(srv, "/filler", func(context.Context, *[]byte) error { return nil })
	}, erpc.PeerConfig{}, erpc.PeerConfig{QueueLimit: 64 << 10})
	srv.PluginContainer().AppendRight(&erpc.PluginImpl{PluginName: "hold", OnPreReadHeader: func(erpc.PreCtx) error {
		if held.Load() {
			<-release
		}
		return nil
	}})
	ctx, cancel := context.WithTimeout(t.Context(), kit.Bound)
	defer cancel()
	s := open[[]byte, note](t, ctx, sess, "/numbers")
	defer s.Close()
	m := make([]byte, size)
	sent := 0
	send := func(ctx context.Context) error {
		m[0] = byte(sent)
		err := s.SendContext(ctx, &m)
		if err == nil {
			sent++
		}
		return err
	}
	if err := send(ctx); err != nil {
		t.Fatal(err)
	}
	held.Store(true)
	for _, n := range []int{32 << 10, 100} { // fill the queue, and the buffers of the system
		for full := false; !full; {
			short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
			full = !sess.Push("/filler", make([]byte, n), erpc.WithContext(short)).OK()
			stop()
		}
	}
	for range 3 {
		short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
		wantCode(t, "Send that the connection does not take", send(short), erpc.CodeHandleTimeout)
		stop()
	}
	held.Store(false)
	close(release)
	for range 5 {
		if err := send(ctx); err != nil {
			t.Fatalf("Send after that: %v", err)
		}
	}
	got, err := s.CloseAndRecv()
	if err != nil || got.N != sent {
		t.Errorf("%v, %v; %d were sent", got, err, sent)
	}
}

func TestTransfers(t *testing.T) {
	data := make([]byte, 3<<20+17)
	_, _ = rand.Read(data) // it never fails
	var stored bytes.Buffer
	sess, _ := link(t, func(srv erpc.Peer) {
		erpc.HandleUpload(srv, "/put", func(_ context.Context, r io.Reader) error {
			stored.Reset()
			_, err := io.Copy(&stored, r)
			return err
		})
		erpc.HandleUpload(srv, "/refuse", func(context.Context, io.Reader) error { return erpc.NewStatus(1007, "full").Err() })
		erpc.HandleDownload(srv, "/get", func(_ context.Context, w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
		erpc.HandleDownload(srv, "/fail", func(_ context.Context, w io.Writer) error {
			_, err := w.Write(data)
			return errors.Join(err, erpc.NewStatus(1008, "disk").Err())
		})
	}, erpc.PeerConfig{}, erpc.PeerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	var progress []int64
	up := erpc.Transfer{Progress: func(n int64) { progress = append(progress, n) }}
	if err := up.Upload(ctx, sess, "/put", bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored.Bytes(), data) || len(progress) == 0 || progress[len(progress)-1] != int64(len(data)) {
		t.Errorf("%d of %d bytes, progress %v", stored.Len(), len(data), progress)
	}
	wantCode(t, "an upload that is refused", erpc.Upload(ctx, sess, "/refuse", bytes.NewReader(data)), 1007)
	broken := errors.New("bad sector")
	if err := erpc.Upload(ctx, sess, "/put", io.MultiReader(strings.NewReader("x"), failing{broken})); !errors.Is(err, broken) {
		t.Errorf("a source that fails: %v", err)
	}
	r, err := erpc.Download(ctx, sess, "/get")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	r, err = erpc.Download(ctx, sess, "/fail")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	wantCode(t, "a download that fails at its end", err, 1008)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A subscription continues over another connection where it left off.
func TestSubscribeFrom(t *testing.T) { everywhere(t, testSubscribeFrom) }

func testSubscribeFrom(t *testing.T, link linker) {
	sess, srv := link(t, func(srv erpc.Peer) {
		erpc.HandleStream(srv, "/feed", func(ctx context.Context, s *erpc.Stream[note, note]) error {
			from, err := s.Recv()
			if err != nil {
				return err
			}
			for n := from.N; n < 300; n++ {
				if err := s.Send(&note{n}); err != nil {
					return err
				}
			}
			return nil
		})
	}, erpc.PeerConfig{}, erpc.PeerConfig{RedialTimes: -1, RedialInterval: 10 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	want := 0
	for m, err := range erpc.SubscribeFrom(ctx, sess, "/feed", func(last *note) *note {
		if last == nil {
			return &note{0}
		}
		return &note{last.N + 1}
	}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.N != want {
			t.Fatalf("%d, want %d", m.N, want)
		}
		want++
		if want%100 == 50 {
			srv.RangeSession(func(s erpc.Session) bool { _ = s.Close(); return true })
		}
	}
	if want != 300 {
		t.Errorf("%d messages", want)
	}
}
