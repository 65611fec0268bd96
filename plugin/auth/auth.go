package auth

import (
	"context"
	"time"

	"github.com/goerpc/erpc"
)

// DefaultTimeout bounds an exchange whose configuration does not say how long it
// may take.
const DefaultTimeout = 5 * time.Second

type (
	// A Bearer sends with fn who it is, and returns why the session must not be
	// used, or nil.
	Bearer func(sess Session, fn SendOnce) *erpc.Status
	// SendOnce sends info and waits for the answer, which is decoded into
	// retRecv. It works once.
	SendOnce func(info, retRecv any) *erpc.Status

	// A Checker receives with fn what the bearer sends, and returns the answer,
	// or why the session is refused.
	Checker func(sess Session, fn RecvOnce) (ret any, stat *erpc.Status)
	// RecvOnce decodes into infoRecv what the bearer sent. It works once.
	RecvOnce func(infoRecv any) *erpc.Status
)

// A Session is a session that is not open yet. It must not be kept.
type Session interface {
	erpc.BaseSession
	// SetID names the session: it appears in its peer's table under that name
	// once it has passed.
	SetID(id string)
	// Context ends when the time of the exchange is over.
	Context() context.Context
}

// Mistakes in the use of a [SendOnce] and a [RecvOnce].
var (
	MultiSendErr = erpc.NewStatus(erpc.CodeWriteFailed, "auth-bearer plugin usage is incorrect", "multiple call SendOnce function")
	MultiRecvErr = erpc.NewStatus(erpc.CodeInternalServerError, "auth-checker plugin usage is incorrect", "multiple call RecvOnce function")
)

// unauthorized is the status of what this package itself refuses. Its cause
// stays here unless the configuration says otherwise.
func unauthorized(cause any) *erpc.Status {
	return erpc.NewStatusByCodeText(erpc.CodeUnauthorized, cause, false)
}
