// Package track observes the beginning and the end of calls and pushes, on both
// sides, for plugins that measure them.
package track

import (
	"context"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/heartbeat"
)

// A Kind is the kind of an operation that is measured.
type Kind int

// The kinds.
const (
	Call          Kind = iota // made by this side, until the reply
	Push                      // made by this side; it has no duration
	HandledCall               // made by the other side, from its header to the end of its handling
	HandledPush               // likewise
	numberOfKinds int  = iota
)

var kindNames = [numberOfKinds]string{"call", "push", "handled_call", "handled_push"}

// Handled reports whether the other side made the operation.
func (k Kind) Handled() bool { return k == HandledCall || k == HandledPush }

// String returns the name.
func (k Kind) String() string { return kindNames[k] }

// Other is the method of operations that are not counted by name.
const Other = "_OTHER"

// An Op is a call or push that has begun.
type Op struct {
	Kind    Kind
	Method  string // one of a bounded set of names, or Other
	Name    string // the method as it was sent, bounded in length
	Begin   time.Time
	Context context.Context // Begin of the Observer may replace it by a derived context
	Session erpc.CtxSession
	Data    any // for the Observer's use
	Stream  bool
	// Messages counts the messages of a stream that has ended.
	Messages Messages

	once sync.Once
	stop func() bool // stops waiting for the end of a call's context; may be nil
}

// An Observer measures operations. Its methods must be safe for concurrent use.
type Observer interface {
	// Begin is called when op begins, with its metadata. It may change the
	// metadata of an outgoing message but not of a received one, and may set op's
	// Context and Data.
	Begin(op *Op, meta *erpc.Meta)
	// Again is called with the metadata of a call that is sent again.
	Again(op *Op, meta *erpc.Meta)
	// End is called once for each op, except for a call that gets no reply and
	// whose context never ends.
	End(op *Op, st *erpc.Status)
}

// Messages counts the messages of a stream.
type Messages struct{ Sent, Received uint64 }

// A Tracker implements the hooks of a plugin. It must not be copied.
type Tracker struct {
	Observer Observer
	// Filter reports whether to observe a method; nil means all but heartbeats.
	Filter func(method string) bool

	handled Names // registered
	called  Names // seen, as many as MaxNames
}

// MaxNames bounds how many called methods are counted by name, because the
// clients of a proxy choose what it calls. Handled methods are bounded by the
// registered ones.
const MaxNames = 1000

// maxName bounds the length of a name that is not registered, in bytes.
const maxName = 256

// key is the key of an exchange's *Op in its swap.
type key struct {
	t       *Tracker
	handled bool
}

func (t *Tracker) wants(method string) bool {
	if t.Filter != nil {
		return t.Filter(method)
	}
	return method != heartbeat.ServiceMethod
}

func (t *Tracker) begin(kind Kind, name, method string, ctx context.Context, sess erpc.CtxSession, meta *erpc.Meta, stream bool) *Op {
	op := &Op{Kind: kind, Method: method, Name: name[:min(len(name), maxName)], Begin: time.Now(), Context: ctx, Session: sess, Stream: stream}
	t.Observer.Begin(op, meta)
	return op
}

func (t *Tracker) end(op *Op, st *erpc.Status) {
	op.once.Do(func() { t.Observer.End(op, st) })
}

// PostReg learns the name of a handler.
func (t *Tracker) PostReg(h *erpc.Handler) error {
	if !h.IsUnknown() {
		t.handled.add(h.Name(), 0)
	}
	return nil
}

// PreWriteCall begins a call, or a stream.
func (t *Tracker) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	m := ctx.Output()
	name := m.ServiceMethod()
	if !t.wants(name) {
		return nil
	}
	if v, again := ctx.Swap().Load(key{t, false}); again {
		t.Observer.Again(v.(*Op), m.Meta())
		return nil
	}
	parent := m.Context()
	op := t.begin(Call, name, t.called.Of(name, MaxNames), parent, ctx.Session(), m.Meta(), m.Mtype() == erpc.TypeStreamOpen)
	if !op.Stream { // the end of a stream is always reported
		op.stop = context.AfterFunc(parent, func() { t.end(op, ended(parent)) })
	}
	ctx.Swap().Store(key{t, false}, op)
	return nil
}

// ended returns the status of a call whose context has ended.
func ended(ctx context.Context) *erpc.Status {
	code := erpc.CodeCanceled
	if ctx.Err() == context.DeadlineExceeded {
		code = erpc.CodeHandleTimeout
	}
	return erpc.NewStatusByCodeText(code, context.Cause(ctx), false)
}

// PostReadReplyHeader ends a call.
func (t *Tracker) PostReadReplyHeader(ctx erpc.ReadCtx) *erpc.Status {
	if v, ok := ctx.Swap().Load(key{t, false}); ok {
		op := v.(*Op)
		if op.Stream {
			return nil
		}
		op.stop()
		t.end(op, ctx.Input().Status())
	}
	return nil
}

// PostEndStream ends a stream, at either side.
func (t *Tracker) PostEndStream(ctx erpc.StreamEndCtx) {
	if v, ok := ctx.Swap().Load(key{t, !ctx.Opener()}); ok {
		op := v.(*Op)
		op.Messages.Sent, op.Messages.Received = ctx.Counts()
		t.end(op, ctx.Status())
	}
}

// PreWritePush begins and ends a push, which has no answer.
func (t *Tracker) PreWritePush(ctx erpc.WriteCtx) *erpc.Status {
	m := ctx.Output()
	if name := m.ServiceMethod(); t.wants(name) {
		t.end(t.begin(Push, name, t.called.Of(name, MaxNames), m.Context(), ctx.Session(), m.Meta(), false), nil)
	}
	return nil
}

// PostReadCallHeader begins the handling of a call.
func (t *Tracker) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status {
	t.handle(ctx, HandledCall)
	return nil
}

// PostReadPushHeader begins the handling of a push.
func (t *Tracker) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status {
	t.handle(ctx, HandledPush)
	return nil
}

func (t *Tracker) handle(ctx erpc.ReadCtx, kind Kind) {
	name := ctx.ServiceMethod()
	if !t.wants(name) {
		return
	}
	parent := ctx.Context()
	op := t.begin(kind, name, t.handled.Of(name, 0), parent, ctx.Session(), ctx.Input().Meta(), ctx.Input().Mtype() == erpc.TypeStreamOpen)
	ctx.Swap().Store(key{t, true}, op)
	if op.Context != parent {
		ctx.SetContext(op.Context)
	}
}

// PostHandle ends the handling of a call or push.
func (t *Tracker) PostHandle(ctx erpc.ReadCtx) {
	if v, ok := ctx.Swap().Load(key{t, true}); ok && !v.(*Op).Stream {
		t.end(v.(*Op), ctx.Status())
	}
}
