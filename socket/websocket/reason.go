package websocket

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/coder/websocket"
)

// The close frame carries the reason of an end: it is the only thing that every client of
// a WebSocket can see, even a page.
//
//	4001 to 4999  a status of the code less 4000; the other side is not to come back
//	4000          the same with any other code, which stands in front of the text
//	1012          come back; the reason is a code and a text
//	3000 to 3999  a code of the program, as pages choose it
//	1000, 1001    with a text: that of a page; without one it is no more than the end
const (
	statusBase  = 4000
	statusLimit = 5000
	pageBase    = 3000
)

// codeConnClosed is erpc's code of an end without another code.
const codeConnClosed = 102

// SayClose makes Close send a reason, the code of a status, and whether the other
// side may reconnect.
func (c *conn) SayClose(code int32, text string, reconnect bool) {
	r := &reason{code: code, text: text, reconnect: reconnect}
	c.reason.CompareAndSwap(nil, r)
}

// A reason is what SayClose was given.
type reason struct {
	code      int32
	text      string
	reconnect bool
}

// frame returns the code and the text of the close frame.
func (r *reason) frame() (websocket.StatusCode, string) {
	switch numbered := strconv.FormatInt(int64(r.code), 10) + " " + r.text; {
	case r.reconnect:
		return websocket.StatusServiceRestart, cutReason(numbered)
	case 0 < r.code && r.code < statusLimit-statusBase:
		return websocket.StatusCode(statusBase + r.code), cutReason(r.text)
	default:
		return statusBase, cutReason(numbered)
	}
}

// cutReason cuts a text to what fits into a close frame.
func cutReason(text string) string {
	text = strings.ToValidUTF8(text, "")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "")
	}
	return text
}

// A ClosedError is the end of a connection for which the other side has given a reason.
type ClosedError struct {
	Code      int32 // of a status
	Text      string
	Reconnect bool // the other side accepts another connection
}

// Error implements error.
func (e *ClosedError) Error() string {
	return fmt.Sprintf("websocket: closed by the other side: %d %q", e.Code, e.Text)
}

// CloseReason returns the three fields.
func (e *ClosedError) CloseReason() (code int32, text string, reconnect bool) {
	return e.Code, e.Text, e.Reconnect
}

// closedBy returns the reason in an error of the library, nil if there is none.
func closedBy(err error) *ClosedError {
	var frame websocket.CloseError
	if !errors.As(err, &frame) {
		return nil
	}
	code, text := numbered(frame.Reason)
	switch c := frame.Code; {
	case c == statusBase:
		return &ClosedError{code, text, false}
	case statusBase < c && c < statusLimit:
		return &ClosedError{int32(c) - statusBase, frame.Reason, false}
	case pageBase <= c && c < statusBase:
		return &ClosedError{int32(c), frame.Reason, true}
	case c == websocket.StatusServiceRestart:
		return &ClosedError{code, text, true}
	case (c == websocket.StatusNormalClosure || c == websocket.StatusGoingAway) && frame.Reason != "":
		return &ClosedError{codeConnClosed, frame.Reason, true}
	}
	return nil
}

// numbered splits a text that begins with a code. A text without one is returned as
// it is, with codeConnClosed.
func numbered(s string) (code int32, text string) {
	number, text, ok := strings.Cut(s, " ")
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil || n == 0 {
		return codeConnClosed, s
	}
	return int32(n), text
}
