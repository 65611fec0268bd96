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

// maxLoggedBody is how much of a body the run log shows, in bytes.
const maxLoggedBody = 1 << 10

// A runLog writes a record of each call, push and stream: at the level WARNING if
// it took the slow threshold or longer, at INFO if the peer asks for it (CountTime
// or PrintDetail), else at DEBUG. It may be used concurrently.
type runLog struct{ cfg *Config }

// A runRecord is one record of a runLog.
type runRecord struct {
	what   string // the kind and direction, such as CALL->
	method string
	from   string // the caller's address as a proxy sent it; "": none
	cost   time.Duration
	attrs  []slog.Attr
}

// level returns the level of a record.
func (l runLog) level(cost time.Duration) slog.Level {
	switch {
	case l.cfg.Slow > 0 && cost >= l.cfg.Slow:
		return logging.LevelWarning
	case l.cfg.CountTime, l.cfg.PrintDetail:
		return logging.LevelInfo
	}
	return logging.LevelDebug
}

// wants reports whether a record would be written.
func (l runLog) wants(ctx context.Context, cost time.Duration) bool {
	return l.cfg.Logger.Enabled(ctx, l.level(cost))
}

// clock returns the time if the log or the configuration needs durations.
func (l runLog) clock() time.Duration {
	if l.cfg.CountTime || l.cfg.Slow > 0 || l.wants(context.Background(), 0) {
		return clock()
	}
	return 0
}

// since returns the time that has passed since start, 0 if that is not known.
func (l runLog) since(start time.Duration) time.Duration {
	if start == 0 {
		return 0
	}
	return clock() - start
}

// write writes r, a record about a session. slog handlers get ctx.
func (l runLog) write(ctx context.Context, about logging.Origin, r runRecord) {
	all := append(about.LogAttrs(make([]slog.Attr, 0, 10)), slog.String("method", clip(r.method)))
	if r.from != "" {
		all = append(all, slog.String("real", r.from))
	}
	if r.cost > 0 {
		all = append(all, slog.Duration("cost", r.cost))
	}
	l.cfg.Logger.LogAttrs(ctx, l.level(r.cost), r.what, append(all, r.attrs...)...)
}

// handled records the CALL, PUSH or opening of a stream in x, from the other side.
func (l runLog) handled(x *exchange, cost time.Duration) {
	ctx := x.LogContext()
	if !l.wants(ctx, cost) {
		return
	}
	r := runRecord{method: x.in.ServiceMethod(), cost: cost}
	if ip := x.RealIP(); ip != x.IP() {
		r.from = ip
	}
	switch {
	case x.stream != nil:
		r.what, r.attrs = "STREAM<-", l.stream(x.stream, x.status)
	case x.in.Mtype() == message.TypeCall:
		r.what, r.attrs = "CALL<-", []slog.Attr{l.message("recv", &x.in), l.message("send", &x.out)}
		if x.status.CauseHidden() { // the status in out leaves it out
			r.attrs = append(r.attrs, statusAttr(x.status))
		}
	default:
		r.what, r.attrs = "PUSH<-", append([]slog.Attr{l.message("recv", &x.in)}, failure(x.status)...)
	}
	l.write(ctx, x.conn.sess, r)
}

// called records the CALL cmd to the other side.
func (l runLog) called(cmd *CallCmd) {
	if cmd.start != 0 {
		cmd.cost = clock() - cmd.start
	}
	ctx := cmd.req.context()
	if !l.wants(ctx, cmd.cost) {
		return
	}
	out := cmd.Output()
	out.SetSize(cmd.sent.Load())
	in := message.New(message.WithStatus(cmd.st), message.WithBody(cmd.result), message.WithBodyCodec(cmd.codec))
	in.SetSize(cmd.size)
	cmd.meta.CopyTo(in.Meta())
	l.write(ctx, cmd.sess, runRecord{
		what: "CALL->", method: cmd.req.method, cost: cmd.cost,
		attrs: []slog.Attr{l.message("send", out), l.message("recv", in)},
	})
}

// pushed records the PUSH in x to the other side.
func (l runLog) pushed(x *exchange) {
	ctx, cost := x.out.Context(), l.since(x.start)
	if !l.wants(ctx, cost) {
		return
	}
	l.write(ctx, x.conn.sess, runRecord{
		what: "PUSH->", method: x.out.ServiceMethod(), cost: cost,
		attrs: append([]slog.Attr{l.message("send", &x.out)}, failure(x.status)...),
	})
}

// streamed records a stream that this side has opened, at its end with st.
func (l runLog) streamed(s *Stream, st *message.Status) {
	cost := l.since(s.begin)
	if !l.wants(s.ctx, cost) {
		return
	}
	l.write(s.ctx, s.conn.sess, runRecord{what: "STREAM->", method: s.method, cost: cost, attrs: l.stream(s, st)})
}

// stream describes a stream: how many messages, and how it ended.
func (l runLog) stream(s *Stream, st *message.Status) []slog.Attr {
	return append([]slog.Attr{slog.Uint64("sent", s.sent.Load()), slog.Uint64("received", s.inbox.Arrived())}, failure(st)...)
}

// message describes a message: size and status, and with PrintDetail metadata and
// body.
func (l runLog) message(key string, m *message.Message) slog.Attr {
	attrs := []any{slog.Uint64("size", uint64(m.Size()))}
	if !m.StatusOK() {
		attrs = append(attrs, statusAttr(m.Status()))
	}
	if l.cfg.PrintDetail {
		if m.Meta().Len() > 0 {
			attrs = append(attrs, slog.String("meta", m.Meta().String()))
		}
		if body := loggedBody(m.Body()); body != "" {
			attrs = append(attrs, slog.String("body", body))
		}
	}
	return slog.Group(key, attrs...)
}

// failure is st as an attribute if it is not OK.
func failure(st *message.Status) []slog.Attr {
	if st.OK() {
		return nil
	}
	return []slog.Attr{statusAttr(st)}
}

// loggedBody is body as text. Formatting it runs user code. A panic there must not
// lose a call that was answered already.
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
