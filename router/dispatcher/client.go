package dispatcher

import (
	"context"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/session"
)

// None is the request or response of a function that has none.
type None = struct{}

// Func returns a function that calls the one added under name at the other side of
// s. If that is below the prefix of a sub-router, the name begins with the prefix.
// A failed call returns a [*message.StatusError]. The function may be used
// concurrently.
func Func[Req, Resp any](s session.Caller, name string, settings ...message.Setting) func(context.Context, Req) (Resp, error) {
	method := path(name)
	_, nothing := any((*Req)(nil)).(*None)
	_, silent := any((*Resp)(nil)).(*None)
	return func(ctx context.Context, req Req) (resp Resp, err error) {
		var arg, result any = &req, &resp
		if nothing {
			arg = nil
		}
		if silent {
			result = nil
		}
		all := append([]message.Setting{message.WithContext(ctx)}, settings...)
		st := s.Call(method, arg, result, all...).Status()
		return resp, st.Err()
	}
}

// Send returns a function that pushes to the one added under name and does not
// wait for it: an error of that function is only in the log of its side.
func Send[Req any](s session.Caller, name string, settings ...message.Setting) func(context.Context, Req) error {
	method := path(name)
	_, nothing := any((*Req)(nil)).(*None)
	return func(ctx context.Context, req Req) error {
		var arg any = &req
		if nothing {
			arg = nil
		}
		all := append([]message.Setting{message.WithContext(ctx)}, settings...)
		return s.Push(method, arg, all...).Err()
	}
}
