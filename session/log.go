package session

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
)

// All log lines have the same attributes: the id of the session under "session", the
// address of its other side under "remote", a method under "method", a status under
// "status" as a group of code, msg and cause, and any other error under "err". Lines
// about an exchange get its context, in which slog handlers find the values that hooks
// have added.

var (
	_ logging.Origin = (*Engine)(nil)
	_ logging.Origin = (*exchange)(nil)
	_ logging.Origin = (*preSession)(nil)
)

type streamOrigin struct{ s *Stream }

// LogContext implements the origin of log lines.
func (o streamOrigin) LogContext() context.Context { return o.s.ctx }

// LogAttrs implements the origin of log lines.
func (o streamOrigin) LogAttrs(to []slog.Attr) []slog.Attr {
	return append(o.s.conn.sess.LogAttrs(to), slog.String("method", o.s.method))
}

func aboutSession(to []slog.Attr, id string, remote net.Addr) []slog.Attr {
	return append(to, slog.String("session", id), slog.String("remote", remote.String()))
}

// statusAttr is a status as an attribute.
func statusAttr(st *message.Status) slog.Attr { return slog.Any("status", st) }

// errAttr is an error as an attribute: a status as a group, any other error as text.
// Handlers leave out the attribute of nil.
func errAttr(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	if st, ok := errors.AsType[*message.StatusError](err); ok {
		return statusAttr(st.Status)
	}
	return slog.Any("err", err)
}
