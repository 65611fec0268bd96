package peer

import (
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket"
)

// Config configures a peer. The zero value is a client over TCP with the raw
// protocol and JSON bodies, and a server on any free port. The tags are those
// of erpc v7, so its files can be read; docs/limits.md lists every limit.
type Config struct {
	Network           string        `yaml:"network" ini:"network" comment:"Network: tcp, tcp4, tcp6, unix, unixpacket, or that of another transport"`
	LocalIP           string        `yaml:"local_ip" ini:"local_ip" comment:"Local IP address; for unix networks it may be the path of the socket"`
	LocalPort         uint16        `yaml:"local_port" ini:"local_port" comment:"Local port to dial from; 0 is any"`
	ListenPort        uint16        `yaml:"listen_port" ini:"listen_port" comment:"Port to listen on; 0 is any free one"`
	DialTimeout       time.Duration `yaml:"dial_timeout" ini:"dial_timeout" comment:"Limit of one attempt to dial, its handshake included; 0s is 10s"`
	RedialTimes       int32         `yaml:"redial_times" ini:"redial_times" comment:"How often to dial again when a dial fails or a dialed connection breaks; below 0 without end"`
	RedialInterval    time.Duration `yaml:"redial_interval" ini:"redial_interval" comment:"Time before the second of these attempts; it doubles with each, up to redial_max_interval"`
	DefaultBodyCodec  string        `yaml:"default_body_codec" ini:"default_body_codec" comment:"Name of the codec of bodies whose message names none"`
	AcceptCodecs      []string      `yaml:"accept_codecs" ini:"accept_codecs" comment:"Names of the codecs whose bodies are decoded, besides default_body_codec; none is every one that the program has registered"`
	DefaultSessionAge time.Duration `yaml:"default_session_age" ini:"default_session_age" comment:"Longest life of a session; 0s is no limit"`
	DefaultContextAge time.Duration `yaml:"default_context_age" ini:"default_context_age" comment:"Longest time of a call or push, on either side; 0s is no limit"`
	SlowCometDuration time.Duration `yaml:"slow_comet_duration" ini:"slow_comet_duration" comment:"A call or push that takes this long is logged as a warning; 0s is never"`
	PrintDetail       bool          `yaml:"print_detail" ini:"print_detail" comment:"Log each call and push with metadata and body"`
	CountTime         bool          `yaml:"count_time" ini:"count_time" comment:"Log each call and push with the time it took"`

	Protocol      string         `yaml:"protocol" ini:"protocol" comment:"Name of the protocol: raw, json, pb, thrift, thrift-struct or http; empty is that of the program, else raw"`
	Listeners     []ListenConfig `yaml:"listeners" ini:"listeners" comment:"Several listeners, in place of listen_address"`
	TLS           bool           `yaml:"tls" ini:"tls" comment:"Use TLS; a server needs the next two keys too"`
	TLSCertFile   string         `yaml:"tls_cert_file" ini:"tls_cert_file" comment:"PEM file with the certificate, and those above it"`
	TLSKeyFile    string         `yaml:"tls_key_file" ini:"tls_key_file" comment:"PEM file with its key"`
	TLSCAFile     string         `yaml:"tls_ca_file" ini:"tls_ca_file" comment:"PEM file with the authorities that the other sides are verified against; empty is those of the system"`
	TLSClientCert bool           `yaml:"tls_client_cert" ini:"tls_client_cert" comment:"As a server, require a certificate of an authority in tls_ca_file from each client"`

	ListenAddress      string        `yaml:"listen_address" ini:"listen_address" comment:"Address to listen on, in place of local_ip and listen_port"`
	RedialMaxInterval  time.Duration `yaml:"redial_max_interval" ini:"redial_max_interval" comment:"Longest time between two attempts to redial; 0s is 10s"`
	ReadLimit          int           `yaml:"read_limit" ini:"read_limit" comment:"Largest message that is read, and inflated, in bytes; 0 is 64 MiB"`
	QueueLimit         int           `yaml:"queue_limit" ini:"queue_limit" comment:"Bytes that may wait to be written on one session; 0 is 1 MiB"`
	QueuePolicy        socket.Policy `yaml:"queue_policy" ini:"queue_policy" comment:"What a push does when that queue is full: block, drop_new, drop_old or disconnect"`
	WriteTimeout       time.Duration `yaml:"write_timeout" ini:"write_timeout" comment:"A session whose other side takes nothing for so long ends; 0s is 30s, below 0 never"`
	HandshakeTimeout   time.Duration `yaml:"handshake_timeout" ini:"handshake_timeout" comment:"Limit of TLS handshake and connect hooks; 0s is 10s, below 0 none"`
	IdleTimeout        time.Duration `yaml:"idle_timeout" ini:"idle_timeout" comment:"A session that sends no whole message for so long ends; 0s is never"`
	StuckTimeout       time.Duration `yaml:"stuck_timeout" ini:"stuck_timeout" comment:"A connection on which calls wait and nothing arrives for so long ends; 0s is never"`
	CallTimeout        time.Duration `yaml:"call_timeout" ini:"call_timeout" comment:"Longest time of a call from here that brings no time of its own; 0s is no limit"`
	FlushDelay         time.Duration `yaml:"flush_delay" ini:"flush_delay" comment:"How long a message waits for others to share its write; 0s is not at all"`
	MaxHandlers        int           `yaml:"max_handlers" ini:"max_handlers" comment:"Handlers at work at the same time; 0 is 100000, below 0 no limit"`
	MaxSessionHandlers int           `yaml:"max_session_handlers" ini:"max_session_handlers" comment:"The same for one session; 0 is 10000, below 0 no limit"`
	InflightLimit      int           `yaml:"inflight_limit" ini:"inflight_limit" comment:"Bytes of one session that are being handled or wait as replies; 0 is 64 MiB, below 0 no limit"`
	DecodeMemory       int           `yaml:"decode_memory" ini:"decode_memory" comment:"Bytes that bodies which are being decoded may take, of all sessions together; 0 is 256 MiB, below 0 no limit"`
	MaxStreams         int           `yaml:"max_streams" ini:"max_streams" comment:"Streams that the other side of one session has open; 0 is 1000, below 0 no limit"`
	StreamMemory       int           `yaml:"stream_memory" ini:"stream_memory" comment:"Bytes that wait in all streams of the peer to be received by the program; 0 is 256 MiB, below 0 no limit"`
	StreamMessageLimit int           `yaml:"stream_message_limit" ini:"stream_message_limit" comment:"Largest message of a stream in bytes, as encoded; 0 is 4 MiB"`
	MaxSessions        int           `yaml:"max_sessions" ini:"max_sessions" comment:"Accepted sessions at the same time; 0 is no limit"`
	IdleRouteHooks     bool          `yaml:"idle_route_hooks" ini:"idle_route_hooks" comment:"Accept plugins of routes whose hooks are never called there, as erpc v7 does, with a warning"`
	ErrorDetail        bool          `yaml:"error_detail" ini:"error_detail" comment:"Tell the other side the text of errors and panics of handlers and of bodies that can't be decoded, as erpc v7 does"`

	SocketKeepAlive       *bool         `yaml:"-" ini:"-"` // nil: on
	SocketKeepAlivePeriod time.Duration `yaml:"socket_keep_alive_period" ini:"socket_keep_alive_period" comment:"Period of TCP keepalive; 0s is the default of the system"`
	SocketNoDelay         *bool         `yaml:"-" ini:"-"` // nil: on
	SocketReadBuffer      int           `yaml:"socket_read_buffer" ini:"socket_read_buffer" comment:"Receive buffer of the kernel in bytes; 0 is its default"`
	SocketWriteBuffer     int           `yaml:"socket_write_buffer" ini:"socket_write_buffer" comment:"Send buffer of the kernel in bytes; 0 is its default"`
	// SocketWishes marks those of the five settings above that are best effort: a
	// network that does not support them ignores them. Dial and Listen fail on an
	// unsupported setting that is not marked.
	SocketWishes socket.Tunables `yaml:"-" ini:"-"`

	ProtoFunc proto.Func            `yaml:"-" ini:"-"` // default rawproto.New; Protocol wins over it
	Protocols map[string]proto.Func `yaml:"-" ini:"-"` // what Protocol can name besides raw; erpc.NewPeer adds those of this module
	// RedialOn decides whether another attempt follows a failed dial or redial, as
	// far as RedialTimes allows. If it is nil, Dial uses the function [RedialOn],
	// and a session that was open before keeps redialing whatever the other side
	// says.
	RedialOn func(*message.Status) bool `yaml:"-" ini:"-"`

	Mapper     router.ServiceMethodMapper `yaml:"-" ini:"-"` // default router.HTTPServiceMethodMapper
	Logger     *slog.Logger               `yaml:"-" ini:"-"` // default: discard
	Transports []socket.Transport         `yaml:"-" ini:"-"` // besides socket.Stream; a later one of the same network wins
	// Inherited returns the listener that a parent process handed down for an
	// address, or nil if there is none. The field may be nil. Graceful restarts
	// set it.
	Inherited func(network, addr string) (net.Listener, error) `yaml:"-" ini:"-"`
}

