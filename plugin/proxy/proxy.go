package proxy

import (
	"github.com/goerpc/erpc"
)

// A CallForwarder forwards calls, such as a session or a pool of sessions. It
// must be safe for concurrent use.
type CallForwarder interface {
	Call(serviceMethod string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd
}

// A PushForwarder forwards pushes. It must be safe for concurrent use.
type PushForwarder interface {
	Push(serviceMethod string, arg any, setting ...erpc.MessageSetting) *erpc.Status
}

// A StreamForwarder opens streams at a backend. It must be safe for concurrent
// use.
type StreamForwarder = erpc.StreamOpener

// A Forwarder forwards calls and pushes. If it also implements
// [StreamForwarder], as sessions do, it forwards streams too.
type Forwarder interface {
	CallForwarder
	PushForwarder
}

// A Label describes the message that a backend is chosen for.
type Label struct {
	SessionID     string // of the client
	RealIP        string // of the original caller, as it is forwarded
	ServiceMethod string
}

// NewPlugin returns a plugin that forwards calls, pushes and streams to the
// backends that fn returns. A peer can have one proxy. fn is called for each
// message and each opened stream, and must be safe for concurrent use; if it
// returns nil, the outcome is CodeBadGateway. If the configuration is invalid,
// making a peer with the plugin fails.
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
		},
		func(l *Label) (StreamForwarder, *erpc.Status) {
			f := fn(l)
			if f == nil {
				return nil, erpc.NewStatus(erpc.CodeBadGateway, "", errNoBackend)
			}
			s, ok := f.(StreamForwarder)
			if !ok {
				return nil, erpc.NewStatusByCodeText(erpc.CodeMtypeNotAllowed, erpc.ErrNoStreams, false)
			}
			return s, nil
		}, cfg)
}

// NewCallPlugin is [NewPlugin] for calls only.
func NewCallPlugin(fn func(*Label) CallForwarder, cfg ...Config) erpc.Plugin {
	return newProxy(fn, nil, nil, cfg)
}

// NewPushPlugin is [NewPlugin] for pushes only.
func NewPushPlugin(fn func(*Label) PushForwarder, cfg ...Config) erpc.Plugin {
	return newProxy(nil, fn, nil, cfg)
}

// NewStreamPlugin is [NewPlugin] for streams only.
func NewStreamPlugin(fn func(*Label) StreamForwarder, cfg ...Config) erpc.Plugin {
	return newProxy(nil, nil, func(l *Label) (StreamForwarder, *erpc.Status) {
		if s := fn(l); s != nil {
			return s, nil
		}
		return nil, erpc.NewStatus(erpc.CodeBadGateway, "", errNoBackend)
	}, cfg)
}

type proxy struct {
	cfg     Config
	mistake error
	call    func(*Label) CallForwarder // nil: calls are not forwarded
	push    func(*Label) PushForwarder // nil: pushes are not forwarded
	stream  chooseStream               // nil: streams are not forwarded
}

// chooseStream returns the backend for a stream, or a failed status if there is
// none.
type chooseStream func(*Label) (StreamForwarder, *erpc.Status)

var (
	_ erpc.PreNewPeerPlugin  = (*proxy)(nil)
	_ erpc.PostNewPeerPlugin = (*proxy)(nil)
	_ erpc.PostRegPlugin     = (*proxy)(nil)
)

func newProxy(call func(*Label) CallForwarder, push func(*Label) PushForwarder, stream chooseStream, cfg []Config) *proxy {
	p := &proxy{call: call, push: push, stream: stream}
	for _, c := range cfg {
		p.cfg = c
	}
	p.mistake = p.cfg.Validate()
	p.cfg = p.cfg.withDefaults()
	return p
}

// Name returns the name of the plugin.
func (*proxy) Name() string { return "proxy" }

// PreNewPeer returns the error in the configuration, if any.
func (p *proxy) PreNewPeer(*erpc.PeerConfig, *erpc.PluginContainer) error { return p.mistake }

// PostNewPeer makes the proxy the handler of unknown methods.
func (p *proxy) PostNewPeer(peer erpc.EarlyPeer) error {
	if p.call != nil {
		peer.SetUnknownCall(p.forwardCall)
	}
	if p.push != nil {
		peer.SetUnknownPush(p.forwardPush)
	}
	if p.stream != nil {
		peer.SetUnknownStream(p.forwardStream)
	}
	return nil
}

// PostReg makes the handler of pushes ordered, if the configuration asks for
// it.
func (p *proxy) PostReg(h *erpc.Handler) error {
	if p.cfg.OrderedPushes && h.IsUnknown() && h.IsPush() {
		h.SetOrdered(true)
	}
	return nil
}
