package erpc

import (
	"net"
	"reflect"
)

// A PluginImpl is a plugin made of functions, one for each hook; those left nil
// do nothing. It takes part in every hook all the same, so where messages are
// many a type with only the methods it needs is cheaper. The fields must not be
// changed once a peer has the plugin.
type PluginImpl struct {
	PluginName string // must be unique among the plugins of a peer

	OnPreNewPeer          func(cfg *PeerConfig, c *PluginContainer) error
	OnPostNewPeer         func(early EarlyPeer) error
	OnPostReg             func(h *Handler) error
	OnPostListen          func(addr net.Addr) error
	OnPreDial             func(localAddr net.Addr, remoteAddr string) *Status
	OnPostDial            func(sess PreSession, isRedial bool) *Status
	OnPostAccept          func(sess PreSession) *Status
	OnPreWriteCall        func(ctx WriteCtx) *Status
	OnPostWriteCall       func(ctx WriteCtx) *Status
	OnPreWriteReply       func(ctx WriteCtx) *Status
	OnPostWriteReply      func(ctx WriteCtx) *Status
	OnPreWritePush        func(ctx WriteCtx) *Status
	OnPostWritePush       func(ctx WriteCtx) *Status
	OnPreReadHeader       func(ctx PreCtx) error
	OnPostReadCallHeader  func(ctx ReadCtx) *Status
	OnPreReadCallBody     func(ctx ReadCtx) *Status
	OnPostReadCallBody    func(ctx ReadCtx) *Status
	OnPostReadPushHeader  func(ctx ReadCtx) *Status
	OnPreReadPushBody     func(ctx ReadCtx) *Status
	OnPostReadPushBody    func(ctx ReadCtx) *Status
	OnPostHandle          func(ctx ReadCtx)
	OnPostReadReplyHeader func(ctx ReadCtx) *Status
	OnPreReadReplyBody    func(ctx ReadCtx) *Status
	OnPostReadReplyBody   func(ctx ReadCtx) *Status
	OnPostDisconnect      func(sess BaseSession) *Status
}

// Name implements [Plugin].
func (p *PluginImpl) Name() string { return p.PluginName }

// HasHook reports whether the function of that hook is set, so that a route
// accepts a plugin with only hooks that it has.
func (p *PluginImpl) HasHook(name string) bool {
	f := reflect.ValueOf(p).Elem().FieldByName("On" + name)
	return f.IsValid() && !f.IsNil()
}

// PreNewPeer implements [PreNewPeerPlugin].
func (p *PluginImpl) PreNewPeer(cfg *PeerConfig, c *PluginContainer) error {
	if p.OnPreNewPeer == nil {
		return nil
	}
	return p.OnPreNewPeer(cfg, c)
}

// PostNewPeer implements [PostNewPeerPlugin].
func (p *PluginImpl) PostNewPeer(early EarlyPeer) error {
	if p.OnPostNewPeer == nil {
		return nil
	}
	return p.OnPostNewPeer(early)
}

// PostReg implements [PostRegPlugin].
func (p *PluginImpl) PostReg(h *Handler) error {
	if p.OnPostReg == nil {
		return nil
	}
	return p.OnPostReg(h)
}

// PostListen implements [PostListenPlugin].
func (p *PluginImpl) PostListen(addr net.Addr) error {
	if p.OnPostListen == nil {
		return nil
	}
	return p.OnPostListen(addr)
}

// PreDial implements [PreDialPlugin].
func (p *PluginImpl) PreDial(localAddr net.Addr, remoteAddr string) *Status {
	if p.OnPreDial == nil {
		return nil
	}
	return p.OnPreDial(localAddr, remoteAddr)
}

// PostDial implements [PostDialPlugin].
func (p *PluginImpl) PostDial(sess PreSession, isRedial bool) *Status {
	if p.OnPostDial == nil {
		return nil
	}
	return p.OnPostDial(sess, isRedial)
}

// PostAccept implements [PostAcceptPlugin].
func (p *PluginImpl) PostAccept(sess PreSession) *Status {
	if p.OnPostAccept == nil {
		return nil
	}
	return p.OnPostAccept(sess)
}

// PreWriteCall implements [PreWriteCallPlugin].
func (p *PluginImpl) PreWriteCall(ctx WriteCtx) *Status {
	if p.OnPreWriteCall == nil {
		return nil
	}
	return p.OnPreWriteCall(ctx)
}

