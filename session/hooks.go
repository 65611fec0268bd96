package session

import (
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
)

// The hooks of a session, in the order of its life. docs/plugins.md says what
// each may change and what a failed status does.
type (
	// PostDialPlugin is called when a connection was dialed, before its messages
	// are read. A failed status refuses the connection.
	PostDialPlugin interface {
		plugin.Plugin
		PostDial(sess PreSession, isRedial bool) *message.Status
	}
	// PostAcceptPlugin is PostDialPlugin for an accepted connection.
	PostAcceptPlugin interface {
		plugin.Plugin
		PostAccept(PreSession) *message.Status
	}
	// PreWriteCallPlugin is called before a CALL is written; a failed status
	// ends the call with it.
	PreWriteCallPlugin interface {
		plugin.Plugin
		PreWriteCall(WriteCtx) *message.Status
	}
	// PostWriteCallPlugin is called when a CALL was queued.
	PostWriteCallPlugin interface {
		plugin.Plugin
		PostWriteCall(WriteCtx) *message.Status
	}
	// PreWriteReplyPlugin is called before a REPLY is written; a failed status
	// is sent in its place.
	PreWriteReplyPlugin interface {
		plugin.Plugin
		PreWriteReply(WriteCtx) *message.Status
	}
	// PostWriteReplyPlugin is called when a REPLY was queued.
	PostWriteReplyPlugin interface {
		plugin.Plugin
		PostWriteReply(WriteCtx) *message.Status
	}
	// PreWritePushPlugin is called before a PUSH is written; a failed status
	// ends the push with it.
	PreWritePushPlugin interface {
		plugin.Plugin
		PreWritePush(WriteCtx) *message.Status
	}
	// PostWritePushPlugin is called when a PUSH was queued.
	PostWritePushPlugin interface {
		plugin.Plugin
		PostWritePush(WriteCtx) *message.Status
	}
	// PreReadHeaderPlugin is called when there is something to read, before the
	// header is read. An error ends the connection.
	PreReadHeaderPlugin interface {
		plugin.Plugin
		PreReadHeader(PreCtx) error
	}
	// PostReadCallHeaderPlugin is called before the handler of a CALL is
	// looked up; it may change the service method. A failed status is the
	// reply.
	PostReadCallHeaderPlugin interface {
		plugin.Plugin
		PostReadCallHeader(ReadCtx) *message.Status
	}
	// PreReadCallBodyPlugin is called before the body of a CALL is decoded. A
	// failed status is the reply.
	PreReadCallBodyPlugin interface {
		plugin.Plugin
		PreReadCallBody(ReadCtx) *message.Status
	}
	// PostReadCallBodyPlugin is called before the handler of a CALL. A failed
	// status is the reply.
	PostReadCallBodyPlugin interface {
		plugin.Plugin
		PostReadCallBody(ReadCtx) *message.Status
	}
	// PostReadPushHeaderPlugin is PostReadCallHeaderPlugin for a PUSH. A failed
	// status drops the push.
	PostReadPushHeaderPlugin interface {
		plugin.Plugin
		PostReadPushHeader(ReadCtx) *message.Status
	}
	// PreReadPushBodyPlugin is PreReadCallBodyPlugin for a PUSH. A failed status
	// drops the push.
	PreReadPushBodyPlugin interface {
		plugin.Plugin
		PreReadPushBody(ReadCtx) *message.Status
	}
	// PostReadPushBodyPlugin is PostReadCallBodyPlugin for a PUSH. A failed status
	// drops the push.
	PostReadPushBodyPlugin interface {
		plugin.Plugin
		PostReadPushBody(ReadCtx) *message.Status
	}
	// PostHandlePlugin is called once for each CALL or PUSH that reached the
	// header hooks, whatever its outcome, after its handling has ended and its
	// reply was written. It can't stop anything, so it returns nothing, and the
	// hooks of all plugins are called.
	PostHandlePlugin interface {
		plugin.Plugin
		PostHandle(ReadCtx)
	}
	// PostReadReplyHeaderPlugin is called before the body of a REPLY is
	// decoded. A failed status is the outcome of the call.
	PostReadReplyHeaderPlugin interface {
		plugin.Plugin
		PostReadReplyHeader(ReadCtx) *message.Status
	}
	// PreReadReplyBodyPlugin is called after PostReadReplyHeaderPlugin. A failed
	// status is the outcome of the call.
	PreReadReplyBodyPlugin interface {
		plugin.Plugin
		PreReadReplyBody(ReadCtx) *message.Status
	}
	// PostReadReplyBodyPlugin is called when the body of a successful REPLY was
	// decoded. A failed status is the outcome of the call.
	PostReadReplyBodyPlugin interface {
		plugin.Plugin
		PostReadReplyBody(ReadCtx) *message.Status
	}
	// PostOpenPlugin is called when a session was opened, or opened again by a
	// redial, and its messages are read. Use it to make the first call, to log in
	// again or to subscribe. Dial waits for it; messages don't.
	PostOpenPlugin interface {
		plugin.Plugin
		PostOpen(sess Session, isRedial bool)
	}
	// PreSendMessagePlugin is called before a message of a stream is encoded, at
	// either end. A failed status is what Send returns; the message is not sent.
	PreSendMessagePlugin interface {
		plugin.Plugin
		PreSendMessage(StreamCtx) *message.Status
	}
	// PreRecvMessagePlugin is called when the program takes a message of a stream,
	// before it is decoded. A failed status ends the stream.
	PreRecvMessagePlugin interface {
		plugin.Plugin
		PreRecvMessage(StreamCtx) *message.Status
	}
	// PostEndStreamPlugin is called once for each stream whose PreWriteCall or
	// PostReadCallHeader hooks ran, whatever has ended it or kept it from being opened.
	// On the side of the handler it is called when the handler has returned, after
	// PostHandle. On the side of the opener a goroutine of its own calls it, after the
	// hooks of the reply. It can't stop anything, so it returns nothing, and the hooks
	// of all plugins are called.
	PostEndStreamPlugin interface {
		plugin.Plugin
		PostEndStream(StreamEndCtx)
	}
	// PostDisconnectPlugin is called once when a session has ended. If a connect
	// hook refused the session, only the plugins before that one are called. Its
	// status is only logged.
	PostDisconnectPlugin interface {
		plugin.Plugin
		PostDisconnect(Base) *message.Status
	}
)

