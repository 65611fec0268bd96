package protobuf

import (
	"context"
	"errors"
	"iter"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// Version1 is there for generated code to refer to. A program whose generated code
// is newer than this module does not compile, instead of failing at run time.
const Version1 = true

// A Caller is what a generated client calls through: a session, a pool of them, a
// target of plugin/retry. A client whose service has pushes needs the method of
// [erpc.Pusher] too, one with streams that of [erpc.StreamOpener]; a
// Caller without them fails these methods with CodeInvalidOp.
type Caller = erpc.CallMaker

// A Broadcaster pushes to many sessions: a peer, or what [Members] returns.
type Broadcaster interface {
	Broadcast(serviceMethod string, arg any, setting ...erpc.MessageSetting) (sent int, failed map[string]*erpc.Status)
}

// Members returns the broadcaster to the members of a group, but for those in
// except.
func Members(g erpc.Group, except ...erpc.Session) Broadcaster { return members{g, except} }

type members struct {
	group  erpc.Group
	except []erpc.Session
}

// Broadcast implements [Broadcaster].
func (m members) Broadcast(serviceMethod string, arg any, setting ...erpc.MessageSetting) (sent int, failed map[string]*erpc.Status) {
	return m.group.Broadcast(serviceMethod, arg, m.except, setting...)
}

// A Client is what the clients of all services have in common. It may be used
// concurrently if its Caller may.
type Client struct {
	to       Caller
	settings []erpc.MessageSetting
}

// NewClient returns a client whose bodies are protobuf, unless the settings, which
// apply to each message, choose another codec.
func NewClient(to Caller, settings ...erpc.MessageSetting) Client {
	return Client{to, append([]erpc.MessageSetting{erpc.WithBodyCodec(codec.ID_PROTOBUF)}, settings...)}
}

// with returns the settings of one message. It never writes to those of the client,
// which others read.
func (c Client) with(more []erpc.MessageSetting) []erpc.MessageSetting {
	return slices.Concat(c.settings, more)
}

// Call calls a method and returns its result. It ends with ctx. A failed status
// comes back as a [*erpc.StatusError].
func Call[R any](ctx context.Context, c Client, method string, in proto.Message, settings []erpc.MessageSetting) (*R, error) {
	return erpc.Call[R](ctx, c.to, method, in, c.with(settings)...)
}

// Push pushes to a method. Success means that the message was queued.
func Push(ctx context.Context, c Client, method string, in proto.Message, settings []erpc.MessageSetting) error {
	to, ok := c.to.(erpc.Pusher)
	if !ok {
		return unable("push")
	}
	return to.Push(method, in, slices.Concat([]erpc.MessageSetting{erpc.WithContext(ctx)}, c.settings, settings)...).Err()
}

// Subscribe opens a stream, sends in as its only message and yields what the
// handler sends. See [erpc.Subscribe].
func Subscribe[R, A any](ctx context.Context, c Client, method string, in *A, settings []erpc.MessageSetting) iter.Seq2[*R, error] {
	to, ok := c.to.(erpc.StreamOpener)
	if !ok {
		return func(yield func(*R, error) bool) { yield(nil, unable("open streams")) }
	}
	return erpc.Subscribe[R](ctx, to, method, in, c.with(settings)...)
}

// Open opens a stream. See [erpc.OpenStream].
func Open[Out, In any](ctx context.Context, c Client, method string, settings []erpc.MessageSetting) (*erpc.Stream[In, Out], error) {
	to, ok := c.to.(erpc.StreamOpener)
	if !ok {
		return nil, unable("open streams")
	}
	return erpc.OpenStream[Out, In](ctx, to, method, c.with(settings)...)
}

// Broadcast pushes in to many sessions. See [erpc.Peer].
func Broadcast(to Broadcaster, method string, in proto.Message, settings []erpc.MessageSetting) (sent int, failed map[string]*erpc.Status) {
	return to.Broadcast(method, in, NewClient(nil, settings...).settings...)
}

// unable is the error of a caller that lacks a method.
func unable(to string) error {
	return erpc.NewStatusByCodeText(erpc.CodeInvalidOp, errors.New("protobuf: the caller of this client can not "+to+"; give it a session"), false).Err()
}
