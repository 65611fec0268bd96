package session

import (
	"io"
	"time"
)

// How long a connection is kept so that its other side can read why it ends: until
// the other side has sent nothing for lingerIdle, but no longer than maxLinger.
const (
	lingerIdle = 200 * time.Millisecond
	maxLinger  = 2 * time.Second
)

// linger reads and discards what still arrives on a connection for a moment:
// closing it with unread bytes sends an RST, after which the other side could lose
// what was just sent. setDeadline sets the read deadline.
func linger(from io.Reader, setDeadline func(time.Time) error) {
	end := time.Now().Add(maxLinger)
	var discard [16 << 10]byte
	for now := time.Now(); now.Before(end); now = time.Now() {
		_ = setDeadline(now.Add(lingerIdle)) // the loop has a bound of its own
		if _, err := from.Read(discard[:]); err != nil {
			return
		}
	}
}
