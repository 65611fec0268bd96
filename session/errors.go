package session

import (
	"context"
	"errors"
	"net"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/socket"
)

// Reasons for the end of a session, as [Engine.Err] and the causes of statuses
// give them.
var (
	// ErrReplaced: another session took its id.
	ErrReplaced = errors.New("session: another session took the id")
	// ErrAge: it reached its session age.
	ErrAge = errors.New("session: the session age has passed")
	// ErrIdle: nothing was received for the idle limit of the peer.
	ErrIdle = errors.New("session: nothing received for the idle limit")
	// ErrStuck: calls waited, and nothing was received for the stuck limit.
	ErrStuck = errors.New("session: calls wait and nothing was received for the stuck limit")
	// ErrShutdown: the peer was shut down.
	ErrShutdown = errors.New("session: the peer is shut down")
	// ErrMtype: the other side sent a type of message that is not known or
	// not allowed at that point.
	ErrMtype = errors.New("session: message type not allowed")

	errGoesAway   = errors.New("session: the other side is shutting down; the call was not sent")
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
	if _, ok := errors.AsType[net.Error](cause); ok { // it names addresses
		st.HideCause()
	}
	return st
}

// statusContext is the outcome of what ended with its context.
func statusContext(ctx context.Context) *message.Status {
	if errors.Is(ctx.Err(), context.Canceled) {
		return newStatus(message.CodeCanceled, context.Cause(ctx))
	}
	return newStatus(message.CodeHandleTimeout, ctx.Err())
}

// status turns the error of a write into a status; nil is success.
func (c *conn) status(m *message.Message, err error) *message.Status {
	if err == nil {
		return nil
	}
	return c.failed(m, err) // apart, because what errors.As fills in is allocated
}

func (c *conn) failed(m *message.Message, err error) *message.Status {
	var pack *socket.PackError
	panicked, ok := message.AsPanic(err)
	switch {
	case ok:
		return c.shared.internalError(c.sess.Printer, panicked)
	case errors.As(err, &pack), m.Err() != nil:
		return newStatus(message.CodeWriteFailed, err).HideCause()
	case errors.Is(err, socket.ErrQueueFull):
		return newStatus(message.CodeExhausted, err)
	case m.Context().Err() != nil && errors.Is(err, m.Context().Err()):
		return statusContext(m.Context())
	}
	return statusClosed(err)
}

// goesAway reports whether st is what a peer that shuts down answers to a call
// that it did not execute.
func goesAway(st *message.Status) bool {
	return st.Code() == message.CodeShuttingDown && NotExecuted(st)
}

// decodeFailed is the outcome of a body that could not be decoded. A panic is written to
// log.
func (sh *Shared) decodeFailed(log logging.Printer, err error) *message.Status {
	if panicked, ok := message.AsPanic(err); ok {
		return sh.internalError(log, panicked)
	}
	switch {
	case errors.Is(err, errTooMuchDecoded): // so its handler was not called
		return Refusal(newStatus(message.CodeExhausted, err))
	case errors.Is(err, codec.ErrTooLarge):
		return newStatus(message.CodeTooLarge, err)
	}
	if _, ok := errors.AsType[*codec.NotAcceptedError](err); ok {
		return newStatus(message.CodeUnsupportedCodec, err)
	}
	if _, ok := errors.AsType[*codec.UnsupportedError](err); ok {
		return newStatus(message.CodeBadMessage, err)
	}
	return newStatus(message.CodeBadMessage, err).HideCause() // it may name Go types
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

// abnormal reports whether the end of a connection is worth the operator's
// attention.
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