// A ListenConfig is one of several listeners of a peer.
type ListenConfig struct {
	Network  string `yaml:"network" ini:"network" comment:"Network; empty is that of the peer"`
	Address  string `yaml:"address" ini:"address" comment:"Address to listen on"`
	Protocol string `yaml:"protocol" ini:"protocol" comment:"Name of the protocol; empty is that of the peer"`
}

// Defaults of [Config].
const (
	DefaultDialTimeout        = 10 * time.Second
	DefaultRedialInterval     = 100 * time.Millisecond
	DefaultRedialMaxInterval  = 10 * time.Second
	DefaultHandshakeTimeout   = 10 * time.Second
	DefaultMaxHandlers        = 100_000
	DefaultMaxSessionHandlers = 10_000
	DefaultInflightLimit      = 64 << 20                    // bytes
	DefaultDecodeMemory       = session.DefaultDecodeMemory // bytes
	DefaultMaxStreams         = session.DefaultMaxStreams
	DefaultStreamMemory       = session.DefaultStreamMemory       // bytes
	DefaultStreamMessageLimit = session.DefaultStreamMessageLimit // bytes
)

// SetDefaults sets the fields that are zero to their defaults, where they have
// one.
func (c *Config) SetDefaults() {
	set(&c.Network, "tcp")
	set(&c.DialTimeout, DefaultDialTimeout)
	set(&c.RedialInterval, DefaultRedialInterval)
	set(&c.RedialMaxInterval, DefaultRedialMaxInterval)
	set(&c.DefaultBodyCodec, "json")
	set(&c.ReadLimit, socket.DefaultReadLimit)
	set(&c.QueueLimit, socket.DefaultQueueLimit)
	set(&c.QueuePolicy, socket.Block)
	set(&c.WriteTimeout, socket.DefaultWriteTimeout)
	set(&c.HandshakeTimeout, DefaultHandshakeTimeout)
	set(&c.MaxHandlers, DefaultMaxHandlers)
	set(&c.MaxSessionHandlers, DefaultMaxSessionHandlers)
	set(&c.InflightLimit, DefaultInflightLimit)
	set(&c.DecodeMemory, DefaultDecodeMemory)
	set(&c.MaxStreams, DefaultMaxStreams)
	set(&c.StreamMemory, DefaultStreamMemory)
	set(&c.StreamMessageLimit, DefaultStreamMessageLimit)
	if c.ProtoFunc == nil {
		c.ProtoFunc = rawproto.New
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// ListenAddr returns the address to listen on. On unix networks LocalIP is the
// path if it contains a slash, or if it is a name and ListenPort is 0;
// otherwise the socket is called LocalIP:ListenPort, as in v7.
func (c *Config) ListenAddr() net.Addr {
	if c.ListenAddress != "" {
		return &Addr{c.network(), c.ListenAddress}
	}
	return c.local(c.ListenPort)
}

// LocalAddr returns the address to dial from. Unix networks don't use it.
func (c *Config) LocalAddr() net.Addr { return c.local(c.LocalPort) }

func (c *Config) network() string {
	if c.Network == "" {
		return "tcp"
	}
	return c.Network
}

func (c *Config) local(port uint16) net.Addr {
	host := c.LocalIP
	if isUnix(c.Network) && isPath(host, port) {
		return &Addr{c.Network, host}
	}
	return NewAddr(c.network(), host, strconv.Itoa(int(port)))
}

// isPath reports whether host, the LocalIP of a unix network, is the path of a
// socket.
func isPath(host string, port uint16) bool {
	return strings.ContainsAny(host, `/\`) || port == 0 && host != "" && net.ParseIP(host) == nil
}

// dialFrom returns the local address for a transport, or "" to let the system
// choose.
func (c *Config) dialFrom() string {
	if isUnix(c.Network) || (c.LocalPort == 0 && (c.LocalIP == "" || c.LocalIP == "0.0.0.0")) {
		return ""
	}
	return c.LocalAddr().String()
}
