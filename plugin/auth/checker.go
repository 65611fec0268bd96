package auth

import (
	"errors"
	"time"

	"github.com/goerpc/erpc"
)

// A CheckerConfig configures the side that accepts.
type CheckerConfig struct {
	Checker  Checker               `yaml:"-" ini:"-"` // must not be nil
	Settings []erpc.MessageSetting `yaml:"-" ini:"-"` // settings of the answer, such as its codec
	Timeout  time.Duration         `yaml:"timeout" ini:"timeout" comment:"Longest time of the exchange; 0s is 5s"`
	Detail   bool                  `yaml:"detail" ini:"detail" comment:"Tell refused clients the cause, as erpc v7 does"`
}

// A CheckerPlugin lets accepted connections become sessions only if they pass
// its checker. It may serve several peers.
type CheckerPlugin struct {
	timeout  time.Duration
	settings []erpc.MessageSetting
	detail   bool
	do       func(*exchange) (any, *erpc.Status)
	mistake  error
	tally    tally
}

// NewCheckerPlugin returns the plugin of the side that accepts. retSetting
// applies to the answer. If fn is nil, which would let everyone in, making a
// peer with the plugin fails.
func NewCheckerPlugin(fn Checker, retSetting ...erpc.MessageSetting) *CheckerPlugin {
	return NewChecker(CheckerConfig{Checker: fn, Settings: retSetting})
}

// NewChecker is [NewCheckerPlugin] with a configuration.
func NewChecker(cfg CheckerConfig) *CheckerPlugin {
	p := &CheckerPlugin{timeout: cfg.Timeout, settings: cfg.Settings, detail: cfg.Detail}
	if cfg.Checker == nil {
		p.mistake = errors.New("auth: there is no checker; set one, or leave the plugin out to let everyone in")
	}
	p.do = func(x *exchange) (any, *erpc.Status) { return check(x, cfg.Checker) }
	return p
}

var (
	_ erpc.PreNewPeerPlugin     = (*CheckerPlugin)(nil)
	_ erpc.PostAcceptPlugin     = (*CheckerPlugin)(nil)
	_ erpc.PostOpenPlugin       = (*CheckerPlugin)(nil)
	_ erpc.PostDisconnectPlugin = (*CheckerPlugin)(nil)
)

// Name returns the name of the plugin.
func (*CheckerPlugin) Name() string { return "auth-checker" }

// Counts returns how many exchanges ended in which way.
func (p *CheckerPlugin) Counts() Counts { return p.tally.counts() }

// PreNewPeer returns the error in the configuration, if any.
func (p *CheckerPlugin) PreNewPeer(*erpc.PeerConfig, *erpc.PluginContainer) error { return p.mistake }

// PostAccept runs the exchange.
func (p *CheckerPlugin) PostAccept(sess erpc.PreSession) *erpc.Status {
	if p.mistake != nil { // the plugin was added to an existing peer
		return unauthorized(p.mistake)
	}
	return p.tally.run(sess, p.timeout, p.settings, p.admit)
}

// PostOpen closes the session when its identity expires.
func (p *CheckerPlugin) PostOpen(sess erpc.Session, _ bool) {
	if l := loginOf(sess); l != nil {
		l.open(sess)
	}
}

// PostDisconnect stops watching the identity.
func (p *CheckerPlugin) PostDisconnect(sess erpc.BaseSession) *erpc.Status {
	if l := loginOf(sess); l != nil {
		l.watch(nil)
	}
	return nil
}

func (p *CheckerPlugin) admit(x *exchange) *erpc.Status {
	ret, st := p.do(x)
	if err := x.ctx.Err(); st.OK() && err != nil { // the client has given up
		st = erpc.NewStatusByCodeText(erpc.CodeHandleTimeout, err, false)
	}
	if st.OK() && IdentityOf(x).expired(time.Now()) {
		st = loginExpired()
	}
	if st.OK() {
		return x.answer(ret)
	}
	if !erpc.IsConnError(st) {
		x.refuse(p.public(st))
	}
	return st
}

// public returns the part of st that a refused client may know.
func (p *CheckerPlugin) public(st *erpc.Status) *erpc.Status {
	if p.detail {
		return st
	}
	return erpc.NewStatus(st.Code(), st.Msg())
}

func check(x *exchange, fn Checker) (any, *erpc.Status) {
	received := false
	return fn(x, func(infoRecv any) *erpc.Status {
		if received {
			return MultiRecvErr
		}
		received = true
		return x.receive(erpc.TypeAuthCall, infoRecv)
	})
}
