package e2e

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/socket/all"
)

// A peer with package all's transports uses every network by its name.
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
			cfg := erpc.PeerConfig{Network: c.network, Transports: all.Transports(), LocalIP: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)}
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

// If a configuration names a transport that the program has not imported, the
// error says what to import, and which key needs it.
func TestUnlinkedTransport(t *testing.T) {
	for network, path := range map[string]string{
		"quic": "socket/quic", "kcp": "socket/kcp", "udp": "socket/kcp", "udp6": "socket/kcp",
		"ws": "socket/websocket", "wss": "socket/websocket", "memory": "socket/memory",
	} {
		for key, cfg := range map[string]erpc.PeerConfig{
			"network":              {Network: network},
			"listeners[1].network": {Listeners: []peer.ListenConfig{{Address: ":1"}, {Address: ":2", Network: network}}},
		} {
			unlinked := madeOf(t, cfg)
			if unlinked == nil {
				t.Errorf("%s %s: no error that names an import", key, network)
				continue
			}
			if want := "github.com/goerpc/erpc/" + path; unlinked.Import != want || unlinked.Key != key || unlinked.Network != network {
				t.Errorf("%s %s: %+v", key, network, unlinked)
			}
			for _, part := range []string{key, network, unlinked.Import, unlinked.Value, "socket/all"} {
				if !strings.Contains(unlinked.Error(), part) {
					t.Errorf("%s %s: %q does not name %s", key, network, unlinked, part)
				}
			}
			if network != "memory" {
				cfg.Transports = all.Transports()
				if unlinked := madeOf(t, cfg); unlinked != nil {
					t.Errorf("%s %s with all transports: %v", key, network, unlinked)
				}
			}
		}
	}
}

// madeOf makes a peer of cfg and returns the error with which NewPeer panics if a
// transport is missing.
func madeOf(t *testing.T, cfg erpc.PeerConfig) (unlinked *peer.UnlinkedError) {
	t.Helper()
	defer func() {
		if err, ok := recover().(error); ok && !errors.As(err, &unlinked) {
			t.Error(err)
		}
	}()
	p := erpc.NewPeer(cfg)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	return nil
}
