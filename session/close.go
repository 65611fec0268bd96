package session

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goerpc/erpc/message"
)

// maxEndText bounds the text of a closing, in bytes.
const maxEndText = 256

// A ClosedError is the reason of the other side that has closed the session with
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

// A tellingConn is a connection whose transport itself can say why it ends, such as a
// WebSocket. The other side need not be erpc.
type tellingConn interface {
	// SayClose sets what Close says.
	SayClose(code int32, text string, reconnect bool)
}

// A closeReason is an error of a [tellingConn] that the other side has closed.
type closeReason interface {
	error
	CloseReason() (code int32, text string, reconnect bool)
}

// ownReasons are the causes that the other side is told when this side ends the
// session.
var ownReasons = []struct {
	cause     error
	code      int32
	reconnect bool
}{
	{ErrReplaced, message.CodeConnClosed, false}, // or the two would replace each other without end
	{ErrAge, message.CodeConnClosed, true},
	{ErrIdle, message.CodeConnClosed, true},
	{ErrShutdown, message.CodeShuttingDown, true},
}

// ownReason returns what the other side is told of an end with that cause, or nil.
func ownReason(cause error) *ClosedError {
	for _, r := range ownReasons {
		if errors.Is(cause, r.cause) {
			return &ClosedError{message.NewStatus(r.code, strings.TrimPrefix(r.cause.Error(), "session: "), ""), r.reconnect}
		}
	}
	return nil
}

// codeForbidden is the code of HTTP that plugins answer with.
const codeForbidden = 403

// closeReasonOf returns the reason that the transport gave for the end of a
// connection, or nil. err is the error of the last read.
func closeReasonOf(err error) *ClosedError {
	r, ok := errors.AsType[closeReason](err)
	if !ok {
		return nil
	}
	code, text, reconnect := r.CloseReason()
	if code == message.CodeOK {
		code = message.CodeConnClosed
	}
	return &ClosedError{message.NewStatus(code, cutText(text), ""), reconnect}
}

func endText(st *message.Status, reconnect bool) string {
	may := "0"
	if reconnect {
		may = "1"
	}
	return may + " " + strconv.FormatInt(int64(st.Code()), 10) + " " + reasonText(st)
}

// reasonText is the text of a status that the other side gets.
func reasonText(st *message.Status) string {
	text := st.Msg()
	if cause := st.Cause(); cause != nil && cause.Error() != "" {
		text += ": " + cause.Error()
	}
	return cutText(text)
}

// cutText cuts the text of a closing to maxEndText.
func cutText(text string) string {
	if len(text) > maxEndText {
		text = strings.ToValidUTF8(text[:maxEndText], "")
	}
	return text
}

// parseEnd parses the result of endText.
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