// Hooks are plugins sorted by phase, so that the hot path neither asserts types
// nor visits plugins without a hook of the phase. The zero value has none.
type Hooks struct {
	all      []plugin.Plugin
	failures logging.Throttle // of lines about hooks that failed: strangers open sessions and end them

	postDial            []PostDialPlugin
	postAccept          []PostAcceptPlugin
	postOpen            []PostOpenPlugin
	preWriteCall        []PreWriteCallPlugin
	postWriteCall       []PostWriteCallPlugin
	preWriteReply       []PreWriteReplyPlugin
	postWriteReply      []PostWriteReplyPlugin
	preWritePush        []PreWritePushPlugin
	postWritePush       []PostWritePushPlugin
	preReadHeader       []PreReadHeaderPlugin
	postReadCallHeader  []PostReadCallHeaderPlugin
	preReadCallBody     []PreReadCallBodyPlugin
	postReadCallBody    []PostReadCallBodyPlugin
	postReadPushHeader  []PostReadPushHeaderPlugin
	preReadPushBody     []PreReadPushBodyPlugin
	postReadPushBody    []PostReadPushBodyPlugin
	routeCallHeader     []PostReadCallHeaderPlugin // of a route's own plugins
	routePushHeader     []PostReadPushHeaderPlugin
	postHandle          []PostHandlePlugin
	postReadReplyHeader []PostReadReplyHeaderPlugin
	preReadReplyBody    []PreReadReplyBodyPlugin
	postReadReplyBody   []PostReadReplyBodyPlugin
	preSendMessage      []PreSendMessagePlugin
	preRecvMessage      []PreRecvMessagePlugin
	postEndStream       []PostEndStreamPlugin
}

