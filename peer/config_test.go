package peer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/peer/config"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/memory"
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
		{peer.Config{Network: "unix", LocalIP: "erpc", ListenPort: 9090}, "unix", "erpc:9090", "erpc"}, // v7's name, and a path without a port
		{peer.Config{Network: "unix", LocalIP: "c.sock"}, "unix", "c.sock", "c.sock"},
		{peer.Config{Network: "unix", LocalIP: "127.0.0.1"}, "unix", "127.0.0.1:0", "127.0.0.1:0"},
		{peer.Config{Network: "unixpacket", ListenAddress: "@abstract"}, "unixpacket", "@abstract", "0.0.0.0:0"},
		{peer.Config{Network: "quic", ListenPort: 443}, "quic", "0.0.0.0:443", "0.0.0.0:0"},
	} {
		lis, local := c.cfg.ListenAddr(), c.cfg.LocalAddr()
		if lis.Network() != c.network || lis.String() != c.listen || local.Network() != c.network || local.String() != c.local {
			t.Errorf("%+v: listens on %v %v and dials from %v %v", c, lis.Network(), lis, local.Network(), local)
		}
	}
}

// SetDefaults fills in what is zero and changes nothing else.
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

// Each mistake is named by its key, and all mistakes are reported at once.
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

		"accept_codecs: unsupported codec name": {AcceptCodecs: []string{"json", "none"}},

		"redial_interval is -1s":                {RedialInterval: -time.Second},
		"redial_max_interval is -1ns":           {RedialMaxInterval: -1},
		"default_session_age is -1ns":           {DefaultSessionAge: -1},
		"default_context_age is -1ns":           {DefaultContextAge: -1},
		"slow_comet_duration is -1ns":           {SlowCometDuration: -1},
		"idle_timeout is -1ns":                  {IdleTimeout: -1},
		"stuck_timeout is -1ns":                 {StuckTimeout: -1},
		"call_timeout is -1ns":                  {CallTimeout: -1},
		"flush_delay is -1ns":                   {FlushDelay: -1},
		"socket_keep_alive_period is -1ns":      {SocketKeepAlivePeriod: -1},
		"socket_keep_alive_period is 9h6m8s":    {SocketKeepAlivePeriod: 32768 * time.Second},
		"tls_cert_file \"none.pem\"":            {TLSCertFile: "none.pem", TLSKeyFile: "none.key"},
		"tls_ca_file: open none.pem":            {TLSCAFile: "none.pem"},
		"tls_client_cert needs tls_ca_file":     {TLSClientCert: true},
		"listeners[0].address is empty":         {Listeners: []peer.ListenConfig{{Protocol: "raw"}}},
		"listen_address and listeners are both": {ListenAddress: ":1", Listeners: []peer.ListenConfig{{Address: ":2"}}},
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
	all := peer.Config{QueuePolicy: "sometimes", DefaultBodyCodec: "morse", ReadLimit: -1, QueueLimit: -2, MaxSessions: -3}
	err := all.Validate()
	for _, want := range []string{"queue_policy", "default_body_codec", "read_limit", "queue_limit", "max_sessions"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// Protocols are named in the configuration; the error for an unknown name lists the
// known ones.
func TestUnknownProtocol(t *testing.T) {
	for _, cfg := range []peer.Config{
		{Protocol: "morse", Protocols: map[string]proto.Func{"json": jsonproto.New}},
		{Listeners: []peer.ListenConfig{{Address: ":1", Protocol: "morse"}}, Protocols: map[string]proto.Func{"json": jsonproto.New}},
	} {
		func() {
			defer func() {
				if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), `protocol "morse" is unknown; this peer knows json, raw`) {
					t.Errorf("New panics with %v", v)
				}
			}()
			peer.New(cfg)
		}()
	}
}

// A peer serves all listeners of a configuration file, each with its own protocol.
// If one fails, all of them end.
func TestListenersOfAConfiguration(t *testing.T) {
	on := memory.New()
	file := filepath.Join(t.TempDir(), "peer.yaml")
	text := "network: " + memory.Network + "\nprotocol: json\nlisteners:\n- address: a\n- {address: b, protocol: raw}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var cfg peer.Config
	cfg.SetDefaults()
	if err := config.Load(file, "", &cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Protocols = map[string]proto.Func{"json": jsonproto.New}
	p := newPeer(t, on, cfg)
	served := make(chan error, 1)
	bound := make(chan net.Addr, 2)
	p.PluginContainer().AppendLeft(listenHook(func(a net.Addr) error { bound <- a; return nil }))
	go func() { served <- p.ListenAndServe() }()
	receive(t, "a listener", bound)
	receive(t, "another", bound)
	cli := newPeer(t, on, peer.Config{})
	for addr, pf := range map[string]proto.Func{"a": jsonproto.New, "b": rawproto.New} {
		sess, st := cli.Dial(addr, pf)
		if !st.OK() {
			t.Fatal(st)
		}
		if st := sess.Call("/none", nil, nil).Status(); st.Code() != message.CodeNotFound {
			t.Errorf("%s: %v", addr, st)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := receive(t, "the end", served); err != peer.ErrClosed {
		t.Errorf("ListenAndServe: %v", err)
	}

	log := new(logbook)
	cfg.Listeners = append(cfg.Listeners, peer.ListenConfig{Address: "a"})
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	p = newPeer(t, on, cfg)
	if err := p.ListenAndServe(); err == nil || errors.Is(err, peer.ErrClosed) {
		t.Errorf("the same address twice: %v", err)
	}
	if n := len(p.Listeners()); n != 0 {
		t.Errorf("%d listeners are left", n)
	}
	if !strings.Contains(log.String(), "level=ERROR msg=\"listen failed\"") {
		t.Errorf("nothing was logged for programs that ignore the error: %s", log)
	}
}

// The keys of TLS make a server and a client that verify each other.
func TestTLSOfAConfiguration(t *testing.T) {
	certFile, keyFile := mutualCertificate(t)
	srv := peer.New(peer.Config{ListenAddress: "127.0.0.1:0", TLSCertFile: certFile, TLSKeyFile: keyFile, TLSCAFile: certFile, TLSClientCert: true})
	defer srv.Close()
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	for _, c := range []struct {
		cfg peer.Config
		ok  bool
	}{
		{peer.Config{TLSCertFile: certFile, TLSKeyFile: keyFile, TLSCAFile: certFile}, true},
		{peer.Config{TLSCAFile: certFile}, false}, // without a certificate of its own
		{peer.Config{TLS: true}, false},           // the system does not know the authority
		{peer.Config{}, false},
	} {
		c.cfg.DialTimeout = 5 * time.Second
		cli := peer.New(c.cfg)
		sess, st := cli.Dial(lis.Addr().String())
		if st.OK() {
			st = sess.Call("/none", nil, nil).Status()
		}
		if ok := st.Code() == message.CodeNotFound; ok != c.ok {
			t.Errorf("%+v: %v", c.cfg.TLSCAFile, st)
		}
		_ = cli.Close()
	}
	_ = srv.Close()
	if err := receive(t, "the end", served); err != peer.ErrClosed {
		t.Error(err)
	}
}

// mutualCertificate writes a self-signed certificate for servers and clients.
func mutualCertificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cert.pem", "CERTIFICATE", der), write(t, "key.pem", "PRIVATE KEY", pkcs8)
}
