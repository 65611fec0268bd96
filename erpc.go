package erpc

import (
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/plugin"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/xfer"
)

// Peers and sessions.
type (
	// A Peer is one node, client and server at once. See [peer.Peer].
	Peer = *peer.Peer
	// EarlyPeer is a peer that was just created, as PostNewPeer hooks see it.
	EarlyPeer = *peer.Peer
	// PeerConfig configures a peer; its zero value works. See [peer.Config].
	PeerConfig = peer.Config
	// A Session is an established conversation. See [session.Session].
	Session = session.Session
	// CtxSession is a session as a handler's context gives it.
	CtxSession = session.Session
	// A PreSession is a session in its connect hooks. See [session.PreSession].
	PreSession = session.PreSession
	// A BaseSession is a session in its disconnect hook. See [session.Base].
	BaseSession = session.Base
	// A CallCmd is a call in flight. See [session.CallCmd].
	CallCmd = *session.CallCmd
	// A Batch is sent in one write. See [session.Batch].
	Batch = session.Batch
	// A BatchEntry is one call or push of a batch. See [session.BatchEntry].
	BatchEntry = session.BatchEntry
	// PeerStats holds the counters of a peer. See [peer.Stats].
	PeerStats = peer.Stats
	// A Map is the store of a session or context. See [session.Swap].
	Map = *session.Swap
	// Logger has the leveled logging functions. See [session.Logger].
	Logger = session.Logger
)

// Messages.
type (
	// A Message is the unit that is sent over a connection. See [message.Message].
	Message = *message.Message
	// A Header is the first part of a message. See [message.Header].
	Header = *message.Header
	// Meta is metadata. See [message.Meta].
	Meta = message.Meta
	// A Status is the outcome of a call or push; nil is success. See
	// [message.Status].
	Status = message.Status
	// A StatusError is a failed status inside an error. See
	// [message.StatusError].
	StatusError = message.StatusError
	// A ClosedError is the error of a session that the other side closed with a
	// reason. See [session.ClosedError].
	ClosedError = session.ClosedError
	// A MessageSetting adjusts an outgoing message. See [message.Setting].
	MessageSetting = message.Setting
	// NewBodyFunc makes the value that a body is decoded into. See
	// [message.NewBodyFunc].
	NewBodyFunc = message.NewBodyFunc
)

// Handlers and their contexts.
type (
	// PreCtx is common to all contexts. See [session.PreCtx].
	PreCtx = session.PreCtx
	// A ReadCtx is what a read hook sees. See [session.ReadCtx].
	ReadCtx = session.ReadCtx
	// A StreamCtx is what a hook for the messages of a stream sees. See
	// [session.StreamCtx].
	StreamCtx = session.StreamCtx
	// A StreamEndCtx is what a hook for the end of a stream sees. See
	// [session.StreamEndCtx].
	StreamEndCtx = session.StreamEndCtx
	// A WriteCtx is what a write hook sees. See [session.WriteCtx].
	WriteCtx = session.WriteCtx
	// A CallCtx is embedded by, or passed to, a handler of calls. See
	// [session.CallCtx].
	CallCtx = session.CallCtx
	// A PushCtx is embedded by, or passed to, a handler of pushes. See
	// [session.PushCtx].
	PushCtx = session.PushCtx
	// An UnknownCallCtx is passed to the handler of unknown calls. See
	// [session.UnknownCallCtx].
	UnknownCallCtx = session.UnknownCallCtx
	// An UnknownPushCtx is passed to the handler of unknown pushes. See
	// [session.UnknownPushCtx].
	UnknownPushCtx = session.UnknownPushCtx
	// A Handler is what a service method resolves to. See [session.Handler].
	Handler = session.Handler
	// A Router is the set of a peer's handlers. See [router.Router].
	Router = router.Router
	// A SubRouter registers handlers below a prefix. See [router.SubRouter].
	SubRouter = router.SubRouter
	// A ServiceMethodMapper derives service methods from Go names. See
	// [router.ServiceMethodMapper].
	ServiceMethodMapper = router.ServiceMethodMapper
)

// Parts that can be replaced.
type (
	// A Plugin has a name and at least one hook. See [plugin.Plugin].
	Plugin = plugin.Plugin
	// A PluginContainer is an ordered set of plugins. See [plugin.Container].
	PluginContainer = plugin.Container
	// A Proto is a wire format. See [proto.Proto].
	Proto = proto.Proto
	// A ProtoFunc makes the wire format of a connection. See [proto.Func].
	ProtoFunc = proto.Func
	// A Codec encodes bodies. See [codec.Codec].
	Codec = codec.Codec
	// An XferFilter transforms messages. See [xfer.XferFilter].
	XferFilter = xfer.XferFilter
	// A Transport makes connections. See [socket.Transport].
	Transport = socket.Transport
	// A CustomTransport is a transport made of functions. See [socket.Custom].
	CustomTransport = socket.Custom
	// A QueuePolicy is what pushes do when a queue is full. See
	// [socket.Policy].
	QueuePolicy = socket.Policy
)