// PostWriteCall implements [PostWriteCallPlugin].
func (p *PluginImpl) PostWriteCall(ctx WriteCtx) *Status {
	if p.OnPostWriteCall == nil {
		return nil
	}
	return p.OnPostWriteCall(ctx)
}

// PreWriteReply implements [PreWriteReplyPlugin].
func (p *PluginImpl) PreWriteReply(ctx WriteCtx) *Status {
	if p.OnPreWriteReply == nil {
		return nil
	}
	return p.OnPreWriteReply(ctx)
}

// PostWriteReply implements [PostWriteReplyPlugin].
func (p *PluginImpl) PostWriteReply(ctx WriteCtx) *Status {
	if p.OnPostWriteReply == nil {
		return nil
	}
	return p.OnPostWriteReply(ctx)
}

// PreWritePush implements [PreWritePushPlugin].
func (p *PluginImpl) PreWritePush(ctx WriteCtx) *Status {
	if p.OnPreWritePush == nil {
		return nil
	}
	return p.OnPreWritePush(ctx)
}

// PostWritePush implements [PostWritePushPlugin].
func (p *PluginImpl) PostWritePush(ctx WriteCtx) *Status {
	if p.OnPostWritePush == nil {
		return nil
	}
	return p.OnPostWritePush(ctx)
}

// PreReadHeader implements [PreReadHeaderPlugin].
func (p *PluginImpl) PreReadHeader(ctx PreCtx) error {
	if p.OnPreReadHeader == nil {
		return nil
	}
	return p.OnPreReadHeader(ctx)
}

// PostReadCallHeader implements [PostReadCallHeaderPlugin].
func (p *PluginImpl) PostReadCallHeader(ctx ReadCtx) *Status {
	if p.OnPostReadCallHeader == nil {
		return nil
	}
	return p.OnPostReadCallHeader(ctx)
}

// PreReadCallBody implements [PreReadCallBodyPlugin].
func (p *PluginImpl) PreReadCallBody(ctx ReadCtx) *Status {
	if p.OnPreReadCallBody == nil {
		return nil
	}
	return p.OnPreReadCallBody(ctx)
}

// PostReadCallBody implements [PostReadCallBodyPlugin].
func (p *PluginImpl) PostReadCallBody(ctx ReadCtx) *Status {
	if p.OnPostReadCallBody == nil {
		return nil
	}
	return p.OnPostReadCallBody(ctx)
}

// PostReadPushHeader implements [PostReadPushHeaderPlugin].
func (p *PluginImpl) PostReadPushHeader(ctx ReadCtx) *Status {
	if p.OnPostReadPushHeader == nil {
		return nil
	}
	return p.OnPostReadPushHeader(ctx)
}

// PreReadPushBody implements [PreReadPushBodyPlugin].
func (p *PluginImpl) PreReadPushBody(ctx ReadCtx) *Status {
	if p.OnPreReadPushBody == nil {
		return nil
	}
	return p.OnPreReadPushBody(ctx)
}

// PostReadPushBody implements [PostReadPushBodyPlugin].
func (p *PluginImpl) PostReadPushBody(ctx ReadCtx) *Status {
	if p.OnPostReadPushBody == nil {
		return nil
	}
	return p.OnPostReadPushBody(ctx)
}

// PostHandle implements [PostHandlePlugin].
func (p *PluginImpl) PostHandle(ctx ReadCtx) {
	if p.OnPostHandle != nil {
		p.OnPostHandle(ctx)
	}
}

// PostReadReplyHeader implements [PostReadReplyHeaderPlugin].
func (p *PluginImpl) PostReadReplyHeader(ctx ReadCtx) *Status {
	if p.OnPostReadReplyHeader == nil {
		return nil
	}
	return p.OnPostReadReplyHeader(ctx)
}

// PreReadReplyBody implements [PreReadReplyBodyPlugin].
func (p *PluginImpl) PreReadReplyBody(ctx ReadCtx) *Status {
	if p.OnPreReadReplyBody == nil {
		return nil
	}
	return p.OnPreReadReplyBody(ctx)
}

// PostReadReplyBody implements [PostReadReplyBodyPlugin].
func (p *PluginImpl) PostReadReplyBody(ctx ReadCtx) *Status {
	if p.OnPostReadReplyBody == nil {
		return nil
	}
	return p.OnPostReadReplyBody(ctx)
}

// PostDisconnect implements [PostDisconnectPlugin].
func (p *PluginImpl) PostDisconnect(sess BaseSession) *Status {
	if p.OnPostDisconnect == nil {
		return nil
	}
	return p.OnPostDisconnect(sess)
}
