package session

import (
	"context"

	"github.com/goerpc/erpc/message"
)

// Call calls serviceMethod on to and returns the reply. It ends with ctx. A
// failed status comes back as a [*message.StatusError].
func Call[R any](ctx context.Context, to CallMaker, serviceMethod string, arg any, settings ...message.Setting) (*R, error) {
	res := new(R)
	all := settings
	if ctx != context.Background() || len(settings) > 0 { // else ctx has neither an end nor values
		all = append(append(make([]message.Setting, 0, len(settings)+1), message.WithContext(ctx)), settings...)
	}
	var st *message.Status
	if s, ok := to.(*Engine); ok {
		st = s.do(serviceMethod, arg, res, all)
	} else {
		st = to.Call(serviceMethod, arg, res, all...).Status()
	}
	if !st.OK() {
		return nil, nameMissing(st, serviceMethod).Err()
	}
	return res, nil
}

// CallValue is [Call] that returns the result as a value rather than a pointer,
// for an int for example. After an error it is the zero value.
func CallValue[R any](ctx context.Context, to CallMaker, serviceMethod string, arg any, settings ...message.Setting) (R, error) {
	res, err := Call[R](ctx, to, serviceMethod, arg, settings...)
	if err != nil {
		var none R
		return none, err
	}
	return *res, nil
}

// CallMeta is [Call] that also returns the metadata of the reply, even after an
// error. The metadata is never nil.
func CallMeta[R any](ctx context.Context, to CallMaker, serviceMethod string, arg any, settings ...message.Setting) (*R, *message.Meta, error) {
	res := new(R)
	all := append(append(make([]message.Setting, 0, len(settings)+1), message.WithContext(ctx)), settings...)
	cmd := to.Call(serviceMethod, arg, res, all...)
	if st := cmd.Status(); !st.OK() {
		return nil, cmd.InputMeta(), nameMissing(st, serviceMethod).Err()
	}
	return res, cmd.InputMeta(), nil
}
