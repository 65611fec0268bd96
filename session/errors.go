package session

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/socket"
)

// Reasons for the end of a session, as returned by [Engine.Err] and found in the
// causes of statuses.
var (
	// ErrReplaced means that another session took its id.
	ErrReplaced = errors.New("session: another session took the id")
	// ErrAge means that it reached its session age.
	ErrAge = errors.New("session: the session age has passed")
	// ErrIdle means that nothing was received for the idle limit of the peer.
	ErrIdle = errors.New("session: nothing received for the idle limit")
	// ErrStuck means that calls waited while nothing was received for the stuck
	// limit.
	ErrStuck = errors.New("session: calls wait and nothing was received for the stuck limit")
	// ErrShutdown means that the peer was shut down.
	ErrShutdown = errors.New("session: the peer is shut down")
	// ErrMtype means that the other side sent a message of a type that is unknown,
	// or not allowed at that point.
	ErrMtype = errors.New("session: message type not allowed")

	errGoesAway   = errors.New("session: the other side is shutting down; nothing was sent")
	errConnClosed = errors.New("session: connection closed")
)

// errCanceledHere is the cause of a call that [CallCmd.Cancel] ended.
var errCanceledHere = errors.New("session: cancelled by the caller")

func statusCanceled() *message.Status { return newStatus(message.CodeCanceled, errCanceledHere) }

func newStatus(code int32, cause any) *message.Status {
	return message.NewStatusByCodeText(code, cause, false)
}

func statusClosed(cause error) *message.Status {
	if cause == nil {
		cause = errConnClosed
	}
	st := newStatus(message.CodeConnClosed, cause)
	if _, ok := errors.AsType[net.Error](cause); ok { // its text has addresses
		st.HideCause()
	}
	return st
}

// statusContext returns the status of an operation whose context has ended.
func statusContext(ctx context.Context) *message.Status {
	if errors.Is(ctx.Err(), context.Canceled) {
		return newStatus(message.CodeCanceled, context.Cause(ctx))
	}
	return newStatus(message.CodeHandleTimeout, ctx.Err())
}

// goesAway reports whether st is the answer of a peer that shuts down to a call
// that it did not execute.
func goesAway(st *message.Status) bool {
	return st.Code() == message.CodeShuttingDown && NotExecuted(st)
}

// guarded turns a panic of f into a status.
func guarded(where string, f func() *message.Status) (st *message.Status) {
	defer func() {
		if p := recover(); p != nil {
			st = newStatus(message.CodeInternalServerError, guard.New(p, where, "")).HideCause()
		}
	}()
	return f()
}

// abnormal reports whether an operator should see the end of a connection.
func abnormal(err error) bool {
	_, panicked := message.AsPanic(err)
	return errors.Is(err, proto.ErrTooLarge) || errors.Is(err, proto.ErrMalformed) || errors.Is(err, ErrMtype) ||
		errors.Is(err, socket.ErrSlowReader) || panicked
}

// isTimeout reports whether a deadline of the connection has passed.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// An mtypeError is the error of a message whose type is not allowed where it
// arrived.
type mtypeError struct {
	mtype  byte
	method string
}

func (e *mtypeError) Error() string {
	return fmt.Sprintf("%v: %s (%d) to %q", ErrMtype, message.TypeText(e.mtype), e.mtype, e.method)
}

func (e *mtypeError) Unwrap() error { return ErrMtype }
