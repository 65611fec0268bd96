package peer

import (
	"net"
	"reflect"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/session"
)

// A PluginImpl is a plugin made of functions, one for each hook; nil functions
// do nothing. The framework still calls it for every hook, so for many messages
// a type with only the methods it needs is cheaper. Don't change the fields
// once a peer has the plugin.
type PluginImpl struct {
	PluginName string // must be unique among the plugins of a peer

	OnPreNewPeer          func(cfg *Config, c *plugin.Container) error
	OnPostNewPeer         func(early *Peer) error
	OnPostReg             func(h *session.Handler) error
	OnPostListen          func(addr net.Addr) error
	OnPreDial             func(localAddr net.Addr, remoteAddr string) *message.Status
	OnPostDial            func(sess session.PreSession, isRedial bool) *message.Status
	OnPostAccept          func(sess session.PreSession) *message.Status
	OnPostOpen            func(sess session.Session, isRedial bool)
	OnPreWriteCall        func(ctx session.WriteCtx) *message.Status
	OnPostWriteCall       func(ctx session.WriteCtx) *message.Status
	OnPreWriteReply       func(ctx session.WriteCtx) *message.Status
	OnPostWriteReply      func(ctx session.WriteCtx) *message.Status
	OnPreWritePush        func(ctx session.WriteCtx) *message.Status
	OnPostWritePush       func(ctx session.WriteCtx) *message.Status
	OnPreReadHeader       func(ctx session.PreCtx) error
	OnPostReadCallHeader  func(ctx session.ReadCtx) *message.Status
	OnPreReadCallBody     func(ctx session.ReadCtx) *message.Status
	OnPostReadCallBody    func(ctx session.ReadCtx) *message.Status
	OnPostReadPushHeader  func(ctx session.ReadCtx) *message.Status
	OnPreReadPushBody     func(ctx session.ReadCtx) *message.Status
	OnPostReadPushBody    func(ctx session.ReadCtx) *message.Status
	OnPostHandle          func(ctx session.ReadCtx)
	OnPostReadReplyHeader func(ctx session.ReadCtx) *message.Status
	OnPreReadReplyBody    func(ctx session.ReadCtx) *message.Status
	OnPostReadReplyBody   func(ctx session.ReadCtx) *message.Status
	OnPreSendMessage      func(ctx session.StreamCtx) *message.Status
	OnPreRecvMessage      func(ctx session.StreamCtx) *message.Status
	OnPostEndStream       func(ctx session.StreamEndCtx)
	OnPostDisconnect      func(sess session.Base) *message.Status
}

// Name implements [plugin.Plugin].
func (p *PluginImpl) Name() string { return p.PluginName }

// HasHook reports whether the function of that hook is set, so that a route
// refuses the plugin only for hooks that are set.
func (p *PluginImpl) HasHook(name string) bool {
	f := reflect.ValueOf(p).Elem().FieldByName("On" + name)
	return f.IsValid() && !f.IsNil()
}

// PreNewPeer implements [PreNewPeerPlugin].
func (p *PluginImpl) PreNewPeer(cfg *Config, c *plugin.Container) error {
	if p.OnPreNewPeer == nil {
		return nil
	}
	return p.OnPreNewPeer(cfg, c)
}

// PostNewPeer implements [PostNewPeerPlugin].
func (p *PluginImpl) PostNewPeer(early *Peer) error {
	if p.OnPostNewPeer == nil {
		return nil
	}
	return p.OnPostNewPeer(early)
}

