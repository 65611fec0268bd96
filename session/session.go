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
	// ID returns the name of the session in its peer: at first the remote
	// address of an accepted one, the local address of a dialed one, with a
	// number behind it where another session has that name.
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

// A CallMaker makes calls: any [Caller], or what chooses one for each call, as a
// target of plugin/retry does.
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
	// AsyncCall is Call without the wait. done, which may be nil, gets the
	// command when the call has ended; it should have room. arg must stay as
	// it is until then: a call that is sent again is encoded again.
	AsyncCall(serviceMethod string, arg, result any, done chan<- *CallCmd, setting ...message.Setting) *CallCmd
}

// Ages are the limits in time of a session; 0 is none.
type Ages interface {
	SessionAge() time.Duration
	// ContextAge bounds each call and push, from either side.
	ContextAge() time.Duration
	SetSessionAge(time.Duration)
	SetContextAge(time.Duration)
}

// Life is the end of a session.
type Life interface {
	// Health reports whether the session can be used, now or when its redial
	// succeeds.
	Health() bool
	// Connected reports whether the session has a connection now. While it
	// redials, calls wait.
	Connected() bool
	// Changed is closed at the next change of Connected or Health. To miss none,
	// get the channel before you look at these.
	Changed() <-chan struct{}
	// CloseNotify is closed when the session has ended: for good, or because no
	// redial has succeeded. After that, the next call or push tries again; if it
	// succeeds, another CloseNotify is open.
	CloseNotify() <-chan struct{}
	// Close ends the session and the calls that wait on it. It waits for
	// nothing, so it may be called anywhere; the second time it does nothing.
	Close() error
	// CloseWith is Close that tells the other side why, and whether to come back:
	// its session ends with a [ClosedError], and unless reconnect is set does not
	// redial. Over a WebSocket the close frame says it. Elsewhere the other side must
	// be known to be erpc, which it is when a call with a timeout or a context that
	// can end has been made, by either side: another one sees only the end of the
	// connection. The disconnect hooks of this side run before it returns.
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
	// SetID renames the session. It takes the name from the session that has
	// it, which ends.
	SetID(id string)
	// Flush returns once the connection has taken what was queued before, such as
	// pushes, or with the reason why it does not: the end of the connection, or of
	// ctx. What it has taken is not lost by a Close that follows.
	Flush(ctx context.Context) error
	// Stats returns the counters of the current connection.
	Stats() Stats
}

// A PreSession is a session in its connect hooks, before its messages are
// read: the place for a handshake. The methods that send and receive must not
// be used after the hook has returned, nor concurrently.
type PreSession interface {
	Base
	Ages
	Early
	// SetID is that of [Session].
	SetID(id string)
	// NetConn returns the connection, to look at what its transport tells. It
	// must not be read from or written to.
	NetConn() net.Conn
	// AnswersInOrder reports whether the protocol lets the other side read a
	// message only when it has answered the one before, as HTTP/1.1 does.
	AnswersInOrder() bool
	// ControlFD calls f with the file descriptor of the connection.
	ControlFD(f func(fd uintptr)) error
	// ModifySocket replaces the connection, the protocol, or both; a nil
	// leaves what was. Bytes read ahead are lost with the connection they came
	// from, so the side that received the last message before the change must
	// be the first to speak after it.
	ModifySocket(f func(nc net.Conn) (modifiedConn net.Conn, newProtoFunc proto.Func))
	// GetProtoFunc returns the function that made the protocol.
	GetProtoFunc() proto.Func
	// Close refuses the session.
	Close() error
}

// Early sends and receives messages before a session is open. No hooks run.
type Early interface {
	// PreSend sends a message of any type; that of a reply may name a method
	// too, for the other side's PreReceive. A status that failed is sent in
	// place of the body.
	PreSend(mtype byte, serviceMethod string, body any, stat *message.Status, setting ...message.Setting) *message.Status
	// PreReceive waits for the next message; its status is that of the
	// waiting, or the one received. It waits no longer than the context, the
	// context age and the handshake limit of the peer allow.
	PreReceive(newArgs message.NewBodyFunc, ctx ...context.Context) *message.Message
	// PreCall sends a CALL and waits for its reply, which must be the next
	// message to arrive.
	PreCall(serviceMethod string, arg, reply any, setting ...message.Setting) *message.Status
	// PreReply answers req under its method.
	PreReply(req *message.Message, body any, stat *message.Status, setting ...message.Setting) *message.Status
	// RawPush sends a PUSH; the other side handles it when it is open.
	RawPush(serviceMethod string, arg any, setting ...message.Setting) *message.Status
}

// A Peer is what a session shows of its owner to handlers and plugins.
type Peer interface {
	CountSession() int
	GetSession(id string) (Session, bool)
	// RangeSession calls fn for each session until it returns false.
	RangeSession(fn func(Session) bool)
	// Broadcast pushes to every session; see the peer's own documentation.
	Broadcast(serviceMethod string, arg any, setting ...message.Setting) (sent int, failed map[string]*message.Status)
	Close() error
}

// Logger are the leveled, formatted logging functions of everything that
// handlers and plugins get. While their level is off they format nothing and
// allocate nothing, but for what Go itself makes of an argument that is neither
// a pointer nor a constant.
//
// Each line says which session it is about and, in a handler or a hook of a message,
// which method; a handler of slog gets the context of that.
type Logger interface {
	ChatLogger
	AlarmLogger
	// Log writes a line with attributes, in the shape of those that erpc writes: a
	// status is best given as slog.Any("status", st), any other error under "err".
	Log(level slog.Level, msg string, attrs ...slog.Attr)
}

// ChatLogger is the quiet half of [Logger].
type ChatLogger interface {
	Printf(format string, args ...any)
	Tracef(format string, args ...any)
	Debugf(format string, args ...any)
	Infof(format string, args ...any)
	Noticef(format string, args ...any)
}

// AlarmLogger is the loud half of [Logger]. Panicf and Fatalf log and panic;
// nothing exits the process.
type AlarmLogger interface {
	Warnf(format string, args ...any)
	Errorf(format string, args ...any)
	Criticalf(format string, args ...any)
	Panicf(format string, args ...any)
	Fatalf(format string, args ...any)
}
