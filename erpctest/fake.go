package erpctest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// A Fake is an [erpc.Caller] that answers from functions, for code that only calls
// and pushes. Arguments and results pass through the JSON codec, as over a
// connection, so no side sees what the other one changes later. Code that needs a
// whole session gets one of [Pair]. The zero value is ready, and a call without
// an answer fails with CodeNotFound; all methods may be called concurrently.
type Fake struct {
	mu      sync.Mutex // guards the following
	answers map[string]answer
	sent    []Sent
}

var _ erpc.Caller = (*Fake)(nil)

// Sent is a call or push that was made with a [Fake].
type Sent struct {
	Push   bool // or a call
	Method string
	Arg    any // as it was given
	Meta   *erpc.Meta
}

// An answer takes the encoded argument and returns the encoded result.
type answer func(ctx context.Context, arg []byte) ([]byte, error)

// Answer lets f answer calls and take pushes of method with fn, a function as
// [erpc.HandleCall] takes it.
func Answer[A, R any](f *Fake, method string, fn func(ctx context.Context, arg *A) (*R, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answers == nil {
		f.answers = map[string]answer{}
	}
	f.answers[method] = func(ctx context.Context, body []byte) ([]byte, error) {
		arg := new(A)
		if err := decode(body, arg); err != nil {
			return nil, err
		}
		res, err := fn(ctx, arg)
		if err != nil {
			return nil, err
		}
		return encode(res)
	}
}

// Sent returns what was sent so far.
func (f *Fake) Sent() []Sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

// Call implements [erpc.Caller].
func (f *Fake) Call(method string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd {
	return erpc.NewFakeCallCmd(method, arg, result, f.run(false, method, arg, result, setting))
}

// AsyncCall implements [erpc.Caller]. The call has ended when it returns.
func (f *Fake) AsyncCall(method string, arg, result any, done chan<- erpc.CallCmd, setting ...erpc.MessageSetting) erpc.CallCmd {
	cmd := f.Call(method, arg, result, setting...)
	if done != nil {
		done <- cmd
	}
	return cmd
}

// Push implements [erpc.Caller]. Success means, as always, only that it was
// queued; what its function returns is dropped.
func (f *Fake) Push(method string, arg any, setting ...erpc.MessageSetting) *erpc.Status {
	return f.run(true, method, arg, nil, setting)
}

// run makes the exchange.
func (f *Fake) run(push bool, method string, arg, result any, setting []erpc.MessageSetting) *erpc.Status {
	m := erpc.NewMessage(setting...)
	ctx := m.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	if err := ctx.Err(); err != nil {
		return erpc.NewStatusByCodeText(erpc.CodeCanceled, err, false)
	}
	body, err := encode(arg)
	if err != nil {
		return erpc.NewStatusByCodeText(erpc.CodeWriteFailed, err, false)
	}
	meta := new(erpc.Meta)
	m.Meta().CopyTo(meta)
	f.mu.Lock()
	f.sent = append(f.sent, Sent{Push: push, Method: method, Arg: arg, Meta: meta})
	fn := f.answers[method]
	f.mu.Unlock()
	switch {
	case fn == nil && push:
		return nil
	case fn == nil:
		return erpc.NewStatusByCodeText(erpc.CodeNotFound, fmt.Errorf("erpctest: the fake has no answer to %q", method), false)
	}
	body, err = fn(ctx, body)
	switch {
	case push:
		return nil
	case err != nil:
		return erpc.StatusFromError(err)
	case result == nil:
		return nil
	}
	if err := decode(body, result); err != nil {
		return erpc.NewStatusByCodeText(erpc.CodeBadMessage, err, false)
	}
	return nil
}

// encode returns v as JSON; bytes stay as they are.
func encode(v any) ([]byte, error) {
	switch b := v.(type) {
	case nil:
		return nil, nil
	case []byte:
		return slices.Clone(b), nil
	case *[]byte:
		return slices.Clone(*b), nil
	}
	b, err := codec.MarshalByName("json", v)
	if err != nil {
		return nil, fmt.Errorf("erpctest: encode: %w", err)
	}
	return b, nil
}

// decode is the reverse of encode. No bytes leave v as it is.
func decode(b []byte, v any) error {
	if to, ok := v.(*[]byte); ok {
		*to = slices.Clone(b)
		return nil
	}
	if len(b) == 0 {
		return nil
	}
	if err := codec.UnmarshalByName("json", b, v); err != nil {
		return fmt.Errorf("erpctest: decode: %w", err)
	}
	return nil
}
