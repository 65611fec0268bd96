package message

import (
	"errors"

	"github.com/goerpc/erpc/internal/guard"
)

// A PanicError is a recovered panic of code that erpc called: a codec, a
// transfer filter, a handler or a plugin. Its field Where names the place, Value
// is the value of the panic and Stack its stack. Error leaves the stack out; Value
// may hold internals that the other side must not see.
type PanicError = guard.PanicError

// AsPanic returns the recovered panic that err wraps, if any.
func AsPanic(err error) (*PanicError, bool) { return errors.AsType[*PanicError](err) }
