package session

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
)

// The run log has a record of each call, push and stream. It is written at the level
// INFO if the peer asks for it (CountTime or PrintDetail), else at DEBUG, and
// at WARNING for what took the slow threshold or longer.

// maxLoggedBody is how much of a body the run log shows, in bytes.
const maxLoggedBody = 1 << 10

func (sh *Shared) logLevel(cost time.Duration) slog.Level {
	switch {
	case sh.Slow > 0 && cost >= sh.Slow:
		return logging.LevelWarning
	case sh.CountTime, sh.PrintDetail:
		return logging.LevelInfo
	}
	return logging.LevelDebug
}

// clock returns the time if somebody wants to know how long things take.
func (s *Engine) clock() time.Duration {
	if s.shared.CountTime || s.shared.Slow > 0 || s.Enabled(s.shared.logLevel(0)) {
		return clock()
	}
	return 0
}

// record writes what happened to handlers that get ctx. real is the real address of the
// caller, or "".
func (s *Engine) record(ctx context.Context, what, method, real string, cost time.Duration, attrs func() []slog.Attr) {
	level := s.shared.logLevel(cost)
	if !s.shared.Logger.Enabled(ctx, level) {
		return
	}
	all := append(s.LogAttrs(make([]slog.Attr, 0, 10)), slog.String("method", clip(method)))
	if real != "" && real != host(s.RemoteAddr().String()) {
		all = append(all, slog.String("real", real))
	}
	if cost > 0 {
		all = append(all, slog.Duration("cost", cost))
	}
	s.shared.Logger.LogAttrs(ctx, level, what, append(all, attrs()...)...)
}

// logHandled records a CALL or PUSH from the other side.
func (x *exchange) logHandled(cost time.Duration) {
	s, ctx := x.conn.sess, x.LogContext()
	if !s.shared.Logger.Enabled(ctx, s.shared.logLevel(cost)) {
		return
	}
	if x.stream != nil {
		s.record(ctx, "STREAM<-", x.in.ServiceMethod(), x.RealIP(), cost, func() []slog.Attr { return x.stream.describe(x.status) })
		return
	}
	what, out := "PUSH<-", (*message.Message)(nil)
	if x.in.Mtype() == message.TypeCall {
		what, out = "CALL<-", &x.out
	}
	s.record(ctx, what, x.in.ServiceMethod(), x.RealIP(), cost, func() []slog.Attr {
		attrs := []slog.Attr{s.describe("recv", &x.in)}
		if out != nil {
			attrs = append(attrs, s.describe("send", out))
		}
		if out == nil && !x.status.OK() || x.status.CauseHidden() { // which the status in out leaves out
			attrs = append(attrs, statusAttr(x.status))
		}
		return attrs
	})
}

// logCalled records a CALL to the other side.
func (s *Engine) logCalled(cmd *CallCmd) {
	if cmd.start != 0 {
		cmd.cost = clock() - cmd.start
	}
	if !s.shared.Logger.Enabled(cmd.req.context(), s.shared.logLevel(cmd.cost)) {
		return
	}
	s.record(cmd.req.context(), "CALL->", cmd.req.method, "", cmd.cost, func() []slog.Attr {
		out := cmd.Output()
		out.SetSize(cmd.sent.Load())
		in := message.New(message.WithStatus(cmd.st), message.WithBody(cmd.result), message.WithBodyCodec(cmd.codec))
		in.SetSize(cmd.size)
		cmd.meta.CopyTo(in.Meta())
		return []slog.Attr{s.describe("send", out), s.describe("recv", in)}
	})
}

// logStream records a stream that this side has opened, at its end.
func (s *Engine) logStream(stream *Stream, st *message.Status) {
	cost := time.Duration(0)
	if stream.begin != 0 {
		cost = clock() - stream.begin
	}
	if !s.shared.Logger.Enabled(stream.ctx, s.shared.logLevel(cost)) {
		return
	}
	s.record(stream.ctx, "STREAM->", stream.method, "", cost, func() []slog.Attr { return stream.describe(st) })
}

// describe is a stream in the run log: how many messages, and how it ended.
func (s *Stream) describe(st *message.Status) []slog.Attr {
	attrs := []slog.Attr{slog.Uint64("sent", s.sent.Load()), slog.Uint64("received", s.inbox.Arrived())}
	if !st.OK() {
		attrs = append(attrs, statusAttr(st))
	}
	return attrs
}

// logPushed records a PUSH to the other side.
func (s *Engine) logPushed(x *exchange) {
	cost := time.Duration(0)
	if x.start != 0 {
		cost = clock() - x.start
	}
	if !s.shared.Logger.Enabled(x.out.Context(), s.shared.logLevel(cost)) {
		return
	}
	s.record(x.out.Context(), "PUSH->", x.out.ServiceMethod(), "", cost, func() []slog.Attr {
		attrs := []slog.Attr{s.describe("send", &x.out)}
		if !x.status.OK() {
			attrs = append(attrs, statusAttr(x.status))
		}
		return attrs
	})
}

// describe is a message in the run log: size and status, and with PrintDetail
// metadata and body.
func (s *Engine) describe(key string, m *message.Message) slog.Attr {
	attrs := []any{slog.Uint64("size", uint64(m.Size()))}
	if !m.StatusOK() {
		attrs = append(attrs, statusAttr(m.Status()))
	}
	if s.shared.PrintDetail {
		if m.Meta().Len() > 0 {
			attrs = append(attrs, slog.String("meta", m.Meta().String()))
		}
		if body := loggedBody(m.Body()); body != "" {
			attrs = append(attrs, slog.String("body", body))
		}
	}
	return slog.Group(key, attrs...)
}

// loggedBody is body as text. What it is runs code of the user, whose panic is
// no reason to lose a call that has been answered.
func loggedBody(body any) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprintf("(panic: %v)", p)
		}
	}()
	var b []byte
	switch v := body.(type) {
	case nil:
		return ""
	case []byte:
		b = v
	case *[]byte:
		if v == nil {
			return ""
		}
		b = *v
	default:
		var err error
		b, err = json.Marshal(v)
		if err != nil {
			return "(" + err.Error() + ")"
		}
	}
	if len(b) > maxLoggedBody {
		return string(b[:maxLoggedBody]) + "…"
	}
	return string(b)
}
