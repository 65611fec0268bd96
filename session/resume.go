package session

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
)

// maxStalls is how many attempts in a row may transfer nothing before
// [Transfer.Resume] gives up.
const maxStalls = 10

// Resume calls attempt until the transfer is complete. attempt asks how many bytes
// the receiver already has, sets the Offset of the Transfer that it is given, and
// uploads or downloads the rest with it over o. It returns nil if nothing is left
// to do, and must not return while bytes are still transferred.
//
// There is another attempt when the connection is lost, when the other side shuts
// down, and after the errors that Again accepts. The pause before it grows, up to
// 5 s, until bytes are transferred. Resume returns the last error when ctx ends,
// when o is a session that has ended and does not redial, or when 10 attempts in a
// row have transferred nothing.
//
// Each attempt has its own checksum, and bytes that arrived before a connection
// was lost are not covered by any. Compare a checksum of the whole when the
// transfer is complete.
func (t Transfer) Resume(ctx context.Context, o StreamOpener, attempt func(t Transfer) error) error {
	stalls, pause := 0, resubscribeFirst
	for {
		var moved atomic.Bool // attempt may read or write on another goroutine
		next := t
		next.Progress = func(bytes int64) {
			moved.Store(true)
			if t.Progress != nil {
				t.Progress(bytes)
			}
		}
		err := attempt(next)
		if err == nil || !t.resumable(err) || isOver(o) {
			return err
		}
		stalls++
		if moved.Load() {
			stalls, pause = 0, resubscribeFirst
		}
		if stalls == maxStalls {
			return fmt.Errorf("session: no byte was transferred in %d attempts: %w", stalls, err)
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, resubscribeLongest)
		case <-ctx.Done():
			return err
		}
	}
}

// resumable reports whether another attempt may succeed after err.
func (t Transfer) resumable(err error) bool {
	switch message.FromError(err).Code() {
	case message.CodeConnClosed, message.CodeWriteFailed, message.CodeDialFailed, message.CodeShuttingDown:
		return true
	}
	return t.Again != nil && t.Again(err)
}

// isOver reports whether o is a session without a connection that does not redial.
func isOver(o StreamOpener) bool {
	s, ok := o.(interface{ Health() bool })
	return ok && !s.Health()
}
