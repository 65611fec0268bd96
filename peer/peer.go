package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket"
)

// ErrClosed is what operations on a closed peer return.
var ErrClosed = errors.New("peer: closed")

// routes gives a peer the methods of its router.
type routes = router.Router

// A Peer is one node: it accepts sessions, dials them, or both. All methods may
// be called concurrently.
type Peer struct {
	*routes
	cfg         Config
	plugins     *plugin.Container
	hooks       atomic.Pointer[session.Hooks]
	shared      *session.Shared
	transports  map[string]socket.Transport
	protos      []proto.Func // of cfg.Listeners; nil: that of the peer
	tls         atomic.Pointer[tls.Config]
	edge        edge
	refusals    logging.Throttle // limits log lines about refused connections
	acceptLines logging.Throttle // limits log lines about listeners that fail, which strangers can cause
	accepting   atomic.Int64     // accepted sessions, and connections about to become one
	opening     atomic.Int64     // accepted connections that are not sessions yet
	answering   atomic.Int64     // requests whose answers a protocol writes, see proto.Host
	table       table
	groups      groups
	ctx         context.Context // ends when the peer stops accepting and dialing
	cancel      context.CancelFunc
	closing     context.Context // ends when Close or Shutdown ends the sessions
	cut         context.CancelFunc

	mu        sync.Mutex // guards the following
	phase     phase
	unserved  []net.Listener // opened by Listen
	listeners []net.Listener // being served
	sweeping  bool
	onClose   []func()
}

var (
	_ session.Peer     = (*Peer)(nil)
	_ router.Registrar = (*Peer)(nil)
)

// New returns a peer. It panics on a configuration or a plugin that can't work,
// because both are mistakes in the program. Check a configuration from
// elsewhere with [Config.Validate].
func New(cfg Config, globalLeftPlugin ...plugin.Plugin) *Peer {
	plugins := plugin.NewContainer(checkPlugin)
	plugins.AppendLeft(globalLeftPlugin...)
	for _, h := range plugin.Of[PreNewPeerPlugin](plugins.GetAll()) {
		if err := h.PreNewPeer(&cfg, plugins); err != nil {
			panic(fmt.Errorf("peer: plugin %q: before the peer is made: %w", h.Name(), err))
		}
	}
	cfg.SetDefaults()
	listenProtos, err := cfg.resolveProtocols()
	err = errors.Join(err, cfg.Validate(), cfg.checkNetworks())
	if err != nil {
		panic(err)
	}
	var warn []func(error)
	if cfg.IdleRouteHooks {
		warn = append(warn, func(err error) { cfg.Logger.Warn("some hooks of a route's plugin are never called", "err", err) })
	}
	p := &Peer{
		cfg:        cfg,
		plugins:    plugins,
		protos:     listenProtos,
		routes:     router.New(plugins, cfg.Mapper, warn...),
		transports: map[string]socket.Transport{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.closing, p.cut = context.WithCancel(context.Background())
	p.table.places = map[string]int{}
	for _, t := range append([]socket.Transport{socket.Stream{}}, cfg.Transports...) {
		for _, network := range t.Networks() {
			p.transports[network] = t
		}
	}
	if p.transports[cfg.Network] == nil {
		panic(fmt.Errorf("peer: network %q is unknown; use tcp, tcp4, tcp6, unix, unixpacket, or the network of one of Config.Transports", cfg.Network))
	}
	if t, _ := cfg.tlsConfig(); t != nil { // Validate has returned its error
		p.SetTLSConfig(t)
	}
	p.share()
	plugins.Watch(func() { p.hooks.Store(session.NewHooks(plugins.GetAll())) })
	for _, h := range plugin.Of[PostNewPeerPlugin](plugins.GetAll()) {
		if err := h.PostNewPeer(p); err != nil {
			panic(fmt.Errorf("peer: plugin %q: after the peer was made: %w", h.Name(), err))
		}
	}
	return p
}

// share sets up what the sessions have in common.
func (p *Peer) share() {
	cfg := &p.cfg
	body, _ := codec.GetByName(cfg.DefaultBodyCodec) // Validate has checked the name
	p.shared = session.NewShared(session.Config{
		Owner:  p,
		Routes: p.routes,
		Hooks:  &p.hooks,
		Socket: socket.Config{
			QueueLimit: cfg.QueueLimit, ReadLimit: cfg.ReadLimit, WriteTimeout: cfg.WriteTimeout, Policy: cfg.QueuePolicy,
			FlushDelay: cfg.FlushDelay, Codecs: cfg.codecs(),
		}.Complete(),
		BodyCodec:          body.ID(),
		Logger:             cfg.Logger,
		SessionAge:         cfg.DefaultSessionAge,
		ContextAge:         cfg.DefaultContextAge,
		CallLimit:          cfg.CallTimeout,
		HandshakeTimeout:   max(cfg.HandshakeTimeout, 0),
		MaxHandlers:        max(cfg.MaxHandlers, 0),
		MaxSessionHandlers: max(cfg.MaxSessionHandlers, 0),
		MaxStreams:         max(cfg.MaxStreams, 0),
		StreamMemory:       int64(max(cfg.StreamMemory, 0)),
		DecodeMemory:       int64(max(cfg.DecodeMemory, 0)),
		StreamMessageLimit: cfg.StreamMessageLimit,
		InflightLimit:      max(cfg.InflightLimit, 0),
		CountTime:          cfg.CountTime,
		PrintDetail:        cfg.PrintDetail,
		Slow:               cfg.SlowCometDuration,
		ErrorDetail:        cfg.ErrorDetail,
		RedialTimes:        int(cfg.RedialTimes),
		RedialOn:           cfg.RedialOn,
		RedialFirst:        cfg.RedialInterval,
		RedialLongest:      max(cfg.RedialMaxInterval, cfg.RedialInterval),
	})
}

// Config returns the configuration, with defaults filled in.
func (p *Peer) Config() Config { return p.cfg }

// Router returns the root router.
func (p *Peer) Router() *router.Router { return p.routes }

// PluginContainer returns the plugins of the peer.
func (p *Peer) PluginContainer() *plugin.Container { return p.plugins }

// TLSConfig returns the TLS configuration, or nil if connections are plain.
func (p *Peer) TLSConfig() *tls.Config { return p.tls.Load() }

// SetTLSConfig makes later Dial and Listen calls use TLS. TLS 1.2 is the
// minimum, whatever cfg says. A server needs a certificate in cfg; a client
// verifies the server's certificate unless cfg says otherwise.
func (p *Peer) SetTLSConfig(cfg *tls.Config) {
	if cfg != nil {
		cfg = cfg.Clone()
		cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	}
	p.tls.Store(cfg)
}

// SetTLSConfigFromFile is [Peer.SetTLSConfig] with what [NewTLSConfigFromFile]
// returns.
func (p *Peer) SetTLSConfigFromFile(certFile, keyFile string, insecureSkipVerifyForClient ...bool) error {
	cfg, err := NewTLSConfigFromFile(certFile, keyFile, insecureSkipVerifyForClient...)
	if err == nil {
		p.SetTLSConfig(cfg)
	}
	return err
}

// options returns the options for the transports.
func (p *Peer) options() *socket.Options {
	return &socket.Options{
		TLS:             p.tls.Load(),
		LocalAddr:       p.cfg.dialFrom(),
		NoDelay:         p.cfg.SocketNoDelay,
		KeepAlive:       p.cfg.SocketKeepAlive,
		KeepAlivePeriod: p.cfg.SocketKeepAlivePeriod,
		ReadBuffer:      p.cfg.SocketReadBuffer,
		WriteBuffer:     p.cfg.SocketWriteBuffer,
		ReadLimit:       p.cfg.ReadLimit,
		BestEffort:      p.cfg.SocketWishes,
		Inherited:       p.cfg.Inherited,
		Refused: func(remote string, why error) {
			p.Refused(remote, message.NewStatusByCodeText(message.CodeWrongConn, why, false))
		},
	}
}

// Handlers returns the number of running handlers.
func (p *Peer) Handlers() int { return p.shared.Handlers() }

// isStopping reports whether the peer was closed or is shutting down.
func (p *Peer) isStopping() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phase != serving
}

// isClosed reports whether the peer was closed, or Shutdown has ended.
func (p *Peer) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phase == closed
}

