package compress_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/compress"
)

var quiet = slog.New(slog.DiscardHandler)

func config(algs ...compress.Algorithm) erpc.PeerConfig {
	cfg := erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet, DialTimeout: 10 * time.Second}
	if len(algs) > 0 {
		cfg.Transports = []erpc.Transport{compress.Transport{Algorithms: algs}}
	}
	return cfg
}

// serve starts a server that echoes.
func serve(t *testing.T, cfg erpc.PeerConfig, secure *tls.Config) (addr string) {
	t.Helper()
	srv := erpc.NewPeer(cfg)
	srv.SetTLSConfig(secure)
	erpc.HandleCall(srv, "/echo", func(_ context.Context, arg *string) (*string, error) { return arg, nil })
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	t.Cleanup(func() {
		_ = srv.Close()
		<-served
	})
	return lis.Addr().String()
}

// counted is a network that counts what the dialing side writes.
type counted struct {
	mu sync.Mutex
	n  int
}

func (c *counted) transport() erpc.Transport {
	return compress.Transport{Over: erpc.CustomTransport{
		Nets: []string{"tcp"},
		DialFunc: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &countedConn{conn, c}, err
		},
	}}
}

type countedConn struct {
	net.Conn
	c *counted
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.c.mu.Lock()
	c.c.n += len(b)
	c.c.mu.Unlock()
	return c.Conn.Write(b)
}

func TestPeers(t *testing.T) {
	text := strings.Repeat("a long text that says little ", 200)
	for _, c := range []struct {
		name           string
		server, client erpc.PeerConfig
		secure         bool
		status         int32
	}{
		{"s2", config(compress.S2), config(compress.S2), false, erpc.CodeOK},
		{"zstd", config(compress.Zstd), config(compress.Zstd), false, erpc.CodeOK},
		{"flate", config(compress.Flate), config(compress.Flate), false, erpc.CodeOK},
		{"nothing in common", config(compress.Flate), config(compress.S2), false, erpc.CodeOK},
		{"over tls", config(compress.S2), config(compress.S2), true, erpc.CodeOK},
		{"a plain client", config(compress.S2), config(), false, erpc.CodeOK},
		{"a plain client over tls", config(compress.S2), config(), true, erpc.CodeOK},
		{"a plain server", config(), config(compress.S2), false, erpc.CodeDialFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			var server, client *tls.Config
			if c.secure {
				server, client = erpc.GenerateTLSConfigForServer(), erpc.GenerateTLSConfigForClient()
			}
			addr := serve(t, c.server, server)
			cli := erpc.NewPeer(c.client)
			defer cli.Close()
			cli.SetTLSConfig(client)
			sess, st := cli.Dial(addr)
			if st.Code() != c.status {
				t.Fatal(st)
			}
			if !st.OK() {
				if !errors.Is(st.Cause(), compress.ErrRefused) {
					t.Errorf("the dial says %v", st)
				}
				return
			}
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					for range 5 {
						got, err := erpc.Call[string](t.Context(), sess, "/echo", &text)
						if err != nil || *got != text {
							t.Errorf("echo: %v", err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestFewerBytes(t *testing.T) {
	addr := serve(t, config(compress.S2, compress.Zstd, compress.Flate), nil)
	var wire counted
	cfg := config()
	cfg.Transports = []erpc.Transport{wire.transport()}
	cli := erpc.NewPeer(cfg)
	defer cli.Close()
	sess, st := cli.Dial(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	text := strings.Repeat("x", 100_000)
	if _, err := erpc.Call[string](t.Context(), sess, "/echo", &text); err != nil {
		t.Fatal(err)
	}
	wire.mu.Lock()
	defer wire.mu.Unlock()
	if wire.n > len(text)/10 {
		t.Errorf("%d bytes took %d on the wire", len(text), wire.n)
	}
}