// PostReg implements [router.PostRegPlugin].
func (p *PluginImpl) PostReg(h *session.Handler) error {
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
func (p *PluginImpl) PreDial(localAddr net.Addr, remoteAddr string) *message.Status {
	if p.OnPreDial == nil {
		return nil
	}
	return p.OnPreDial(localAddr, remoteAddr)
}

// PostDial implements [session.PostDialPlugin].
func (p *PluginImpl) PostDial(sess session.PreSession, isRedial bool) *message.Status {
	if p.OnPostDial == nil {
		return nil
	}
	return p.OnPostDial(sess, isRedial)
}

// PostAccept implements [session.PostAcceptPlugin].
func (p *PluginImpl) PostAccept(sess session.PreSession) *message.Status {
	if p.OnPostAccept == nil {
		return nil
	}
	return p.OnPostAccept(sess)
}

// PreWriteCall implements [session.PreWriteCallPlugin].
func (p *PluginImpl) PreWriteCall(ctx session.WriteCtx) *message.Status {
	if p.OnPreWriteCall == nil {
		return nil
	}
	return p.OnPreWriteCall(ctx)
}

// PostWriteCall implements [session.PostWriteCallPlugin].
func (p *PluginImpl) PostWriteCall(ctx session.WriteCtx) *message.Status {
	if p.OnPostWriteCall == nil {
		return nil
	}
	return p.OnPostWriteCall(ctx)
}

// PreWriteReply implements [session.PreWriteReplyPlugin].
func (p *PluginImpl) PreWriteReply(ctx session.WriteCtx) *message.Status {
	if p.OnPreWriteReply == nil {
		return nil
	}
	return p.OnPreWriteReply(ctx)
}

// PostWriteReply implements [session.PostWriteReplyPlugin].
func (p *PluginImpl) PostWriteReply(ctx session.WriteCtx) *message.Status {
	if p.OnPostWriteReply == nil {
		return nil
	}
	return p.OnPostWriteReply(ctx)
}

// PreWritePush implements [session.PreWritePushPlugin].
func (p *PluginImpl) PreWritePush(ctx session.WriteCtx) *message.Status {
	if p.OnPreWritePush == nil {
		return nil
	}
	return p.OnPreWritePush(ctx)
}

// PostWritePush implements [session.PostWritePushPlugin].
func (p *PluginImpl) PostWritePush(ctx session.WriteCtx) *message.Status {
	if p.OnPostWritePush == nil {
		return nil
	}
	return p.OnPostWritePush(ctx)
}

// PreReadHeader implements [session.PreReadHeaderPlugin].
func (p *PluginImpl) PreReadHeader(ctx session.PreCtx) error {
	if p.OnPreReadHeader == nil {
		return nil
	}
	return p.OnPreReadHeader(ctx)
}

// PostReadCallHeader implements [session.PostReadCallHeaderPlugin].
func (p *PluginImpl) PostReadCallHeader(ctx session.ReadCtx) *message.Status {
	if p.OnPostReadCallHeader == nil {
		return nil
	}
	return p.OnPostReadCallHeader(ctx)
}

// PreReadCallBody implements [session.PreReadCallBodyPlugin].
func (p *PluginImpl) PreReadCallBody(ctx session.ReadCtx) *message.Status {
	if p.OnPreReadCallBody == nil {
		return nil
	}
	return p.OnPreReadCallBody(ctx)
}

// PostReadCallBody implements [session.PostReadCallBodyPlugin].
func (p *PluginImpl) PostReadCallBody(ctx session.ReadCtx) *message.Status {
	if p.OnPostReadCallBody == nil {
		return nil
	}
	return p.OnPostReadCallBody(ctx)
}

// PostReadPushHeader implements [session.PostReadPushHeaderPlugin].
func (p *PluginImpl) PostReadPushHeader(ctx session.ReadCtx) *message.Status {
	if p.OnPostReadPushHeader == nil {
		return nil
	}
	return p.OnPostReadPushHeader(ctx)
}

// PreReadPushBody implements [session.PreReadPushBodyPlugin].
func (p *PluginImpl) PreReadPushBody(ctx session.ReadCtx) *message.Status {
	if p.OnPreReadPushBody == nil {
		return nil
	}
	return p.OnPreReadPushBody(ctx)
}

// PostReadPushBody implements [session.PostReadPushBodyPlugin].
func (p *PluginImpl) PostReadPushBody(ctx session.ReadCtx) *message.Status {
	if p.OnPostReadPushBody == nil {
		return nil
	}
	return p.OnPostReadPushBody(ctx)
}

// PostOpen implements [session.PostOpenPlugin].
func (p *PluginImpl) PostOpen(sess session.Session, isRedial bool) {
	if p.OnPostOpen != nil {
		p.OnPostOpen(sess, isRedial)
	}
}

// PostHandle implements [session.PostHandlePlugin].
func (p *PluginImpl) PostHandle(ctx session.ReadCtx) {
	if p.OnPostHandle != nil {
		p.OnPostHandle(ctx)
	}
}

// PostReadReplyHeader implements [session.PostReadReplyHeaderPlugin].
func (p *PluginImpl) PostReadReplyHeader(ctx session.ReadCtx) *message.Status {
	if p.OnPostReadReplyHeader == nil {
		return nil
	}
	return p.OnPostReadReplyHeader(ctx)
}

// PreReadReplyBody implements [session.PreReadReplyBodyPlugin].
func (p *PluginImpl) PreReadReplyBody(ctx session.ReadCtx) *message.Status {
	if p.OnPreReadReplyBody == nil {
		return nil
	}
	return p.OnPreReadReplyBody(ctx)
}

// PostReadReplyBody implements [session.PostReadReplyBodyPlugin].
func (p *PluginImpl) PostReadReplyBody(ctx session.ReadCtx) *message.Status {
	if p.OnPostReadReplyBody == nil {
		return nil
	}
	return p.OnPostReadReplyBody(ctx)
}

// PreSendMessage implements [session.PreSendMessagePlugin].
func (p *PluginImpl) PreSendMessage(ctx session.StreamCtx) *message.Status {
	if p.OnPreSendMessage == nil {
		return nil
	}
	return p.OnPreSendMessage(ctx)
}

// PreRecvMessage implements [session.PreRecvMessagePlugin].
func (p *PluginImpl) PreRecvMessage(ctx session.StreamCtx) *message.Status {
	if p.OnPreRecvMessage == nil {
		return nil
	}
	return p.OnPreRecvMessage(ctx)
}

// PostEndStream implements [session.PostEndStreamPlugin].
func (p *PluginImpl) PostEndStream(ctx session.StreamEndCtx) {
	if p.OnPostEndStream != nil {
		p.OnPostEndStream(ctx)
	}
}

// PostDisconnect implements [session.PostDisconnectPlugin].
func (p *PluginImpl) PostDisconnect(sess session.Base) *message.Status {
	if p.OnPostDisconnect == nil {
		return nil
	}
	return p.OnPostDisconnect(sess)
}
