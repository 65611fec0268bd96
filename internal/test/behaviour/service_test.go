package behaviour

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/socket/all"
)

const (
	limit  = wiretest.Limit  // of every wait
	prompt = 5 * time.Second // of waits for what happens at once, on a busy machine
)

// Text is the body of all messages: a thrift struct, which JSON can encode too.
type Text = wiretest.Author

// A rig is a server and a client over one protocol and transport.
type rig struct {
	protocol
	server, client erpc.Peer
	addr           string

	started   chan struct{} // a call of Wait has begun
	cancelled chan struct{} // the context of such a call has ended
	noted     chan string   // texts pushed to the server
	told      chan string   // texts pushed to the client
	accepts   atomic.Int64
}

// newRig returns a rig whose server listens. more changes the configurations of
// server and client.
func newRig(t *testing.T, p protocol, on transport, more func(r *rig, server, client *erpc.PeerConfig) (ofServer, ofClient []erpc.Plugin)) *rig {
	t.Helper()
	if strings.HasPrefix(on.network, "unix") && runtime.GOOS == "windows" || on.network == "unixpacket" && runtime.GOOS == "darwin" {
		t.Skipf("%s has no network %s", runtime.GOOS, on.network)
	}
	r := &rig{
		protocol: p, started: make(chan struct{}, 8), cancelled: make(chan struct{}, 8),
		noted: make(chan string, 8), told: make(chan string, 8),
	}
	cfg := erpc.PeerConfig{
		Network: on.network, LocalIP: "127.0.0.1", ProtoFunc: p.new, DefaultBodyCodec: p.codec,
		Logger: slog.New(slog.DiscardHandler),
	}
	cfg.Transports = all.Transports()
	if on.new != nil {
		cfg.Transports = append(cfg.Transports, on.new())
	}
	server, client := cfg, cfg
	if strings.HasPrefix(on.network, "unix") {
		server.ListenAddress = wiretest.UnixAddr(t)
	}
	ofServer, ofClient := more(r, &server, &client)
	r.server, r.client = erpc.NewPeer(server, ofServer...), erpc.NewPeer(client, ofClient...)
	if on.tls {
		r.server.SetTLSConfig(erpc.GenerateTLSConfigForServer())
		r.client.SetTLSConfig(erpc.GenerateTLSConfigForClient())
	}
	r.route()
	lis, err := r.server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	r.addr = lis.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(lis) }()
	t.Cleanup(func() {
		if err := r.client.Close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
		if err := r.server.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
		if err := <-served; err != erpc.ErrClosed {
			t.Errorf("serve: %v", err)
		}
	})
	return r
}

// method returns the name of a method in the style of the protocol.
func (p protocol) method(name string) string { return p.prefix + name }

func (r *rig) route() {
	erpc.HandleCall(r.server, r.method("Echo"), func(ctx context.Context, arg *Text) (*Text, error) {
		c := erpc.CallCtxFrom(ctx)
		c.SetMeta("Answer", "to "+string(c.PeekMeta("Question")))
		return arg, nil
	})
	erpc.HandleCall(r.server, r.method("Fail"), func(_ context.Context, arg *Text) (*Text, error) {
		return nil, erpc.NewStatus(1001, "bad thing", "because of "+arg.Author).Err()
	})
	erpc.HandleCall(r.server, r.method("Wait"), func(ctx context.Context, _ *Text) (*Text, error) {
		r.started <- struct{}{}
		<-ctx.Done()
		r.cancelled <- struct{}{}
		return nil, ctx.Err()
	})
	erpc.HandleCall(r.server, r.method("Back"), func(ctx context.Context, arg *Text) (*Text, error) {
		sess := erpc.CallCtxFrom(ctx).Session()
		if st := sess.Push(r.method("Tell"), &Text{Author: "on the way"}); !st.OK() {
			return nil, st.Err()
		}
		return erpc.Call[Text](ctx, sess, r.method("Client"), arg)
	})
	erpc.HandlePush(r.server, r.method("Note"), func(ctx context.Context, arg *Text) error {
		r.noted <- arg.Author + " " + string(erpc.PushCtxFrom(ctx).PeekMeta("Question"))
		return nil
	})
	erpc.HandleCall(r.client, r.method("Client"), func(_ context.Context, arg *Text) (*Text, error) {
		return &Text{Author: arg.Author + ", says the client"}, nil
	})
	erpc.HandlePush(r.client, r.method("Tell"), func(_ context.Context, arg *Text) error {
		r.told <- arg.Author
		return nil
	})
}

func (r *rig) dial(t *testing.T) erpc.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), prompt)
	defer cancel()
	sess, st := r.client.DialContext(ctx, r.addr)
	if !st.OK() {
		t.Fatalf("dial: %v", st)
	}
	return sess
}

// echo calls Echo and checks that the same text comes back.
func (r *rig) echo(t *testing.T, sess erpc.Session, text string) {
	t.Helper()
	got, err := erpc.Call[Text](bounded(t), sess, r.method("Echo"), &Text{Author: text})
	if err != nil || got.Author != text {
		t.Errorf("echo: %d bytes came back as %.40v, %v", len(text), got, err)
	}
}

// bounded returns a context that ends long after everything should have.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// arrives receives a value that must arrive promptly.
func arrives[T any](t *testing.T, what string, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(prompt):
		t.Errorf("%s: nothing within %v", what, prompt)
	}
	return v
}

func wants(t *testing.T, what string, ch <-chan string, want string) {
	t.Helper()
	if got := arrives(t, what, ch); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func code(t *testing.T, what string, st *erpc.Status, want int32) {
	t.Helper()
	if st.Code() != want {
		t.Errorf("%s: %v, want code %d", what, st, want)
	}
}
