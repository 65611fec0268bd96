package erpc

import (
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
)

// What stands in this file is there for programs written against erpc v7, as in
// v7.go: its statuses that are thrown and caught.

// CodeNoError is [CodeOK].
const CodeNoError = message.CodeOK

// ErrListenClosed is [ErrClosed].
var ErrListenClosed = peer.ErrClosed

// CheckStatus panics with a status whose cause is err, unless that is nil. It calls
// whenError first. [CatchStatus] recovers it. New programs return errors.
func CheckStatus(err error, code int32, msg string, whenError ...func()) {
	if err == nil {
		return
	}
	if len(whenError) > 0 && whenError[0] != nil {
		whenError[0]()
	}
	panic(message.NewStatusWithStack(code, msg, err))
}

// ThrowStatus panics with a status, for [CatchStatus] to recover.
func ThrowStatus(code int32, msg string, cause ...any) {
	panic(message.NewStatusWithStack(code, msg, cause...))
}

// PanicStatus panics with st, for [CatchStatus] to recover.
func PanicStatus(st *Status) { panic(st) }

// CatchStatus recovers a panic and sets *st: to the status that was thrown, or to
// [CodeUnknownError] with the value of another panic as its cause. Without a panic
// it leaves *st alone. realStatus is set to whether *st is a status that was meant.
// It must be deferred itself:
//
//	defer erpc.CatchStatus(&st)
func CatchStatus(st **Status, realStatus ...*bool) {
	v := recover()
	var caught *Status
	meant := true
	switch x := v.(type) {
	case nil:
		meant = st != nil && !(*st).OK()
	case *Status:
		caught = x
	case Status:
		caught = &x
	default:
		caught, meant = message.NewStatusWithStack(message.CodeUnknownError, "", v), false
	}
	if st != nil && v != nil {
		*st = caught
	}
	if len(realStatus) > 0 && realStatus[0] != nil {
		*realStatus[0] = meant
	}
}
