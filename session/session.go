package session

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// Info describes a session. It is safe to use in every phase of its life, and
// after it.
type Info interface {
	// ID returns the name of the session in its peer. Initially it is the remote
	// address of an accepted session or the local address of a dialed one, with a
	// number appended if another session has that name.
	ID() string
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
	// Peer returns the peer that the session belongs to.
	Peer() Peer
	// Swap returns the store of the session: values for its whole life.
	Swap() *Swap
}

// Base is a session as a disconnect hook sees it.
type Base interface {
	Info
	Logger
	// Err returns why the session has ended, or is lost; nil if it was closed on
	// this side or has not ended. If the other side has closed it with a reason,
	// that is a [ClosedError], which errors.As finds.
	Err() error
}

// A CallMaker makes calls: any [Caller], or a value that chooses one for each
// call, such as a target of plugin/retry.
type CallMaker interface {
	// Call sends arg to serviceMethod and waits for the reply, which is
	// decoded into result. It ends with the reply, the context of the
	// settings, or the session, whichever comes first.
	Call(serviceMethod string, arg, result any, setting ...message.Setting) *CallCmd
}

// A Pusher sends pushes: any [Caller].
type Pusher interface {
	// Push sends arg to serviceMethod; there is no reply. Success means that
	// it was queued.
	Push(serviceMethod string, arg any, setting ...message.Setting) *message.Status
}

// A Caller can start exchanges with the remote peer.
type Caller interface {
	CallMaker
	Pusher
	// AsyncCall is Call without the wait. done, which may be nil, receives the
	// command when the call has ended, and should have room for it. arg must not
	// change until then, because a call that is sent again is encoded again.
	AsyncCall(serviceMethod string, arg, result any, done chan<- *CallCmd, setting ...message.Setting) *CallCmd
}

// Ages are the time limits of a session; 0 is no limit.
type Ages interface {
	SessionAge() time.Duration
	// ContextAge bounds each call and push, from either side.
	ContextAge() time.Duration
	SetSessionAge(time.Duration)
	SetContextAge(time.Duration)
}

// Life is whether a session is usable, and its end.
type Life interface {
	// Health reports whether the session can be used, now or when its redial
	// succeeds.
	Health() bool
	// Connected reports whether the session has a connection now. While it
	// redials, calls wait.
	Connected() bool
	// Changed is closed at the next change of Connected or Health. To miss no
	// change, get the channel before you call these.
	Changed() <-chan struct{}
	// CloseNotify is closed when the session has ended, for good or because no
	// redial has succeeded. In the latter case the next call or push tries again;
	// if it succeeds, CloseNotify returns a new channel.
	CloseNotify() <-chan struct{}
	// Close ends the session and the calls that wait on it. It does not block, so
	// it may be called anywhere. A second call does nothing.
	Close() error
	// CloseWith is Close that tells the other side why, and whether to reconnect: the
	// session there ends with a [ClosedError], and does not redial unless reconnect
	// is set. Over a WebSocket the close frame carries this. Over other transports
	// only a side that is known to be erpc is told, which it is once either side has
	// made a call with a timeout or a context that can end; any other side sees only
	// the end of the connection. The disconnect hooks of this side run before
	// CloseWith returns.
	CloseWith(st *message.Status, reconnect bool) error
}

// A Session is an established conversation. All methods may be called
// concurrently.
type Session interface {
	Base
	Caller
	Ages
	Life
	// OpenStream opens a stream to the handler of streams at serviceMethod; see
	// [Engine.OpenStream]. [OpenStream] is the typed form.
	OpenStream(ctx context.Context, serviceMethod string, settings ...message.Setting) (*Stream, *message.Status)
	// SetID renames the session. Another session that has the name ends.
	SetID(id string)
	// Flush waits until the connection has taken all messages queued before, such
	// as pushes, and over TCP on Linux until the system of the other side has
	// acknowledged them. It fails if the connection or ctx ends first. Messages
	// that were taken are not lost by a Close that follows, as far as the limits
	// of the transport allow.
	Flush(ctx context.Context) error
	// Stats returns the counters of the current connection.
	Stats() Stats
}

