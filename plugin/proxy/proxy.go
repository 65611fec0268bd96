package proxy

import (
	"github.com/goerpc/erpc"
)

// A CallForwarder sends calls on. A session is one, and so is a pool of
// sessions. It must be safe for concurrent use.
type CallForwarder interface {
	Call(serviceMethod string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd
}

// A PushForwarder sends pushes on. It must be safe for concurrent use.
type PushForwarder interface {
	Push(serviceMethod string, arg any, setting ...erpc.MessageSetting) *erpc.Status
}

// A Forwarder sends both on.
type Forwarder interface {
	CallForwarder
	PushForwarder
}

// A Label says what a backend is chosen for.
type Label struct {
	SessionID     string // of the client
	RealIP        string // of the original caller, as it is sent on
	ServiceMethod string
}

// Config adjusts a proxy. The zero value works.
type Config struct {
	// TrustRealIP passes on the X-Real-IP that a client sends. It is for a
	// proxy whose clients are proxies themselves: anybody else could claim any
	// address. Otherwise X-Real-IP is the address of the client's connection.
	TrustRealIP bool `yaml:"trust_real_ip" ini:"trust_real_ip" comment:"Pass on the address that a client claims to speak for"`
	// MaxInFlight is about how many messages of one client may be on their way
	// before no more is read from it; 0 is 1000, below 0 no limit.
	MaxInFlight int `yaml:"max_in_flight" ini:"max_in_flight" comment:"Messages of one client on their way before no more is read from it; 0 is 1000, below 0 no limit"`
	// OrderedPushes forwards the pushes of a client one after another. Those
	// that wait for their turn count as its handlers, not for MaxInFlight.
	OrderedPushes bool `yaml:"ordered_pushes" ini:"ordered_pushes" comment:"Forward the pushes of a client in the order of their arrival"`
}

const defaultInFlight = 1000

// NewPlugin returns a plugin that forwards calls and pushes to what fn chooses.
// A peer can have one proxy. fn is called for each message, concurrently; if it
// returns nil, the outcome is CodeBadGateway.
func NewPlugin(fn func(*Label) Forwarder, cfg ...Config) erpc.Plugin {
	return newProxy(
		func(l *Label) CallForwarder {
			if f := fn(l); f != nil {
				return f
			}
			return nil
		},
		func(l *Label) PushForwarder {
			if f := fn(l); f != nil {
				return f
			}
			return nil
		}, cfg)
}

// NewCallPlugin is [NewPlugin] for calls only.
func NewCallPlugin(fn func(*Label) CallForwarder, cfg ...Config) erpc.Plugin {
	return newProxy(fn, nil, cfg)
}

// NewPushPlugin is [NewPlugin] for pushes only.
func NewPushPlugin(fn func(*Label) PushForwarder, cfg ...Config) erpc.Plugin {
	return newProxy(nil, fn, cfg)
}

type proxy struct {
	cfg  Config
	call func(*Label) CallForwarder // nil: calls are not forwarded
	push func(*Label) PushForwarder // nil: pushes are not forwarded
}

var (
	_ erpc.PostNewPeerPlugin   = (*proxy)(nil)
	_ erpc.PostRegPlugin       = (*proxy)(nil)
	_ erpc.PreReadHeaderPlugin = (*proxy)(nil)
)

func newProxy(call func(*Label) CallForwarder, push func(*Label) PushForwarder, cfg []Config) *proxy {
	p := &proxy{call: call, push: push}
	for _, c := range cfg {
		p.cfg = c
	}
	if p.cfg.MaxInFlight == 0 {
		p.cfg.MaxInFlight = defaultInFlight
	}
	return p
}

// Name returns the name of the plugin.
func (*proxy) Name() string { return "proxy" }

// PostNewPeer makes the proxy the handler of unknown methods.
func (p *proxy) PostNewPeer(peer erpc.EarlyPeer) error {
	if p.call != nil {
		peer.SetUnknownCall(p.forwardCall)
	}
	if p.push != nil {
		peer.SetUnknownPush(p.forwardPush)
	}
	return nil
}

// PostReg orders the pushes, if asked for.
func (p *proxy) PostReg(h *erpc.Handler) error {
	if p.cfg.OrderedPushes && h.IsUnknown() && h.IsPush() {
		h.SetOrdered(true)
	}
	return nil
}

// PreReadHeader waits until the client has room for another message. It holds up
// that client only.
func (p *proxy) PreReadHeader(ctx erpc.PreCtx) error {
	if p.cfg.MaxInFlight < 0 {
		return nil
	}
	p.traffic(ctx.Session()).await(ctx.Session().CloseNotify(), p.cfg.MaxInFlight)
	return nil
}
