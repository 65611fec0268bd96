package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/logging"
	"github.com/goerpc/erpc/message"
)

// The other side of a session sees the statuses that handlers make for it. The texts of
// Go errors and panics are not meant for it: they are logged, and the other side gets a
// public text with an id that the log line has, too. Config.ErrorDetail sends the texts
// themselves. An error that wraps such a status in a text of its own
// (message.Status.Around) is in between: the status goes to the other side as it is, and
// the text to the log.

// Public texts.
const (
	textInternal = "internal error"
	textBadBody  = "the body can't be decoded"
)

// maxErrorText is how much of an error is logged, in bytes, because it may quote
// what the other side sent.
const maxErrorText = 1 << 10

// maxErrorLines is how many lines of one kind a peer logs in a second. The line of a
// panic is some kilobytes long, and a stranger can repeat a call that panics or fails.
const maxErrorLines = 10

// An errorLog has a throttle for each kind of line, so that bodies that can't be
// decoded, which any client can send, don't hide failures of handlers. Lines about
// connections that break the protocol are bounded to one a second, because any client
// can open one after another.
type errorLog struct{ panics, failures, bodies, statuses, ends logging.Throttle }

func (l *errorLog) init() {
	for _, t := range []*logging.Throttle{&l.panics, &l.failures, &l.bodies, &l.statuses} {
		t.Lines = maxErrorLines
	}
}

// logError writes a line to log unless t, the throttle of its kind, suppresses it. It
// returns the text for the other side, with the id of the line if it was written.
func logError(log logging.Printer, t *logging.Throttle, level slog.Level, what, text string, attrs ...slog.Attr) string {
	if !log.Enabled(level) {
		return text
	}
	missed, ok := t.Allow(time.Now())
	if !ok {
		return text
	}
	id := fmt.Sprintf("%012x", rand.Uint64()>>16)
	log.Log(level, what, append([]slog.Attr{slog.String("id", id), slog.Int("left_out", missed)}, attrs...)...)
	return text + ", id " + id
}

// internalError is the status of a panic, which is written to log with attrs.
func (sh *Shared) internalError(log logging.Printer, err *message.PanicError, attrs ...slog.Attr) *message.Status {
	text := logError(log, &sh.errorLog.panics, slog.LevelError, "panic", textInternal, append([]slog.Attr{
		slog.String("where", err.Where), slog.Any("panic", err.Value), slog.String("stack", string(err.Stack)),
	}, attrs...)...)
	if sh.ErrorDetail {
		return newStatus(message.CodeInternalServerError, err.Value)
	}
	return newStatus(message.CodeInternalServerError, text)
}

// told returns st, the outcome of a message, as the other side may see it. The rest is
// written to log.
func (sh *Shared) told(log logging.Printer, st *message.Status) *message.Status {
	around := st.Around()
	st = plain(st)
	switch {
	case sh.ErrorDetail && around != nil:
		return st.Copy(around)
	case sh.ErrorDetail:
		return st
	case !st.CauseHidden():
		if around != nil { // the status is meant for the other side, so it gets no id
			logError(log, &sh.errorLog.statuses, slog.LevelInfo, "failed", "", wholeStatus(st, around))
		}
		return st
	}
	if panicked, ok := message.AsPanic(st.Cause()); ok {
		return st.Copy(sh.internalError(log, panicked, aroundAttr(around)).Cause())
	}
	throttle, text := &sh.errorLog.failures, textInternal
	if st.Code() == message.CodeBadMessage {
		throttle, text = &sh.errorLog.bodies, textBadBody
	}
	return st.Copy(logError(log, throttle, slog.LevelWarn, "failed", text, wholeStatus(st, around)))
}

// wholeStatus is st as an attribute, with more of its texts than the log of a message has.
func wholeStatus(st *message.Status, around error) slog.Attr {
	attrs := []any{slog.Int("code", int(st.Code())), slog.String("msg", st.Msg())}
	if cause := st.Cause(); cause != nil {
		attrs = append(attrs, slog.String("cause", cutError(cause)))
	}
	return slog.Group("status", append(attrs, aroundAttr(around))...)
}

// aroundAttr is the error around a status as an attribute. Handlers leave out that of nil.
func aroundAttr(around error) slog.Attr {
	if around == nil {
		return slog.Attr{}
	}
	return slog.String("err", cutError(around))
}

func cutError(err error) string {
	text := err.Error()
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "")
	}
	return text
}

// HandlerStatus returns the status of a message whose handler returned err: that
// which err wraps ([message.FromError]), as it is; CodeHandleTimeout or
// CodeCanceled if the context of the handler or of a call of its ended; else
// CodeUnknownError. The text of an err without a status stays on this side
// ([message.Status.HideCause]).
func HandlerStatus(err error) *message.Status {
	st := message.FromError(err)
	if st.Code() != message.CodeUnknownError {
		return st
	}
	code := int32(message.CodeCanceled)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		code = message.CodeHandleTimeout
	case !errors.Is(err, context.Canceled):
		return st
	}
	ended := newStatus(code, err)
	if err != context.DeadlineExceeded && err != context.Canceled { // it says more than these
		ended.HideCause()
	}
	return ended
}

// decodeFailed returns the status of a body that could not be decoded. A panic is
// written to log.
func (sh *Shared) decodeFailed(log logging.Printer, err error) *message.Status {
	if panicked, ok := message.AsPanic(err); ok {
		return sh.internalError(log, panicked)
	}
	switch {
	case errors.Is(err, errTooMuchDecoded): // its handler was not called
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