// A PreSession is a session in its connect hooks, before its messages are read.
// Hooks use it for a handshake. The methods that send and receive must not be used
// concurrently, nor after the hook has returned.
type PreSession interface {
	Base
	Ages
	Early
	// SetID is as in [Session].
	SetID(id string)
	// NetConn returns the connection, to inspect its transport. It must not be
	// read from or written to.
	NetConn() net.Conn
	// AnswersInOrder reports whether the protocol requires each message to be
	// answered before the next is read, as HTTP/1.1 does.
	AnswersInOrder() bool
	// ControlFD calls f with the file descriptor of the connection.
	ControlFD(f func(fd uintptr)) error
	// ModifySocket replaces the connection, the protocol, or both; a nil result
	// keeps the current one. Bytes that were read ahead are lost with the old
	// connection, so the side that received the last message before the change
	// must be the first to send after it.
	ModifySocket(f func(nc net.Conn) (modifiedConn net.Conn, newProtoFunc proto.Func))
	// GetProtoFunc returns the function that made the protocol.
	GetProtoFunc() proto.Func
	// Close refuses the session.
	Close() error
}

// Early sends and receives messages before a session is open. No hooks run.
type Early interface {
	// PreSend sends a message of any type. A reply may name a method too, for the
	// other side's PreReceive. A failed status is sent instead of the body.
	PreSend(mtype byte, serviceMethod string, body any, stat *message.Status, setting ...message.Setting) *message.Status
	// PreReceive waits for the next message. The status of the message says
	// whether the wait failed, or is the one received. The context, the context
	// age and the handshake limit of the peer bound the wait.
	PreReceive(newArgs message.NewBodyFunc, ctx ...context.Context) *message.Message
	// PreCall sends a CALL and waits for its reply, which must be the next
	// message to arrive.
	PreCall(serviceMethod string, arg, reply any, setting ...message.Setting) *message.Status
	// PreReply answers req, with its method.
	PreReply(req *message.Message, body any, stat *message.Status, setting ...message.Setting) *message.Status
	// RawPush sends a PUSH, which the other side handles when its session is open.
	RawPush(serviceMethod string, arg any, setting ...message.Setting) *message.Status
}

// A Peer is the owner of a session as handlers and plugins see it.
type Peer interface {
	CountSession() int
	GetSession(id string) (Session, bool)
	// RangeSession calls fn for each session until it returns false.
	RangeSession(fn func(Session) bool)
	// Broadcast pushes to every session; see Broadcast of the peer.
	Broadcast(serviceMethod string, arg any, setting ...message.Setting) (sent int, failed map[string]*message.Status)
	Close() error
}

// Logger has the leveled, formatted logging methods of the contexts, sessions and
// peers that handlers and plugins get. While their level is off they format and
// allocate nothing, except that Go allocates for an argument that is neither a
// pointer nor a constant.
//
// Each line has the id of its session and, in a handler or a hook of a message, the
// method; slog handlers get the context of the message.
type Logger interface {
	ChatLogger
	AlarmLogger
	// Log writes a line with attributes. To match the lines of erpc, pass a status
	// as slog.Any("status", st), and any other error under "err".
	Log(level slog.Level, msg string, attrs ...slog.Attr)
}

// ChatLogger has the methods of [Logger] for the lower levels.
type ChatLogger interface {
	Printf(format string, args ...any)
	Tracef(format string, args ...any)
	Debugf(format string, args ...any)
	Infof(format string, args ...any)
	Noticef(format string, args ...any)
}

// AlarmLogger has the methods of [Logger] for the higher levels. Panicf and Fatalf
// log and panic; neither exits the process.
type AlarmLogger interface {
	Warnf(format string, args ...any)
	Errorf(format string, args ...any)
	Criticalf(format string, args ...any)
	Panicf(format string, args ...any)
	Fatalf(format string, args ...any)
}
