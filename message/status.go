package message

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
)

// A Status is the outcome of a call or a push, as it travels in a message
// header. A nil *Status means success, and every method that reads accepts a nil
// receiver. A status that was passed to the framework must not be changed after
// that.
//
// Status is deliberately not an error: a nil *Status stored in an error would
// not be nil. Use [Status.Err].
type Status struct {
	code   int32
	hidden bool // see HideCause
	msg    string
	cause  error
	around error // see Around
	stack  []uintptr
}

// NewStatus returns a status. The optional cause is an error, or any other value,
// which is turned into text. The text is sent to the other side.
func NewStatus(code int32, msg string, cause ...any) *Status {
	s := &Status{code: code, msg: msg}
	if len(cause) > 0 {
		s.cause = toError(cause[0])
	}
	return s
}

// NewStatusWithStack is [NewStatus] with the caller's stack, which is printed
// by the %+v verb and never sent.
func NewStatusWithStack(code int32, msg string, cause ...any) *Status {
	s := NewStatus(code, msg, cause...)
	s.stack = callers()
	return s
}

// NewStatusByCodeText returns a status whose message is [CodeText] of code.
func NewStatusByCodeText(code int32, cause any, tagStack bool) *Status {
	s := &Status{code: code, msg: CodeText(code), cause: toError(cause)}
	if tagStack {
		s.stack = callers()
	}
	return s
}

func toError(cause any) error {
	switch c := cause.(type) {
	case nil:
		return nil
	case error:
		return c
	case *Status:
		return c.Err()
	case string:
		return errors.New(c)
	}
	return fmt.Errorf("%v", cause)
}

func callers() []uintptr {
	pc := make([]uintptr, 32)
	return pc[:runtime.Callers(3, pc)]
}

// OK reports success.
func (s *Status) OK() bool { return s == nil || s.code == CodeOK }

// Code returns the code, [CodeOK] for nil.
func (s *Status) Code() int32 {
	if s == nil {
		return CodeOK
	}
	return s.code
}

// Msg returns the message, which is meant for people.
func (s *Status) Msg() string {
	if s == nil {
		return ""
	}
	return s.msg
}

// Cause returns the underlying error, or nil. In a status from the other side it
// has only the text of the original.
func (s *Status) Cause() error {
	if s == nil {
		return nil
	}
	return s.cause
}

// SetCode changes the code and returns s.
func (s *Status) SetCode(code int32) *Status {
	s.code = code
	return s
}

// SetMsg changes the message and returns s.
func (s *Status) SetMsg(msg string) *Status {
	s.msg = msg
	return s
}

// SetCause changes the cause and returns s.
func (s *Status) SetCause(cause any) *Status {
	s.cause, s.hidden, s.around = toError(cause), false, nil
	return s
}

// HideCause keeps the cause of s on this side and returns s: a session that sends s
// logs the cause and sends a public text in its place, with an id that is in the log
// line too. A new cause is not hidden.
func (s *Status) HideCause() *Status {
	s.hidden = true
	return s
}

// CauseHidden reports whether s has a cause that [Status.HideCause] keeps on this
// side.
func (s *Status) CauseHidden() bool { return s != nil && s.hidden && s.cause != nil }

// Around returns the error in which [FromError] found s, if its text says more than s
// does; else nil. Like a hidden cause it stays on this side: a session that sends s
// writes it to its log.
func (s *Status) Around() error {
	if s == nil {
		return nil
	}
	return s.around
}

// Copy returns a copy, with another cause if one is given.
func (s *Status) Copy(newCause ...any) *Status {
	if s == nil {
		return nil
	}
	c := *s
	if len(newCause) > 0 {
		c.cause, c.hidden = toError(newCause[0]), false
	}
	return &c
}

// maxLogged is how much of message and cause String shows, in bytes: either may
// come from the other side and is logged.
const maxLogged = 256

// String returns the status as one line of text. It shows up to 256 bytes of the
// message, of the cause and of the error around the status ([Status.Around]).
func (s *Status) String() string {
	if s == nil {
		return "code=0"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "code=%d", s.code)
	if s.msg != "" {
		fmt.Fprintf(&b, " msg=%q", cut(s.msg, maxLogged))
	}
	if s.cause != nil {
		fmt.Fprintf(&b, " cause=%q", cut(s.cause.Error(), maxLogged))
	}
	if s.around != nil {
		fmt.Fprintf(&b, " err=%q", cut(s.around.Error(), maxLogged))
	}
	return b.String()
}

// LogValue implements [slog.LogValuer]: a status is a group of code, msg, cause and err,
// the error around it ([Status.Around]). The latter three are cut to 256 bytes and left out
// if they are empty.
func (s *Status) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Int64("code", int64(s.Code()))}
	if msg := s.Msg(); msg != "" {
		attrs = append(attrs, slog.String("msg", cut(msg, maxLogged)))
	}
	if cause := s.Cause(); cause != nil {
		if text := cause.Error(); text != "" {
			attrs = append(attrs, slog.String("cause", cut(text, maxLogged)))
		}
	}
	if around := s.Around(); around != nil {
		attrs = append(attrs, slog.String("err", cut(around.Error(), maxLogged)))
	}
	return slog.GroupValue(attrs...)
}

// Format implements [fmt.Formatter]: %+v adds the stack, if one was taken.
func (s *Status) Format(f fmt.State, verb rune) {
	_, _ = f.Write([]byte(s.String())) // fmt.State reports no errors of its own
	if s == nil || verb != 'v' || !f.Flag('+') || len(s.stack) == 0 {
		return
	}
	frames := runtime.CallersFrames(s.stack)
	for {
		fr, more := frames.Next()
		fmt.Fprintf(f, "\n\t%s\n\t\t%s:%d", fr.Function, fr.File, fr.Line)
		if !more {
			return
		}
	}
}

