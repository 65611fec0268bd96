package message

import (
	"errors"

	"github.com/goerpc/erpc/xfer"
)

// AsPanic returns the panic that err tells of: of code that this package called,
// or of a transfer filter.
func AsPanic(err error) (*PanicError, bool) {
	if p, ok := errors.AsType[*PanicError](err); ok {
		return p, true
	}
	if p, ok := errors.AsType[*xfer.PanicError](err); ok {
		return &PanicError{Where: "filter " + p.Filter, Value: p.Value, Stack: p.Stack}, true
	}
	return nil, false
}
