package peer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/socket"
)

func TestAddressesOfAConfiguration(t *testing.T) {
	for _, c := range []struct {
		cfg           peer.Config
		network       string
		listen, local string
	}{
		{peer.Config{}, "tcp", "0.0.0.0:0", "0.0.0.0:0"},
		{peer.Config{ListenPort: 9090, LocalPort: 7}, "tcp", "0.0.0.0:9090", "0.0.0.0:7"},
		{peer.Config{Network: "tcp6", LocalIP: "::1", ListenPort: 9090}, "tcp6", "[::1]:9090", "[::1]:0"},
		{peer.Config{LocalIP: "127.0.0.1", ListenPort: 65535, ListenAddress: "localhost:1"}, "tcp", "localhost:1", "127.0.0.1:0"},
		{peer.Config{Network: "unix", LocalIP: "/run/erpc.sock", ListenPort: 9090}, "unix", "/run/erpc.sock", "/run/erpc.sock"},
		{peer.Config{Network: "unix", LocalIP: "erpc", ListenPort: 9090}, "unix", "erpc:9090", "erpc:0"}, // v7's name
		{peer.Config{Network: "unixpacket", ListenAddress: "@abstract"}, "unixpacket", "@abstract", "0.0.0.0:0"},
		{peer.Config{Network: "quic", ListenPort: 443}, "quic", "0.0.0.0:443", "0.0.0.0:0"},
	} {
		lis, local := c.cfg.ListenAddr(), c.cfg.LocalAddr()
		if lis.Network() != c.network || lis.String() != c.listen || local.Network() != c.network || local.String() != c.local {
			t.Errorf("%+v: listens on %v %v and dials from %v %v", c, lis.Network(), lis, local.Network(), local)
		}
	}
}

// A default fills in what is zero, and nothing else.
func TestSetDefaultsKeepsWhatIsSet(t *testing.T) {
	var zero peer.Config
	zero.SetDefaults()
	if zero.Network != "tcp" || zero.DefaultBodyCodec != "json" || zero.DialTimeout != peer.DefaultDialTimeout || zero.QueuePolicy != socket.Block ||
		zero.MaxSessionHandlers != peer.DefaultMaxSessionHandlers || zero.ProtoFunc == nil || zero.Logger == nil {
		t.Errorf("defaults: %+v", zero)
	}
	own := peer.Config{Network: "tcp4", DialTimeout: -1, HandshakeTimeout: -1, MaxHandlers: -1, WriteTimeout: time.Hour, QueuePolicy: socket.DropOld, ReadLimit: 1}
	own.SetDefaults()
	if own.Network != "tcp4" || own.DialTimeout != -1 || own.HandshakeTimeout != -1 || own.MaxHandlers != -1 || own.WriteTimeout != time.Hour ||
		own.QueuePolicy != socket.DropOld || own.ReadLimit != 1 {
		t.Errorf("what was set was changed: %+v", own)
	}
}

// Each mistake is named by its key, and all are named at once.
func TestValidate(t *testing.T) {
	var ok peer.Config
	if err := ok.Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
	ok.SetDefaults()
	if err := ok.Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	wrong := map[string]peer.Config{
		`queue_policy "sometimes"`: {QueuePolicy: "sometimes"},
		"default_body_codec":       {DefaultBodyCodec: "morse"},
		"read_limit is -1":         {ReadLimit: -1},
		"queue_limit is -2":        {QueueLimit: -2},
		"max_sessions is -3":       {MaxSessions: -3},
		"socket_read_buffer is -4": {SocketReadBuffer: -4},
		"socket_write_buffer is":   {SocketWriteBuffer: -5},
	}
	for want, cfg := range wrong {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		func() {
			defer func() {
				if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), want) {
					t.Errorf("New panics with %v, want %q", v, want)
				}
			}()
			peer.New(cfg)
		}()
	}
	all := peer.Config{QueuePolicy: "sometimes", DefaultBodyCodec: "morse", ReadLimit: -1, QueueLimit: -2, MaxSessions: -3, SocketReadBuffer: -4, SocketWriteBuffer: -5}
	err := all.Validate()
	for want := range wrong {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
