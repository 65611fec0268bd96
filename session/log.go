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

// LogContext implements the origin of log lines.
func (s *Engine) LogContext() context.Context { return context.Background() }

// LogAttrs implements the origin of log lines.
func (s *Engine) LogAttrs(to []slog.Attr) []slog.Attr {
	return aboutSession(to, s.ID(), s.RemoteAddr())
}

// LogAttrs implements the origin of log lines: with the address of the connection that is
// being prepared.
func (p *preSession) LogAttrs(to []slog.Attr) []slog.Attr {
	return aboutSession(to, p.ID(), p.RemoteAddr())
}

// log writes a line about the session on this connection, which may be another one than
// its current one.
func (c *conn) log(level slog.Level, msg string, attrs ...slog.Attr) {
	if c.shared.print.Enabled(level) {
		c.shared.Logger.LogAttrs(context.Background(), level, msg, append(aboutSession(nil, c.up.ID(), c.sock.Conn().RemoteAddr()), attrs...)...)
	}
}

// LogContext implements the origin of log lines. It is Context, but for a message whose
// context nobody has asked for.
func (x *exchange) LogContext() context.Context {
	if x.ctx == nil && x.stream == nil && x.deadline == nil && x.role == roleInbound {
		return context.Background()
	}
	return x.Context()
}

// LogAttrs implements the origin of log lines.
func (x *exchange) LogAttrs(to []slog.Attr) []slog.Attr {
	to = aboutSession(to, x.conn.up.ID(), x.conn.sock.Conn().RemoteAddr())
	method := x.in.ServiceMethod()
	if x.role == roleOutgoing {
		method = x.out.ServiceMethod()
	}
	if method != "" {
		to = append(to, slog.String("method", clip(method))) // a stranger may have chosen it
	}
	return to
}

// printer returns what logs lines about the stream.
func (s *Stream) printer() logging.Printer {
	return logging.Printer{L: s.conn.shared.Logger, From: streamOrigin{s}}
}

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
