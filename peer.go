package erpc

import (
	"crypto/tls"
	"net/http"

	"github.com/goerpc/erpc/codec/thriftcodec"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/peer/config"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/httproto/httpgate"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/socket/eventloop"
)

// ErrClosed is what ListenAndServe and Serve return once the peer is closed. It
// is their normal end.
var ErrClosed = peer.ErrClosed

// NewPeer returns a peer with every built-in codec, and with the transports of
// TCP, Unix sockets and the event loop. The transports of QUIC, KCP and
// WebSocket bring large dependencies: a program that uses one imports its
// package below socket and lists it in PeerConfig.Transports; package
// socket/all has them all. NewPeer panics on a configuration or plugin that
// can't work. See [peer.New].
func NewPeer(cfg PeerConfig, globalLeftPlugin ...Plugin) Peer {
	thriftcodec.Reg()
	process.Fill(&cfg)
	if cfg.Logger == nil {
		cfg.Logger = logger.L
	}
	if cfg.Inherited == nil {
		cfg.Inherited = peers.Inherit(cfg.Logger)
	}
	if cfg.Protocols == nil {
		cfg.Protocols = protocols()
	}
	cfg.Transports = append([]Transport{&eventloop.Transport{}}, cfg.Transports...)
	p := peer.New(cfg, globalLeftPlugin...)
	peers.Add(p)
	return p
}

// protocols returns the protocols that the configuration key protocol can name.
func protocols() map[string]ProtoFunc {
	return map[string]ProtoFunc{
		"raw": rawproto.New, "json": jsonproto.New, "pb": pbproto.New, "http": httproto.NewHTTProtoFunc(),
		"thrift": thriftproto.NewBinaryProtoFunc(), "thrift-struct": thriftproto.NewStructProtoFunc(),
	}
}

// BroadcastTo pushes to a chosen set of sessions. See [peer.BroadcastTo].
func BroadcastTo(sessions []Session, serviceMethod string, arg any, settings ...MessageSetting) (sent int, failed map[string]*Status) {
	return peer.BroadcastTo(sessions, serviceMethod, arg, settings...)
}

// TryBroadcastTo is [BroadcastTo] without waiting for slow sessions. See
// [peer.TryBroadcastTo].
func TryBroadcastTo(sessions []Session, serviceMethod string, arg any, settings ...MessageSetting) (sent int, failed map[string]*Status) {
	return peer.TryBroadcastTo(sessions, serviceMethod, arg, settings...)
}

// LoadConfig reads a section of a YAML or INI file into cfg. See
// [config.Load].
func LoadConfig(path, section string, cfg any) error { return config.Load(path, section, cfg) }

// WriteDefaultConfig writes the values of cfg to a new file, with comments. See
// [config.WriteDefault].
func WriteDefaultConfig(path, section string, cfg any) error {
	return config.WriteDefault(path, section, cfg)
}

// GenerateTLSConfigForServer returns TLS with a self-signed certificate. See
// [peer.GenerateTLSConfigForServer].
func GenerateTLSConfigForServer() *tls.Config { return peer.GenerateTLSConfigForServer() }

// GenerateTLSConfigForClient returns TLS that does not verify the server. See
// [peer.GenerateTLSConfigForClient].
func GenerateTLSConfigForClient() *tls.Config { return peer.GenerateTLSConfigForClient() }

// NewTLSConfigFromFile returns TLS with a certificate from files. See
// [peer.NewTLSConfigFromFile].
func NewTLSConfigFromFile(certFile, keyFile string, insecureSkipVerifyForClient ...bool) (*tls.Config, error) {
	return peer.NewTLSConfigFromFile(certFile, keyFile, insecureSkipVerifyForClient...)
}

// A ListenerAddress is a plugin that remembers the address on which its peer
// listens. See [peer.ListenerAddress].
type ListenerAddress = peer.ListenerAddress

// A Group is a named set of sessions of one peer. See [peer.Group].
type Group = peer.Group

type (
	// An HTTPConfig adjusts an [HTTPHandler]; its zero value works. See
	// [httpgate.Config].
	HTTPConfig = httpgate.Config
	// An HTTPRoute is a path with parameters that stands for a service method.
	// See [httpgate.Route].
	HTTPRoute = httpgate.Route
)

// HTTPHandler returns a handler that lets HTTP clients call the handlers of p,
// to be mounted in any HTTP server. See [httpgate.Handler].
func HTTPHandler(p Peer, cfg HTTPConfig) http.Handler { return httpgate.New(p.Host(), cfg) }

// Safe returns the plugin that marks handlers as read-only, so that HTTP
// clients may call them with GET. See [router.Safe].
func Safe() Plugin { return router.Safe() }
