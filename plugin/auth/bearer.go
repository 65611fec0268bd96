package auth

import (
	"time"

	"github.com/goerpc/erpc"
)

// A BearerConfig configures the side that dials.
type BearerConfig struct {
	Bearer   Bearer                `yaml:"-" ini:"-"` // nil sends nothing
	Settings []erpc.MessageSetting `yaml:"-" ini:"-"` // settings of the message that is sent, such as its codec
	Timeout  time.Duration         `yaml:"timeout" ini:"timeout" comment:"Longest time of the exchange; 0s is 5s"`
}

// A BearerPlugin authenticates its peer on each connection that the peer dials.
// It may serve several peers.
type BearerPlugin struct {
	timeout  time.Duration
	settings []erpc.MessageSetting
	do       func(*exchange) *erpc.Status // nil sends nothing
	mistake  error
	tally    tally
}

// NewBearerPlugin returns the plugin of the side that dials. infoSetting
// applies to the message that it sends.
func NewBearerPlugin(fn Bearer, infoSetting ...erpc.MessageSetting) *BearerPlugin {
	return NewBearer(BearerConfig{Bearer: fn, Settings: infoSetting})
}

// NewBearer is [NewBearerPlugin] with a configuration.
func NewBearer(cfg BearerConfig) *BearerPlugin {
	p := &BearerPlugin{timeout: cfg.Timeout, settings: cfg.Settings}
	if cfg.Bearer != nil {
		p.do = func(x *exchange) *erpc.Status { return bear(x, cfg.Bearer) }
	}
	return p
}

var (
	_ erpc.PreNewPeerPlugin = (*BearerPlugin)(nil)
	_ erpc.PostDialPlugin   = (*BearerPlugin)(nil)
)

// Name returns the name of the plugin.
func (*BearerPlugin) Name() string { return "auth-bearer" }

// Counts returns how many exchanges ended in which way.
func (p *BearerPlugin) Counts() Counts { return p.tally.counts() }

// PreNewPeer returns the error in the configuration, if any.
func (p *BearerPlugin) PreNewPeer(*erpc.PeerConfig, *erpc.PluginContainer) error { return p.mistake }

// PostDial runs the exchange, also after each redial.
func (p *BearerPlugin) PostDial(sess erpc.PreSession, _ bool) *erpc.Status {
	switch {
	case p.mistake != nil:
		return unauthorized(p.mistake)
	case p.do == nil:
		return nil
	}
	return p.tally.run(sess, p.timeout, p.settings, p.do)
}

func bear(x *exchange, fn Bearer) *erpc.Status {
	sent := false
	return fn(x, func(info, retRecv any) *erpc.Status {
		if sent {
			return MultiSendErr
		}
		sent = true
		if st := x.send(erpc.TypeAuthCall, info); !st.OK() {
			return st
		}
		return x.receive(erpc.TypeAuthReply, retRecv)
	})
}
