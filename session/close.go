package session

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goerpc/erpc/message"
)

// maxEndText bounds the text of a closing, in bytes.
const maxEndText = 256

// A ClosedError is why a session has ended that the other side has closed by
// [Engine.CloseWith].
type ClosedError struct {
	Status *message.Status
	// Reconnect reports whether the other side accepts another session.
	Reconnect bool
}

// Error implements error.
func (e *ClosedError) Error() string {
	return fmt.Sprintf("session: closed by the other side: %v", e.Status.Err())
}

// Unwrap returns the status as an error.
func (e *ClosedError) Unwrap() error { return e.Status.Err() }

// CloseWith implements [Session].
func (s *Engine) CloseWith(st *message.Status, reconnect bool) error {
	if st.OK() {
		st = newStatus(message.CodeConnClosed, errConnClosed)
	}
	c := s.conns.current()
	if s.State() == Open && c.proof.given() {
		c.owe(debt{what: debtEnd, text: endText(st, reconnect)})
	}
	return s.finish(st.Err())
}

func endText(st *message.Status, reconnect bool) string {
	may := "0"
	if reconnect {
		may = "1"
	}
	text := st.Msg()
	if cause := st.Cause(); cause != nil && cause.Error() != "" {
		text += ": " + cause.Error()
	}
	if len(text) > maxEndText {
		text = strings.ToValidUTF8(text[:maxEndText], "")
	}
	return may + " " + strconv.FormatInt(int64(st.Code()), 10) + " " + text
}

// parseEnd reads what endText has written.
func parseEnd(v string) (*ClosedError, bool) {
	f := strings.SplitN(v, " ", 3)
	if len(f) != 3 || f[0] != "0" && f[0] != "1" || len(f[2]) > maxEndText {
		return nil, false
	}
	code, err := strconv.ParseInt(f[1], 10, 32)
	if err != nil || code == int64(message.CodeOK) {
		return nil, false
	}
	return &ClosedError{Status: message.NewStatus(int32(code), f[2], ""), Reconnect: f[0] == "1"}, true
}

// connEnded implements [upstream]: the other side has closed the session.
func (s *Engine) connEnded(c *conn, why *ClosedError) {
	if why.Reconnect && s.dial != nil {
		s.Infof("session %s: the other side closes the connection: %v", s.ID(), why.Status)
		s.connDown(c, why)
		return
	}
	if s.conns.current() == c {
		_ = s.finish(why)
	}
}
