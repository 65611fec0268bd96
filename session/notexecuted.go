package session

import (
	"errors"

	"github.com/goerpc/erpc/message"
)

// A notExecuted is the cause of the status of a call that was not executed.
type notExecuted struct{ cause error }

func (e *notExecuted) Error() string { return e.cause.Error() }
func (e *notExecuted) Unwrap() error { return e.cause }

// errNoCause stands in for the cause of a status that has none.
var errNoCause = errors.New("")

// NotExecuted reports whether st is the outcome of a call that was certainly not
// executed, so that it is safe to send it again. It is never the status of a
// handler, be that one that the handler has from elsewhere and passes on: a refusal
// is proven by the connection that it came over, not by its code or text. Many
// calls that were not executed can't be known to be so.
func NotExecuted(st *message.Status) bool {
	if st.OK() || st.Cause() == nil {
		return false
	}
	_, ok := errors.AsType[*notExecuted](st.Cause())
	return ok
}

// Refusal marks st, which is not OK, as the outcome of a call that is not
// executed. A hook in front of the handler that returns it makes the caller see
// that with [NotExecuted]; from a handler it is a status like any other.
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

// withCause returns a copy of st with another form of its cause, which stays hidden
// if it is.
func withCause(st *message.Status, cause error) *message.Status {
	c := st.Copy(cause)
	if st.CauseHidden() {
		c.HideCause()
	}
	return c
}

// plain returns st as it goes over the wire, without the mark of Refusal.
func plain(st *message.Status) *message.Status {
	if !NotExecuted(st) {
		return st
	}
	r, ok := st.Cause().(*notExecuted)
	switch {
	case !ok: // somebody has wrapped it: the text is the same
		return st
	case r.cause == errNoCause:
		return message.NewStatus(st.Code(), st.Msg())
	}
	return withCause(st, r.cause)
}

// dropMarks takes what only this package may say out of a message that user code
// has filled in.
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
