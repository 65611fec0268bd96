package session

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
)

// The lines of a log have one shape: the id of the session under "session", the address
// of its other side under "remote", a method under "method", a status under "status" as
// a group of code, msg and cause, and any other error under "err". Those of an exchange
// get its context, so that handlers of slog find in it what hooks have put there.

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

// errAttr is an error as an attribute: a status as such, or its text. Handlers leave out
// that of nil.
func errAttr(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	if st, ok := errors.AsType[*message.StatusError](err); ok {
		return statusAttr(st.Status)
	}
	return slog.Any("err", err)
}