// OnClose calls f once when the peer is closed or begins to shut down, or at
// once if that has happened.
func (p *Peer) OnClose(f func()) {
	p.mu.Lock()
	if p.phase == serving {
		p.onClose = append(p.onClose, f)
		f = nil
	}
	p.mu.Unlock()
	if f != nil {
		f()
	}
}

// sweepStuck ends stuck connections. It starts with the first session if
// StuckTimeout is set, and runs until the peer closes.
func (p *Peer) sweepStuck() {
	t := time.NewTicker(max(p.cfg.StuckTimeout/4, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-t.C:
		}
		for c := range p.table.all() {
			c.EndStuck(p.cfg.StuckTimeout)
		}
	}
}

// sweep ends the sessions that were idle for IdleTimeout. It starts with the
// first session if that is set, and runs until the peer closes.
func (p *Peer) sweep() {
	t := time.NewTicker(max(p.cfg.IdleTimeout/2, time.Millisecond))
	defer t.Stop()
	idle := map[*session.Engine]bool{} // as of the last check
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-t.C:
		}
		now := map[*session.Engine]bool{}
		for c := range p.table.all() {
			switch {
			case !c.Idle():
			case idle[c]:
				c.End(session.ErrIdle)
			default:
				now[c] = true
			}
		}
		idle = now
	}
}

func (p *Peer) startSweep() {
	if p.cfg.IdleTimeout <= 0 && p.cfg.StuckTimeout <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sweeping || p.phase != serving {
		return
	}
	p.sweeping = true
	if p.cfg.IdleTimeout > 0 {
		go p.sweep()
	}
	if p.cfg.StuckTimeout > 0 {
		go p.sweepStuck()
	}
}

func statusClosed() *message.Status {
	return message.NewStatusByCodeText(message.CodeConnClosed, ErrClosed, false)
}
