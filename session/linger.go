package session

import (
	"io"
	"time"
)

// How long a connection is kept for its other side to read why it ends: until
// that has sent nothing for lingerIdle, but no longer than maxLinger.
const (
	lingerIdle = 200 * time.Millisecond
	maxLinger  = 2 * time.Second
)

// linger reads and throws away what still comes from a connection for a moment,
// because closing it with bytes unread sends an RST, which would take back what was
// just sent. setDeadline sets the read deadline.
func linger(from io.Reader, setDeadline func(time.Time) error) {
	end := time.Now().Add(maxLinger)
	var discard [16 << 10]byte
	for now := time.Now(); now.Before(end); now = time.Now() {
		_ = setDeadline(now.Add(lingerIdle)) // the loop has its own bound
		if _, err := from.Read(discard[:]); err != nil {
			return
		}
	}
}
