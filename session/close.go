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

// A tellingConn is a connection whose transport can say why it ends, to sides that are not
// known to be erpc, too: that of a WebSocket.
type tellingConn interface {
	// SayClose makes Close say it.
	SayClose(code int32, text string, reconnect bool)
}

// A closeReason is an error of a [tellingConn], about an end that the other side has
// chosen.
type closeReason interface {
	error
	CloseReason() (code int32, text string, reconnect bool)
}

// ownReasons is what the other side hears of an end that this side has a reason for.
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

// ownReason returns what the other side hears of an end with that cause, nil if that is
// nothing.
func ownReason(cause error) *ClosedError {
	for _, r := range ownReasons {
		if errors.Is(cause, r.cause) {
			return &ClosedError{message.NewStatus(r.code, strings.TrimPrefix(r.cause.Error(), "session: "), ""), r.reconnect}
		}
	}
	return nil
}

// codeForbidden is that of HTTP, which plugins answer with.
const codeForbidden = 403

// closeReasonOf returns what the transport has said of the end of a connection that
// reading ended with, err, nil if that is nothing.
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

// reasonText is what the other side reads of a status.
func reasonText(st *message.Status) string {
	text := st.Msg()
	if cause := st.Cause(); cause != nil && cause.Error() != "" {
		text += ": " + cause.Error()
	}
	return cutText(text)
}

// cutText cuts the text of a closing to its longest.
func cutText(text string) string {
	if len(text) > maxEndText {
		text = strings.ToValidUTF8(text[:maxEndText], "")
	}
	return text
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
