package e2e

import (
	"context"
	"log/slog"
	"testing"

	"github.com/goerpc/erpc"
)

// A peer of the façade speaks every built-in network by its name alone.
func TestNetworksByName(t *testing.T) {
	for _, c := range []struct {
		network string
		tls     bool
	}{{"tcp", false}, {"tcp4", false}, {"tcp", true}, {"unix", false}, {"unixpacket", false}, {"quic", true}, {"kcp", false}, {"kcp", true}, {"ws", false}, {"wss", true}, {"evtcp", false}, {"evtcp", true}} {
		name := c.network
		if c.tls {
			name += " over TLS"
		}
		t.Run(name, func(t *testing.T) {
			cfg := erpc.PeerConfig{Network: c.network, LocalIP: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)}
			cli := erpc.NewPeer(cfg)
			if c.network == "unix" || c.network == "unixpacket" {
				cfg.ListenAddress = t.TempDir() + "/socket"
			}
			srv := erpc.NewPeer(cfg)
			if c.tls {
				srv.SetTLSConfig(erpc.GenerateTLSConfigForServer())
				cli.SetTLSConfig(erpc.GenerateTLSConfigForClient())
			}
			erpc.HandleCall(srv, "/double", func(_ context.Context, n *int) (*int, error) { *n *= 2; return n, nil })
			lis, err := srv.Listen()
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(lis) }()
			defer func() {
				_ = cli.Close()
				_ = srv.Close()
				if err := <-served; err != erpc.ErrClosed {
					t.Errorf("serve: %v", err)
				}
			}()
			sess, st := cli.Dial(lis.Addr().String())
			if !st.OK() {
				t.Fatal(st)
			}
			if got, err := erpc.Call[int](t.Context(), sess, "/double", 21); err != nil || *got != 42 {
				t.Errorf("21 doubled: %v", err)
			}
		})
	}
}

func TestUnknownNetworkPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a peer was made")
		}
	}()
	erpc.NewPeer(erpc.PeerConfig{Network: "carrier-pigeon"})
}