type statusJSON struct {
	Code  int32  `json:"code"`
	Msg   string `json:"msg"`
	Cause string `json:"cause"`
}

// MarshalJSON writes {"code":…,"msg":…,"cause":…}, without escapes for HTML.
// [json.Marshal] adds them.
func (s *Status) MarshalJSON() ([]byte, error) {
	var j statusJSON
	if s != nil {
		j.Code, j.Msg = s.code, s.msg
		if s.cause != nil {
			j.Cause = s.cause.Error()
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&j); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// UnmarshalJSON reads what [Status.MarshalJSON] writes.
func (s *Status) UnmarshalJSON(b []byte) error {
	var j statusJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("message: bad status: %w", err)
	}
	*s = Status{code: j.Code, msg: j.Msg}
	if j.Cause != "" {
		s.cause = errors.New(j.Cause)
	}
	return nil
}

// Err returns nil for success, otherwise a [*StatusError].
func (s *Status) Err() error {
	if s.OK() {
		return nil
	}
	return &StatusError{s}
}

// A StatusError is a failed [Status] as an error. [errors.As] finds it, and
// [errors.Is] finds the cause of the status.
type StatusError struct{ Status *Status }

// Error implements error.
func (e *StatusError) Error() string {
	msg := fmt.Sprintf("status %d", e.Status.Code())
	if e.Status.Msg() != "" {
		msg += " " + e.Status.Msg()
	}
	if cause := e.Status.Cause(); cause != nil {
		if text := cause.Error(); text != "" {
			msg += ": " + text
		}
	}
	return msg
}

// Is makes [errors.Is] find the context errors of a call that took too long or was
// cancelled, whichever side noticed first.
func (e *StatusError) Is(target error) bool {
	switch target {
	case context.DeadlineExceeded:
		return e.Status.Code() == CodeHandleTimeout
	case context.Canceled:
		return e.Status.Code() == CodeCanceled
	}
	return false
}

// Unwrap returns the cause of the status.
func (e *StatusError) Unwrap() error { return e.Status.Cause() }

// FromError returns the status that err carries ([StatusError]), nil for nil,
// and [CodeUnknownError] with err as its hidden cause ([Status.HideCause]) for any
// other error. If err wraps the status in a text of its own, the result is a copy that
// keeps err ([Status.Around]).
func FromError(err error) *Status {
	if err == nil {
		return nil
	}
	se, direct := err.(*StatusError)
	if !direct && !errors.As(err, &se) {
		return &Status{code: CodeUnknownError, msg: CodeText(CodeUnknownError), cause: err, hidden: true}
	}
	st := se.Status
	if direct || st.OK() || err.Error() == se.Error() {
		return st
	}
	c := *st
	c.around = err
	if st.around != nil { // the status was wrapped before, too
		c.around = fmt.Errorf("%w (%w)", err, st.around)
	}
	return &c
}

const okQuery = "code=0"

// MaxStatus is how long, in bytes, the query text of a status may be in every
// protocol.
const MaxStatus = 65535

// ErrStatusTooLong is [Message.Err] of a message whose status is above
// [MaxStatus].
var ErrStatusTooLong = fmt.Errorf("message: the status is longer than %d bytes when escaped; send long text as a body", MaxStatus)

// checkSize returns [ErrStatusTooLong] if s is too long for every receiver. It
// builds the query text only if s may be too long.
func (s *Status) checkSize() error {
	if s == nil {
		return nil
	}
	n := len(s.msg)
	if s.cause != nil {
		n += len(s.cause.Error())
	}
	const frame, escaped = 64, 3 // bytes of code and keys; most bytes that one byte escapes to
	if n <= (MaxStatus-frame)/escaped || len(s.AppendQuery(nil)) <= MaxStatus {
		return nil
	}
	return ErrStatusTooLong
}

// cut shortens s to n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "..."
}

// AppendQuery appends s as query text: code=0 for success.
func (s *Status) AppendQuery(dst []byte) []byte {
	if s == nil {
		return append(dst, okQuery...)
	}
	dst = strconv.AppendInt(append(dst, "code="...), int64(s.code), 10)
	if s.msg != "" {
		dst = appendEscaped(append(dst, "&msg="...), s.msg)
	}
	if s.cause != nil {
		dst = appendEscaped(append(dst, "&cause="...), s.cause.Error())
	}
	return dst
}

// ParseStatus is the inverse of [Status.AppendQuery]. It does not retain query and
// returns nil for success. A query above [MaxStatus] is an error.
func ParseStatus(query []byte) (*Status, error) {
	if len(query) > MaxStatus {
		return nil, fmt.Errorf("message: bad status: %d bytes of at most %d", len(query), MaxStatus)
	}
	if len(query) == 0 || string(query) == okQuery {
		return nil, nil
	}
	s := new(Status)
	var err error
	eachPair(query, func(k, v []byte) bool {
		switch string(k) {
		case "code":
			var n int64
			n, err = strconv.ParseInt(string(v), 10, 32)
			s.code = int32(n)
		case "msg":
			s.msg = unescape(v)
		case "cause":
			s.cause = errors.New(unescape(v))
		}
		return err == nil
	})
	if err != nil {
		return nil, fmt.Errorf("message: bad status: %w", err)
	}
	if s.code == CodeOK && s.msg == "" && s.cause == nil {
		return nil, nil
	}
	return s, nil
}
