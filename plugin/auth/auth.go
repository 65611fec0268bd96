package auth

import (
	"context"
	"time"

	"github.com/goerpc/erpc"
)

// DefaultTimeout bounds an exchange whose configuration sets no timeout.
const DefaultTimeout = 5 * time.Second

type (
	// A Bearer sends its credentials with fn. It returns nil, or a status if the
	// session must not be used.
	Bearer func(sess Session, fn SendOnce) *erpc.Status
	// SendOnce sends info, waits for the answer and decodes it into retRecv. It
	// can be called only once.
	SendOnce func(info, retRecv any) *erpc.Status

	// A Checker receives with fn what the bearer sends. It returns the answer, or
	// a status to refuse the session.
	Checker func(sess Session, fn RecvOnce) (ret any, stat *erpc.Status)
	// RecvOnce decodes what the bearer sent into infoRecv. It can be called only
	// once.
	RecvOnce func(infoRecv any) *erpc.Status
)

// A Session is a session that is not open yet. It must not be kept.
type Session interface {
	erpc.BaseSession
	// SetID sets the session's id: once the session has passed, it appears in its
	// peer's table under this id.
	SetID(id string)
	// Context returns a context that ends with the timeout of the exchange.
	Context() context.Context
}

// The statuses of a second call of a [SendOnce] or a [RecvOnce].
var (
	MultiSendErr = erpc.NewStatus(erpc.CodeWriteFailed, "auth-bearer plugin usage is incorrect", "multiple call SendOnce function")
	MultiRecvErr = erpc.NewStatus(erpc.CodeInternalServerError, "auth-checker plugin usage is incorrect", "multiple call RecvOnce function")
)

// unauthorized returns the status of a refusal by this package. The other side
// does not get the cause unless the configuration says so.
func unauthorized(cause any) *erpc.Status {
	return erpc.NewStatusByCodeText(erpc.CodeUnauthorized, cause, false)
}
