package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/proxy"
	"github.com/goerpc/erpc/proto/httproto"
)

type bytesStream = erpc.Stream[[]byte, []byte]

// handlers of a backend of streams.
func streamHandlers(p erpc.Peer) {
	erpc.HandleStream(p, "/echo", func(ctx context.Context, s *bytesStream) error {
		erpc.CallCtxFrom(ctx).SetMeta("seen", string(erpc.CallCtxFrom(ctx).PeekMeta("k"))+" "+string(erpc.CallCtxFrom(ctx).PeekMeta(erpc.MetaRealIP)))
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
	erpc.HandleStream(p, "/count", kit.CountUp)
	erpc.HandleStream(p, "/sum", kit.AddUp)
	erpc.HandleStream(p, "/fail", func(_ context.Context, s *erpc.Stream[int, int]) error {
		one := 1
		return errors.Join(s.Send(&one), erpc.NewStatus(1234, "enough").Err())
	})
}

// behind returns a session of a client with a proxy that forwards to a backend.
func behind(t *testing.T, register func(erpc.Peer), cfg ...erpc.PeerConfig) erpc.Session {
	t.Helper()
	backend := start(t)
	register(backend.Peer)
	var proxyCfg erpc.PeerConfig
	for _, c := range cfg {
		proxyCfg = c
	}
	front := startWith(t, proxyCfg, proxy.NewPlugin(to(dial(t, backend.Addr))))
	return dial(t, front.Addr)
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.Limit)
	t.Cleanup(cancel)
	return ctx
}

func openStream[Out, In any](t *testing.T, ctx context.Context, sess erpc.Session, method string, settings ...erpc.MessageSetting) *erpc.Stream[In, Out] {
	t.Helper()
	s, err := erpc.OpenStream[Out, In](ctx, sess, method, settings...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantCode(t *testing.T, what string, err error, code int32) {
	t.Helper()
	if got := erpc.StatusFromError(err).Code(); err == nil || got != code {
		t.Errorf("%s: %v, want code %d", what, err, code)
	}
}

// Streams of each shape go through, with their metadata in both directions.
func TestStreamsGoThrough(t *testing.T) {
	cli := behind(t, streamHandlers)
	ctx := bounded(t)
	t.Run("the backend sends many", func(t *testing.T) {
		n, to := 0, 5000
		for m, err := range erpc.Subscribe[int](ctx, cli, "/count", &to) {
			if err != nil || *m != n {
				t.Fatalf("message %d: %v, %v", n, m, err)
			}
			n++
		}
		if n != to {
			t.Errorf("%d messages", n)
		}
	})
	t.Run("the client sends many", func(t *testing.T) {
		s, want := openStream[int, int](t, ctx, cli, "/sum"), 0
		for i := range 5000 {
			want += i
			if err := s.Send(&i); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.CloseAndRecv(); err != nil || *got != want {
			t.Errorf("%v, %v; want %d", got, err, want)
		}
	})
	t.Run("both send, with a codec that nobody knows", func(t *testing.T) {
		s := openStream[[]byte, []byte](t, ctx, cli, "/echo", erpc.WithBodyCodec(200), erpc.WithSetMeta("k", "v"))
		for i := range 500 {
			m := []byte(fmt.Sprint("message ", i, "\x00"))
			if err := s.Send(&m); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Recv(); err != nil || !bytes.Equal(*got, m) {
				t.Fatalf("%q, %v", *got, err)
			}
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if got := string(s.Raw().(*erpc.UntypedStream).Trailer().Peek("seen")); got != "v 127.0.0.1" {
			t.Errorf("metadata %q", got)
		}
	})
	t.Run("large messages", func(t *testing.T) {
		s := openStream[[]byte, []byte](t, ctx, cli, "/echo")
		defer s.Close()
		for _, size := range []int{0, 1, 64 << 10, 1 << 20} {
			m := bytes.Repeat([]byte{7}, size)
			if err := s.Send(&m); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Recv(); err != nil || !bytes.Equal(*got, m) {
				t.Fatalf("%d bytes: %v", size, err)
			}
		}
	})
	t.Run("a status", func(t *testing.T) {
		s := openStream[int, int](t, ctx, cli, "/fail")
		if m, err := s.Recv(); err != nil || *m != 1 {
			t.Errorf("%v, %v", m, err)
		}
		_, err := s.Recv()
		wantCode(t, "the end", err, 1234)
	})
	t.Run("nobody is there", func(t *testing.T) {
		_, err := openStream[int, int](t, ctx, cli, "/nobody").Recv()
		wantCode(t, "the end", err, erpc.CodeNotFound)
	})
	if !cli.Health() {
		t.Error("the session of the client has ended")
	}
}

// The ends of a transfer compute the checksums, which go through unchanged.
func TestTransfersGoThrough(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB
	var got bytes.Buffer
	cli := behind(t, func(p erpc.Peer) {
		erpc.HandleUpload(p, "/put", func(_ context.Context, r io.Reader) error { _, err := io.Copy(&got, r); return err })
		erpc.HandleDownload(p, "/get", func(_ context.Context, w io.Writer) error { _, err := w.Write(data); return err })
	})
	ctx := bounded(t)
	if err := erpc.Upload(ctx, cli, "/put", bytes.NewReader(data)); err != nil || !bytes.Equal(got.Bytes(), data) {
		t.Errorf("upload: %d bytes, %v", got.Len(), err)
	}
	r, err := erpc.Download(ctx, cli, "/get")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, data) {
		t.Errorf("download: %d bytes, %v", len(b), err)
	}
}

// A program that does not receive stops the one that sends, through the proxy, and
// stops nothing else; in the end everything arrives.
func TestBackPressureGoesThrough(t *testing.T) {
	const size, maxHeld = 16 << 10, 512 << 10 // two windows of 64 KiB, and queues
	release := make(chan struct{})
	var sent atomic.Int64 // by the backend
	cli := behind(t, func(p erpc.Peer) {
		streamHandlers(p)
		erpc.HandleStream(p, "/stall", func(ctx context.Context, s *erpc.Stream[[]byte, int]) error {
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
			return s.Send(&n)
		})
		erpc.HandleStream(p, "/flood", func(_ context.Context, s *bytesStream) error {
			m := make([]byte, size)
			for range 1000 {
				if err := s.Send(&m); err != nil {
					return err
				}
				sent.Add(1)
			}
			return nil
		})
	})
	ctx := bounded(t)
	stalled := openStream[[]byte, int](t, ctx, cli, "/stall")
	m, n := make([]byte, size), 0
	for {
		short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		err := stalled.SendContext(short, &m)
		stop()
		if err != nil {
			break
		}
		n++
	}
	if n*size > maxHeld {
		t.Errorf("%d bytes were sent to a program that receives nothing", n*size)
	}
	flood := openStream[[]byte, []byte](t, ctx, cli, "/flood")
	if err := flood.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for last := int64(-1); last != sent.Load(); time.Sleep(100 * time.Millisecond) { // until the backend stops
		last = sent.Load()
	}
	if held := sent.Load() * size; held == 0 || held > maxHeld {
		t.Errorf("the backend sent %d bytes to a client that receives nothing", held)
	}
	to, got := 1000, 0
	for _, err := range erpc.Subscribe[int](ctx, cli, "/count", &to) {
		if err != nil {
			t.Fatal(err)
		}
		got++
	}
	if got != to {
		t.Errorf("%d messages arrived next to the stalled streams", got)
	}
	close(release)
	if m, err := stalled.CloseAndRecv(); err != nil || *m != n {
		t.Errorf("%v, %v; %d were sent", m, err, n)
	}
	rest := 0
	for _, err := range flood.All() {
		if err != nil {
			t.Fatal(err)
		}
		rest++
	}
	if rest != 1000 {
		t.Errorf("%d messages of the flood", rest)
	}
}

// However a client ends a stream, the handler at the backend ends; however the
// backend ends it, the client gets a status.
func TestEndsOfStreamsGoThrough(t *testing.T) {
	ended := make(chan error, 1)
	entered := make(chan struct{}, 1)
	var backendSession atomic.Pointer[erpc.Session]
	register := func(p erpc.Peer) {
		erpc.HandleStream(p, "/wait", func(ctx context.Context, s *bytesStream) error {
			sess := s.Session()
			backendSession.Store(&sess)
			entered <- struct{}{}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		})
	}
	for _, c := range []struct {
		name    string
		timeout time.Duration
		end     func(cli erpc.Session, s *bytesStream)
		code    int32
	}{
		{"Close", 0, func(_ erpc.Session, s *bytesStream) { _ = s.Close() }, erpc.CodeCanceled},
		{"the deadline", 300 * time.Millisecond, func(erpc.Session, *bytesStream) {}, erpc.CodeHandleTimeout},
		{"the client is gone", 0, func(cli erpc.Session, _ *bytesStream) { _ = cli.Close() }, erpc.CodeConnClosed},
		{"the backend is gone", 0, func(erpc.Session, *bytesStream) { _ = (*backendSession.Load()).Close() }, erpc.CodeBadGateway},
	} {
		t.Run(c.name, func(t *testing.T) {
			cli := behind(t, register)
			ctx := bounded(t)
			if _, err := openStream[[]byte, []byte](t, ctx, cli, "/nobody").Recv(); err == nil { // so that the deadline is not for the handshake
				t.Fatal("nobody is somebody")
			}
			if c.timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.timeout)
				defer cancel()
			}
			s := openStream[[]byte, []byte](t, ctx, cli, "/wait")
			await(t, "the backend", entered)
			c.end(cli, s)
			_, err := s.Recv()
			wantCode(t, "Recv of the client", err, c.code)
			if cause := await(t, "the end at the backend", ended); cause == nil {
				t.Error("the context of the backend's handler has no cause")
			}
		})
	}
}

// A message that is too large for the proxy ends the stream, because it would be
// missing.
func TestAMessageAboveTheLimitOfTheProxy(t *testing.T) {
	cli := behind(t, streamHandlers, erpc.PeerConfig{StreamMessageLimit: 1000})
	s := openStream[[]byte, []byte](t, bounded(t), cli, "/echo")
	m := make([]byte, 1001)
	if err := s.Send(&m); err != nil {
		t.Fatal(err)
	}
	_, err := s.Recv()
	wantCode(t, "Recv", err, erpc.CodeTooLarge)
}

type callsOnly struct{ proxy.Forwarder }

func TestStreamsThatAreNotForwarded(t *testing.T) {
	backend := start(t)
	streamHandlers(backend.Peer)
	sess := dial(t, backend.Addr)
	overHTTP := startWith(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
	web := wiretest.NewClient(t, erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()}).MustDial(t, overHTTP.Addr)
	for name, c := range map[string]struct {
		plugin erpc.Plugin
		code   int32
	}{
		"by a proxy of calls":               {proxy.NewCallPlugin(func(*proxy.Label) proxy.CallForwarder { return sess }), erpc.CodeNotFound},
		"without a backend":                 {proxy.NewPlugin(to(nil)), erpc.CodeBadGateway},
		"by a proxy of streams, to nowhere": {proxy.NewStreamPlugin(func(*proxy.Label) proxy.StreamForwarder { return nil }), erpc.CodeBadGateway},
		"to what forwards calls only":       {proxy.NewPlugin(to(callsOnly{sess})), erpc.CodeMtypeNotAllowed},
		"to a backend without streams":      {proxy.NewPlugin(to(web)), erpc.CodeMtypeNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			cli := dial(t, start(t, c.plugin).Addr)
			_, err := openStream[[]byte, []byte](t, bounded(t), cli, "/echo").Recv()
			wantCode(t, "Recv", err, c.code)
			if !cli.Health() {
				t.Error("the session of the client has ended")
			}
		})
	}
	t.Run("a proxy of streams forwards it", func(t *testing.T) {
		cli := dial(t, start(t, proxy.NewStreamPlugin(func(*proxy.Label) proxy.StreamForwarder { return sess })).Addr)
		to, n := 10, 0
		for range erpc.Subscribe[int](bounded(t), cli, "/count", &to) {
			n++
		}
		if n != to {
			t.Errorf("%d messages", n)
		}
	})
}

// Proxies that forward to each other do not pass a stream round forever.
func TestStreamsHaveHops(t *testing.T) {
	cli := dial(t, hub(t, proxy.Config{MaxHops: 3}).Addr)
	_, err := openStream[[]byte, []byte](t, bounded(t), cli, "/echo").Recv()
	wantCode(t, "a hub without another client", err, erpc.CodeBadGateway)

	var back atomic.Pointer[erpc.Session]
	toBack := func(*proxy.Label) proxy.Forwarder { return *back.Load() }
	a := start(t, proxy.NewPlugin(toBack, proxy.Config{MaxHops: 3}))
	itself := dial(t, a.Addr)
	back.Store(&itself)
	_, err = openStream[[]byte, []byte](t, bounded(t), dial(t, a.Addr), "/echo").Recv()
	wantCode(t, "a proxy that forwards to itself", err, erpc.CodeBadGateway)
}

// A shutdown, at either end or in the middle, is known at both ends, and so is the
// drain of a single stream.
func TestDrainingGoesThrough(t *testing.T) {
	for _, c := range []struct {
		name           string
		drain          func(ctx context.Context, client, front, backend erpc.Peer, s *bytesStream) error
		client, server bool // which end learns of it
	}{
		{"the backend shuts down", func(ctx context.Context, _, _, backend erpc.Peer, _ *bytesStream) error { return backend.Shutdown(ctx) }, true, true},
		{"the client shuts down", func(ctx context.Context, client, _, _ erpc.Peer, _ *bytesStream) error { return client.Shutdown(ctx) }, true, true},
		{"the proxy shuts down", func(ctx context.Context, _, front, _ erpc.Peer, _ *bytesStream) error { return front.Shutdown(ctx) }, true, true},
		{"the client drains its stream", func(_ context.Context, _, _, _ erpc.Peer, s *bytesStream) error { s.Drain(); s.Drain(); return nil }, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			heard := make(chan struct{}, 1)
			backend := start(t)
			erpc.HandleStream(backend.Peer, "/feed", func(ctx context.Context, s *bytesStream) error {
				m := []byte("here")
				if err := s.Send(&m); err != nil {
					return err
				}
				select {
				case <-s.Draining():
					heard <- struct{}{}
				case <-ctx.Done():
					return ctx.Err()
				}
				_, err := s.Recv() // until the client knows as well
				return err
			})
			front := startWith(t, erpc.PeerConfig{}, proxy.NewPlugin(to(dial(t, backend.Addr))))
			cli := dial(t, front.Addr)
			ctx := bounded(t)
			s, other := openStream[[]byte, []byte](t, ctx, cli, "/feed"), openStream[[]byte, []byte](t, ctx, cli, "/feed")
			for _, s := range []*bytesStream{s, other} {
				if _, err := s.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			ended := make(chan error, 1)
			go func() { ended <- c.drain(ctx, cli.Peer().(erpc.Peer), front.Peer, backend.Peer, s) }()
			await(t, "the backend's handler", heard)
			if c.client {
				await(t, "the client", s.Draining())
				await(t, "the client's other stream", other.Draining())
				await(t, "the handler of the other stream", heard)
			} else {
				select {
				case <-other.Draining():
					t.Error("the other stream drains, too")
				case <-heard:
					t.Error("the handler of the other stream drains, too")
				case <-time.After(50 * time.Millisecond):
				}
			}
			for _, s := range []*bytesStream{s, other} {
				if err := s.CloseSend(); err != nil {
					t.Error(err)
				}
			}
			if c.client {
				for _, s := range []*bytesStream{s, other} {
					if _, err := s.Recv(); !errors.Is(err, io.EOF) {
						t.Errorf("the end of a stream that has drained: %v", err)
					}
				}
			}
			_ = other.Close() // it never fails
			if err := await(t, "the drain", ended); err != nil {
				t.Error(err)
			}
		})
	}
}