// NewHooks returns the session hooks of plugins.
func NewHooks(all []plugin.Plugin) *Hooks {
	return &Hooks{
		all:                 all,
		failures:            logging.Throttle{Lines: maxErrorLines},
		postDial:            plugin.Of[PostDialPlugin](all),
		postAccept:          plugin.Of[PostAcceptPlugin](all),
		postOpen:            plugin.Of[PostOpenPlugin](all),
		preWriteCall:        plugin.Of[PreWriteCallPlugin](all),
		postWriteCall:       plugin.Of[PostWriteCallPlugin](all),
		preWriteReply:       plugin.Of[PreWriteReplyPlugin](all),
		postWriteReply:      plugin.Of[PostWriteReplyPlugin](all),
		preWritePush:        plugin.Of[PreWritePushPlugin](all),
		postWritePush:       plugin.Of[PostWritePushPlugin](all),
		preReadHeader:       plugin.Of[PreReadHeaderPlugin](all),
		postReadCallHeader:  plugin.Of[PostReadCallHeaderPlugin](all),
		preReadCallBody:     plugin.Of[PreReadCallBodyPlugin](all),
		postReadCallBody:    plugin.Of[PostReadCallBodyPlugin](all),
		postReadPushHeader:  plugin.Of[PostReadPushHeaderPlugin](all),
		preReadPushBody:     plugin.Of[PreReadPushBodyPlugin](all),
		postReadPushBody:    plugin.Of[PostReadPushBodyPlugin](all),
		postHandle:          plugin.Of[PostHandlePlugin](all),
		postReadReplyHeader: plugin.Of[PostReadReplyHeaderPlugin](all),
		preReadReplyBody:    plugin.Of[PreReadReplyBodyPlugin](all),
		postReadReplyBody:   plugin.Of[PostReadReplyBodyPlugin](all),
		preSendMessage:      plugin.Of[PreSendMessagePlugin](all),
		preRecvMessage:      plugin.Of[PreRecvMessagePlugin](all),
		postEndStream:       plugin.Of[PostEndStreamPlugin](all),
	}
}

// NewRouteHooks returns the hooks of a route: those of all plugins around its
// handler, and the header hooks of its own plugins, which run once the route is
// known.
func NewRouteHooks(all, own []plugin.Plugin) *Hooks {
	h := NewHooks(all)
	h.routeCallHeader = plugin.Of[PostReadCallHeaderPlugin](own)
	h.routePushHeader = plugin.Of[PostReadPushHeaderPlugin](own)
	return h
}

// routeHooks are the hooks that a route can have, peerHooks those that only a peer
// can have: they run before a route is known, or are not about one.
var (
	routeHooks = []reflect.Type{
		reflect.TypeFor[PostReadCallHeaderPlugin](), reflect.TypeFor[PreReadCallBodyPlugin](), reflect.TypeFor[PostReadCallBodyPlugin](),
		reflect.TypeFor[PostReadPushHeaderPlugin](), reflect.TypeFor[PreReadPushBodyPlugin](), reflect.TypeFor[PostReadPushBodyPlugin](),
		reflect.TypeFor[PreWriteReplyPlugin](), reflect.TypeFor[PostWriteReplyPlugin](), reflect.TypeFor[PostHandlePlugin](),
		reflect.TypeFor[PreSendMessagePlugin](), reflect.TypeFor[PreRecvMessagePlugin](), reflect.TypeFor[PostEndStreamPlugin](),
	}
	peerHooks = []reflect.Type{
		reflect.TypeFor[PostDialPlugin](), reflect.TypeFor[PostAcceptPlugin](), reflect.TypeFor[PostOpenPlugin](), reflect.TypeFor[PostDisconnectPlugin](),
		reflect.TypeFor[PreWriteCallPlugin](), reflect.TypeFor[PostWriteCallPlugin](),
		reflect.TypeFor[PreWritePushPlugin](), reflect.TypeFor[PostWritePushPlugin](), reflect.TypeFor[PreReadHeaderPlugin](),
		reflect.TypeFor[PostReadReplyHeaderPlugin](), reflect.TypeFor[PreReadReplyBodyPlugin](), reflect.TypeFor[PostReadReplyBodyPlugin](),
	}
)

