package evio_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/mixer/evio"
	"github.com/goerpc/erpc/mixer/websocket/jsonSubProto"
	"github.com/goerpc/erpc/mixer/websocket/pbSubProto"
	"github.com/goerpc/erpc/proto/jsonproto"
)

func TestMain(m *testing.M) { wait.Main(m) }

// A program of v7 serves and calls as it did there.
func TestAsV7(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	for network, want := range map[string]string{"": "evtcp", "tcp4": "evtcp4", "unix": "unix"} {
		cfg := erpc.PeerConfig{Network: network, LocalIP: "127.0.0.1", Logger: quiet}
		if network == "unix" {
			cfg.LocalIP = t.TempDir() + "/s"
		}
		srv := evio.NewServer(4, cfg)
		if got := srv.Config().Network; got != want {
			t.Errorf("network %q became %q, want %q", network, got, want)
		}
		srv.SetTLSConfig(erpc.GenerateTLSConfigForServer())
		erpc.HandleCall(srv.Peer, "/double", func(_ context.Context, n *int) (*int, error) { m := 2 * *n; return &m, nil })
		lis, err := srv.Listen()
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(lis, jsonproto.NewJSONProtoFunc()) }()
		cli := evio.NewClient(erpc.PeerConfig{Network: network, Logger: quiet})
		cli.SetTLSConfig(erpc.GenerateTLSConfigForClient())
		sess, st := cli.Dial(lis.Addr().String(), jsonproto.NewJSONProtoFunc())
		if !st.OK() {
			t.Fatal(st)
		}
		if n, err := erpc.CallValue[int](t.Context(), sess, "/double", 21); err != nil || n != 42 {
			t.Error(n, err)
		}
		if err := errors.Join(cli.Close(), srv.Close()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, erpc.ErrClosed) {
			t.Error(err)
		}
	}
}

// The sub-protocols have the ids and names of v7's.
func TestSubProtocols(t *testing.T) {
	for want, f := range map[string]erpc.ProtoFunc{"J": jsonSubProto.NewJSONSubProtoFunc(), "P": pbSubProto.NewPbSubProtoFunc()} {
		if id, name := f().Version(); string(id) != want || name == "" {
			t.Errorf("%c %s, want %s", id, name, want)
		}
	}
}
