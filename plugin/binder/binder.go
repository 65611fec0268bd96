package binder

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/goerpc/erpc"
)

// An ErrorFunc makes the status of a parameter that can't be bound or is not
// valid. It is called concurrently; each call must return another status.
type ErrorFunc func(handlerName, paramName, reason string) *erpc.Status

// A Validator checks arguments besides the rules of the tag param. It must be
// safe for concurrent use.
type Validator interface {
	// Prepare is called when a handler with arguments of the struct type is
	// registered, and returns what is wrong with its tags.
	Prepare(arg reflect.Type) error
	// Validate checks an argument, a pointer to a struct, and returns the name
	// of the first parameter that is wrong, and why; ok if none is.
	Validate(arg any) (param, reason string, ok bool)
}

// Config adjusts a binder. The zero value works.
type Config struct {
	// Validator checks what has been bound; nil checks nothing more.
	Validator Validator `yaml:"-" ini:"-"`
}

// StructArgsBinder is the plugin. It may serve several peers, groups and
// routes. All methods but SetErrorFunc may be called concurrently.
type StructArgsBinder struct {
	cfg     Config
	errFunc ErrorFunc
	mu      sync.RWMutex // guards compiled
	// compiled holds the rules of every type met; those of a type are immutable
	// when they are in it.
	compiled map[reflect.Type]*rules
}

// NewStructArgsBinder returns the plugin. Without fn, what is wrong becomes
// CodeBadMessage, with a cause in JSON that names handler, param and reason.
func NewStructArgsBinder(fn ErrorFunc, cfg ...Config) *StructArgsBinder {
	b := &StructArgsBinder{compiled: make(map[reflect.Type]*rules)}
	for _, c := range cfg {
		b.cfg = c
	}
	b.SetErrorFunc(fn)
	return b
}

var (
	_ erpc.PostRegPlugin          = (*StructArgsBinder)(nil)
	_ erpc.PostReadCallBodyPlugin = (*StructArgsBinder)(nil)
	_ erpc.PostReadPushBodyPlugin = (*StructArgsBinder)(nil)
)

// SetErrorFunc replaces the function of NewStructArgsBinder; nil stands for the
// default. It must not be called once messages arrive.
func (b *StructArgsBinder) SetErrorFunc(fn ErrorFunc) {
	if fn == nil {
		fn = defaultError
	}
	b.errFunc = fn
}

func defaultError(handlerName, paramName, reason string) *erpc.Status {
	return erpc.NewStatus(erpc.CodeBadMessage, "Invalid Parameter",
		fmt.Sprintf(`{"handler": %q, "param": %q, "reason": %q}`, handlerName, paramName, reason))
}

// Name returns the name of the plugin.
func (*StructArgsBinder) Name() string { return "StructArgsBinder" }

// PostReg compiles the rules of a handler's argument.
func (b *StructArgsBinder) PostReg(h *erpc.Handler) error {
	if h.IsUnknown() || h.ArgElemType() == nil || h.ArgElemType().Kind() != reflect.Struct {
		return nil
	}
	_, err := b.rules(h.ArgElemType())
	return err
}

// PostReadCallBody binds and checks the argument of a call; a failed status is
// the reply.
func (b *StructArgsBinder) PostReadCallBody(ctx erpc.ReadCtx) *erpc.Status { return b.bind(ctx) }

// PostReadPushBody is PostReadCallBody for a push, which a failed status drops.
func (b *StructArgsBinder) PostReadPushBody(ctx erpc.ReadCtx) *erpc.Status { return b.bind(ctx) }

func (b *StructArgsBinder) bind(ctx erpc.ReadCtx) *erpc.Status {
	arg := ctx.Input().Body()
	v := reflect.ValueOf(arg)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || !v.CanSet() {
		return nil
	}
	r, err := b.rules(v.Type())
	if err != nil { // of a handler that was registered before the plugin came
		return erpc.NewStatusByCodeText(erpc.CodeInternalServerError, err, false)
	}
	if wrong := r.apply(v, ctx); wrong != nil {
		return wrong.status(b, ctx.ServiceMethod())
	}
	if b.cfg.Validator != nil {
		if param, reason, ok := b.cfg.Validator.Validate(v.Addr().Interface()); !ok {
			return (&violation{param: param, reason: reason}).status(b, ctx.ServiceMethod())
		}
	}
	return nil
}

// rules returns those of a struct type, compiled if need be.
func (b *StructArgsBinder) rules(t reflect.Type) (*rules, error) {
	b.mu.RLock()
	r, ok := b.compiled[t]
	b.mu.RUnlock()
	if ok {
		return r, nil
	}
	r, err := compile(t, make(map[reflect.Type]*rules))
	if err == nil && b.cfg.Validator != nil {
		err = b.cfg.Validator.Prepare(t)
	}
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.compiled[t] = r
	return r, nil
}

// A Param describes a field with a tag.
type Param struct {
	Name string
	From string // meta, swap or body
	Desc string
}

// Params returns the parameters of a struct type, in the order of its fields.
// Those of a struct in it come where that is, for slices once.
func (b *StructArgsBinder) Params(arg reflect.Type) ([]Param, error) {
	r, err := b.rules(arg)
	if err != nil {
		return nil, err
	}
	return r.params(nil, make(map[*rules]bool)), nil
}

// A violation is what is wrong with one parameter.
type violation struct {
	param, reason string
	code          int32  // 0: that of the error function
	msg           string // "": the same
}

func (v *violation) status(b *StructArgsBinder, handler string) *erpc.Status {
	param, reason := cut(v.param, maxReason), cut(v.reason, maxReason)
	st := b.errFunc(handler, param, reason)
	if st.OK() { // what is wrong must not reach the handler
		st = defaultError(handler, param, reason)
	}
	if v.code != 0 {
		st.SetCode(v.code)
	}
	if v.msg != "" {
		st.SetMsg(v.msg)
	}
	return st
}
