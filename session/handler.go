package session

import (
	"reflect"
	"sync/atomic"

	"github.com/goerpc/erpc/message"
)

// The kinds of handlers, as [Handler.RouterTypeName] returns them.
const (
	RouteCall          = "CALL"
	RoutePush          = "PUSH"
	RouteStream        = "STREAM"
	RouteUnknownCall   = "UNKNOWN_CALL"
	RouteUnknownPush   = "UNKNOWN_PUSH"
	RouteUnknownStream = "UNKNOWN_STREAM"
)

// A Handler is what a service method resolves to. Routers make it with
// [NewHandler]; plugins see it in their PostReg hook.
type Handler struct {
	spec    Spec
	hooks   atomic.Pointer[Hooks]
	ordered bool
	safe    bool
	limit   int64
	running atomic.Int64
	backlog *backlog // nil: messages above the limit are refused at once
	pace    pace
}

// A Spec describes a [Handler]. Exactly one of Call, Push and Stream is set.
type Spec struct {
	Name   string            // the service method
	Kind   string            // RouteCall, …
	Arg    reflect.Type      // what the argument points to; []byte for unknown methods
	Reply  reflect.Type      // of calls; nil for unknown methods
	NewArg func() any        // makes the argument, a pointer to a zero value; nil for unknown methods, whose body stays raw
	Body   func(arg any) any // the pointer in the argument that is decoded into; nil if it is the argument
	Call   func(ctx CallCtx, arg any) (any, *message.Status)
	Push   func(ctx PushCtx, arg any) *message.Status
	Stream func(ctx CallCtx, s *Stream) *message.Status
}

// NewHandler returns a handler without hooks; see SetHooks.
func NewHandler(s Spec) *Handler {
	h := &Handler{spec: s}
	h.hooks.Store(new(Hooks))
	return h
}

// SetHooks replaces the hooks: those of the peer and of the route.
func (h *Handler) SetHooks(hooks *Hooks) { h.hooks.Store(hooks) }

// Name returns the service method.
func (h *Handler) Name() string { return h.spec.Name }

// ArgElemType returns the type that the argument points to.
func (h *Handler) ArgElemType() reflect.Type { return h.spec.Arg }

// ReplyType returns the type of the result of a call.
func (h *Handler) ReplyType() reflect.Type { return h.spec.Reply }

// IsCall reports whether the handler answers calls.
func (h *Handler) IsCall() bool { return h.spec.Call != nil }

// IsPush reports whether the handler takes pushes.
func (h *Handler) IsPush() bool { return h.spec.Push != nil }

// IsStream reports whether the handler serves streams.
func (h *Handler) IsStream() bool { return h.spec.Stream != nil }

// IsUnknown reports whether the handler is for methods that have no other.
func (h *Handler) IsUnknown() bool {
	switch h.spec.Kind {
	case RouteUnknownCall, RouteUnknownPush, RouteUnknownStream:
		return true
	}
	return false
}

// RouterTypeName returns the kind of the handler, RouteCall for example.
func (h *Handler) RouterTypeName() string { return h.spec.Kind }

// SetOrdered makes the messages of one session for this handler run one after
// another, in the order of their arrival. It is for PostReg hooks.
func (h *Handler) SetOrdered(on bool) { h.ordered = on }

// SetSafe marks a handler that changes nothing. A browser may call it from any
// page: in HTTP, GET and HEAD reach only safe handlers. It is for PostReg hooks.
func (h *Handler) SetSafe(on bool) { h.safe = on }

// Safe reports whether the handler changes nothing; see [Handler.SetSafe].
func (h *Handler) Safe() bool { return h.safe }

// SetLimit bounds how many messages the handler works on at the same time;
// messages above the limit are refused with CodeExhausted. 0 is no limit of its
// own. It is for PostReg hooks.
func (h *Handler) SetLimit(n int) { h.limit = int64(n) }

// Routes find the handlers of service methods. Implementations must be safe for
// concurrent use.
type Routes interface {
	// Dispatch returns the handler of CALLs to method or, if call is false, of
	// PUSHes.
	Dispatch(call bool, method string) (*Handler, bool)
	// DispatchStream returns the handler of streams to method.
	DispatchStream(method string) (*Handler, bool)
}
