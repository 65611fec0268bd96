package session

import (
	"errors"

	"github.com/goerpc/erpc/message"
)

// A notExecuted is the cause of the status of a call that was not executed.
type notExecuted struct{ cause error }

func (e *notExecuted) Error() string { return e.cause.Error() }
func (e *notExecuted) Unwrap() error { return e.cause }

// errNoCause is used as the cause of a status that has none.
var errNoCause = errors.New("")

// NotExecuted reports whether st is the outcome of a call that was certainly not
// executed, so that it is safe to send it again. It is false for every status of a
// handler, even for a refusal that the handler got from another call and passes on:
// a refusal is proven by the connection that it arrived over, not by its code or
// text. It may also be false for a call that was not executed, because often that
// can't be known.
func NotExecuted(st *message.Status) bool {
	if st.OK() || st.Cause() == nil {
		return false
	}
	_, ok := errors.AsType[*notExecuted](st.Cause())
	return ok
}

// Refusal marks st, which must not be OK, as the outcome of a call that is not
// executed. If a hook that runs before the handler returns it, [NotExecuted]
// reports true to the caller; from a handler it is a status like any other.
func Refusal(st *message.Status) *message.Status {
	if st.OK() || NotExecuted(st) {
		return st
	}
	cause := st.Cause()
	if cause == nil {
		cause = errNoCause
	}
	return withCause(st, &notExecuted{cause})
}

// withCause returns a copy of st with the cause cause. A hidden cause stays hidden.
func withCause(st *message.Status, cause error) *message.Status {
	c := st.Copy(cause)
	if st.CauseHidden() {
		c.HideCause()
	}
	return c
}

// plain returns st as it is sent, without the mark of Refusal.
func plain(st *message.Status) *message.Status {
	if !NotExecuted(st) {
		return st
	}
	r, ok := st.Cause().(*notExecuted)
	switch {
	case !ok: // user code has wrapped it: the text is the same
		return st
	case r.cause == errNoCause:
		return message.NewStatus(st.Code(), st.Msg())
	}
	return withCause(st, r.cause)
}

// dropMarks removes the metadata that only this package may set from a message
// that user code has filled in.
func dropMarks(m *message.Message) {
	meta := m.Meta()
	if meta.Len() == 0 {
		return
	}
	if meta.Peek(metaRefused) != nil {
		meta.Del(metaRefused)
	}
	if meta.Peek(metaHello) != nil {
		meta.Del(metaHello)
	}
}
