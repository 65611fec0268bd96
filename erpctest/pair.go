package erpctest

import (
	"log/slog"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/memory"
)

// maxWait bounds each wait of this package.
const maxWait = 30 * time.Second

// A Fault is what goes wrong with the bytes of one direction: a delay, small
// reads, a cut, a corrupted byte, or a stall, which is a connection that is open
// on one side only. See [memory.Fault].
type Fault = memory.Fault

// Faults are the faults of one connection. The zero value is none.
type Faults struct {
	FromClient Fault // for the bytes that the client sends
	ToClient   Fault // for those that the server sends
}

// A Config says how the peers of a pair are made. The zero value is the raw
// protocol without faults.
type Config struct {
	Server, Client erpc.PeerConfig // Network, Transports and Logger are set by Pair
	// Proto is the protocol of both ends; nil is that of the peers.
	Proto erpc.ProtoFunc
	// Faults returns what goes wrong on a connection; the first has number 1, a
	// redial makes the next. It may be called concurrently. Nil is nothing.
	Faults func(connection int) Faults
	// Log gets what both peers log; nil discards it.
	Log slog.Handler

	ServerPlugins, ClientPlugins []erpc.Plugin
}

// Pair returns the two ends of a session between two new peers, which talk in
// memory by the raw protocol and are closed at the end of the test. server and
// client, which may be nil, register the handlers of the peers before they are
// connected. Pair must run on the goroutine of the test.
func Pair(t testing.TB, server, client func(erpc.Peer)) (srv, cli erpc.Session) {
	t.Helper()
	return Config{}.Pair(t, server, client)
}

// Pair is the function [Pair] with this configuration.
func (c Config) Pair(t testing.TB, server, client func(erpc.Peer)) (srv, cli erpc.Session) {
	t.Helper()
	transport := memory.New()
	transport.Faults = c.faults()
	opened := make(chan erpc.Session, 1)
	catch := &erpc.PluginImpl{PluginName: "erpctest", OnPostOpen: func(s erpc.Session, redial bool) {
		select {
		case opened <- s:
		default: // a later one
		}
	}}
	srvPeer := c.peer(t, transport, c.Server, append([]erpc.Plugin{catch}, c.ServerPlugins...))
	cliPeer := c.peer(t, transport, c.Client, c.ClientPlugins)
	if server != nil {
		server(srvPeer)
	}
	if client != nil {
		client(cliPeer)
	}
	addr := c.serve(t, srvPeer)
	cli, st := cliPeer.Dial(addr, c.protos()...)
	if !st.OK() {
		t.Fatalf("erpctest: dial: %v", st)
	}
	// A server of HTTP opens its session with the first request.
	if c.answersFirst(cliPeer) {
		if st := cli.Call(firstMethod, nil, nil, erpc.WithTimeout(maxWait)).Status(); erpc.IsConnError(st) {
			t.Fatalf("erpctest: first request: %v", st)
		}
	}
	return receive(t, "session of the server", opened), cli
}

// firstMethod is called where the server has no session before a request. It has
// no handler.
const firstMethod = "/erpctest/first"

// answersFirst reports whether the server opens a session only for a request.
func (c Config) answersFirst(p erpc.Peer) bool {
	f := c.Proto
	if f == nil {
		f = p.Config().ProtoFunc
	}
	_, name := f().Version()
	return name == "http"
}

func (c Config) protos() []erpc.ProtoFunc {
	if c.Proto == nil {
		return nil
	}
	return []erpc.ProtoFunc{c.Proto}
}

// faults makes what the transport asks for of c.Faults.
func (c Config) faults() func() (from, to Fault) {
	if c.Faults == nil {
		return nil
	}
	var n counter
	return func() (from, to Fault) {
		f := c.Faults(n.next())
		return f.FromClient, f.ToClient
	}
}

// peer returns a peer on the transport that is closed at the end of the test.
func (c Config) peer(t testing.TB, transport *memory.Transport, cfg erpc.PeerConfig, plugins []erpc.Plugin) erpc.Peer {
	cfg.Network = memory.Network
	cfg.Transports = append(cfg.Transports, transport)
	log := c.Log
	if log == nil {
		log = slog.DiscardHandler
	}
	cfg.Logger = slog.New(log)
	p := erpc.NewPeer(cfg, plugins...)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("erpctest: close: %v", err)
		}
	})
	return p
}

// serve lets p accept sessions until the test ends and returns its address.
func (c Config) serve(t testing.TB, p erpc.Peer) string {
	t.Helper()
	lis, err := p.ListenOn(memory.Network, "")
	if err != nil {
		t.Fatalf("erpctest: listen: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(lis, c.protos()...) }()
	t.Cleanup(func() {
		_ = p.Close()   // the cleanup of the peer reports its error
		_ = lis.Close() // if Serve has not begun
		receive(t, "end of Serve", ended)
	})
	return lis.Addr().String()
}
