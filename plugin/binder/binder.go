package binder

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/goerpc/erpc"
)

// An ErrorFunc returns the status for a parameter that can't be bound or is not
// valid. It must be safe for concurrent use and return a new status each time.
type ErrorFunc func(handlerName, paramName, reason string) *erpc.Status

// A Validator checks arguments besides the rules of the tag param. It must be
// safe for concurrent use.
type Validator interface {
	// Prepare is called when a handler with arguments of the struct type is
	// registered. It returns an error for invalid tags.
	Prepare(arg reflect.Type) error
	// Validate checks an argument, a pointer to a struct. If it is not valid,
	// Validate returns the name of the first bad parameter and the reason;
	// otherwise ok is true.
	Validate(arg any) (param, reason string, ok bool)
}

// Config adjusts a binder. The zero value works.
type Config struct {
	// Validator checks arguments after they were bound; nil means no further
	// checks.
	Validator Validator `yaml:"-" ini:"-"`
}

// StructArgsBinder is the plugin. It may serve several peers, groups and
// routes. All methods except SetErrorFunc may be called concurrently.
type StructArgsBinder struct {
	cfg     Config
	errFunc ErrorFunc
	mu      sync.RWMutex // guards compiled
	// compiled holds the rules of every type seen so far. Rules are immutable once
	// they are in it.
	compiled map[reflect.Type]*rules
}

// NewStructArgsBinder returns the plugin. If fn is nil, an error becomes
// CodeBadMessage with a JSON cause that has handler, param and reason.
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

// SetErrorFunc replaces the function of NewStructArgsBinder; nil selects the
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

// PostReadCallBody binds and checks the argument of a call. A failed status
// becomes the reply.
func (b *StructArgsBinder) PostReadCallBody(ctx erpc.ReadCtx) *erpc.Status { return b.bind(ctx) }

// PostReadPushBody is PostReadCallBody for a push. A failed status drops the
// push.
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
	if err != nil { // the handler was registered before the plugin was added
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

// rules returns the rules of a struct type, and compiles them if necessary.
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
// The parameters of a nested struct come at its field, and those of a slice's
// elements once.
func (b *StructArgsBinder) Params(arg reflect.Type) ([]Param, error) {
	r, err := b.rules(arg)
	if err != nil {
		return nil, err
	}
	return r.params(nil, make(map[*rules]bool)), nil
}

// A violation describes one invalid parameter.
type violation struct {
	param, reason string
	code          int32  // 0: use the status of the error function
	msg           string // "": use the status of the error function
}

func (v *violation) status(b *StructArgsBinder, handler string) *erpc.Status {
	param, reason := cut(v.param, maxReason), cut(v.reason, maxReason)
	st := b.errFunc(handler, param, reason)
	if st.OK() { // an error function that returns OK must not let the argument through
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