// HookTypes returns the interfaces of the hooks that a route can have, and of
// those that only a peer can.
func HookTypes() (route, peer []reflect.Type) {
	return slices.Clone(routeHooks), slices.Clone(peerHooks)
}

// run calls each hook until one fails. do is a method expression, such as
// PostAcceptPlugin.PostAccept.
func run[H, A any](hooks []H, do func(H, A) *message.Status, arg A) *message.Status {
	for _, h := range hooks {
		if st := do(h, arg); !st.OK() {
			return st
		}
	}
	return nil
}

// connect calls the connect hooks. If one fails or panics and undo is set, it
// calls the disconnect hooks of the plugins before it. undo is not set for a
// redial that failed, because the session has not ended yet.
func connect[H plugin.Plugin](h *Hooks, hooks []H, s Base, undo bool, do func(H) *message.Status) *message.Status {
	for _, hook := range hooks {
		st := guarded("plugin "+hook.Name(), func() *message.Status { return do(hook) })
		if !st.OK() {
			if undo {
				h.disconnect(s, hook)
			}
			return st
		}
	}
	return nil
}

// opened calls the hooks of a session that is open.
func (h *Hooks) opened(s Session, isRedial bool) {
	for _, hook := range h.postOpen {
		st := guarded("plugin "+hook.Name(), func() *message.Status {
			hook.PostOpen(s, isRedial)
			return nil
		})
		if !st.OK() {
			h.failed(s, slog.LevelError, "open hook failed", hook.Name(), st)
		}
	}
}

// disconnect calls the disconnect hooks of the plugins before until, or of all
// plugins if until is nil.
func (h *Hooks) disconnect(s Base, until plugin.Plugin) {
	for _, p := range h.all {
		if until != nil && p.Name() == until.Name() {
			return
		}
		if d, ok := p.(PostDisconnectPlugin); ok {
			st := guarded("plugin "+p.Name(), func() *message.Status { return d.PostDisconnect(s) })
			if !st.OK() {
				h.failed(s, slog.LevelWarn, "disconnect hook failed", p.Name(), st)
			}
		}
	}
}

// onReply reports whether there are hooks for replies.
func (h *Hooks) onReply() bool {
	return h.postReadReplyHeader != nil || h.preReadReplyBody != nil || h.postReadReplyBody != nil
}

// reply runs the hooks of a reply of the other side around its decoding.
func (h *Hooks) reply(x ReadCtx, decode func() *message.Status) *message.Status {
	if st := run(h.postReadReplyHeader, PostReadReplyHeaderPlugin.PostReadReplyHeader, x); !st.OK() {
		return st
	}
	if st := run(h.preReadReplyBody, PreReadReplyBodyPlugin.PreReadReplyBody, x); !st.OK() {
		return st
	}
	if st := decode(); !st.OK() {
		return st
	}
	return run(h.postReadReplyBody, PostReadReplyBodyPlugin.PostReadReplyBody, x)
}

// failed logs that a hook of a plugin has failed, or counts it.
func (h *Hooks) failed(s Base, level slog.Level, text, plugin string, st *message.Status) {
	if missed, ok := h.failures.Allow(time.Now()); ok {
		s.Log(level, text, slog.String("plugin", plugin), statusAttr(st), slog.Int("left_out", missed))
	}
}
