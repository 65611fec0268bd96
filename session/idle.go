package session

import (
	"errors"
	"os"
	"sync"
	"time"
)

// A goroutine that has handled messages has a stack twice the size that it needs
// to wait for the next one, and the garbage collector can't shrink it. So when a
// connection has had no message for a while, the watchdog wakes the waiting
// goroutine with a read deadline in the past, and that leaves the waiting to a
// goroutine with a fresh stack. This makes an idle session a third smaller.
//
// If an event loop watches the connection, the goroutine leaves the waiting to the
// loop, and an idle session has no goroutine at all. A busy session is not slower:
// it moves to the loop only when it has been silent for a while. A connection that
// was silent in the loop before returns to it as soon as there is nothing to read.

// errHandOver is returned by wait when another goroutine, or the event loop, must
// do the waiting.
var errHandOver = errors.New("session: another goroutine waits for the next message")

// readerState is the state of the goroutine that reads.
type readerState int32

const (
	readerBusy    readerState = iota // reads or handles messages
	readerWaiting                    // waits for the first byte, with no buffer
	readerWoken                      // was woken by wake
)

func (s readerState) String() string { return [...]string{"busy", "waiting", "woken"}[s] }

var readerMoves = [...][]readerState{
	readerBusy:    {readerWaiting},
	readerWaiting: {readerBusy, readerWoken},
	readerWoken:   {readerBusy},
}

func (s readerState) next() []readerState { return readerMoves[s] }

// A source is the connection that an idleReader waits on.
type source interface {
	Wait() error
	StartFlush()
	SetReadDeadline(t time.Time) error
	// Pollable reports whether waiting needs no buffer and supports a deadline.
	Pollable() bool
	// Watched reports whether an event loop can do the waiting.
	Watched() bool
	// OnReadable makes the event loop call f once there is something to read. It
	// reports false if the loop refuses.
	OnReadable(f func()) bool
}

// An idleReader waits for the next message of a connection, and owns its read
// deadline. wait and handOver are called by the goroutine that reads, resumed by the
// one that starts the next, the others concurrently. The zero value is ready.
type idleReader struct {
	state machine[readerState]

	// Owned by the goroutine that reads, then by the code that starts the next
	// one:
	parked       bool          // the event loop waits for the next message
	keepsWaiting bool          // the event loop has refused the connection
	since        time.Duration // on clock, when the waiting was handed to the loop

	mu     sync.Mutex    // guards ageEnd and the read deadline
	ageEnd time.Duration // on clock; 0: never
}

// shortNap is how long a connection must have been silent for its next silence to
// be left to the event loop at once.
const shortNap = 20 * time.Millisecond

// wait returns when there is something to read, or with errHandOver. watch puts
// the connection on the list of the watchdog, which calls wake.
func (r *idleReader) wait(src source, watch func()) error {
	loop := src.Watched() && !r.keepsWaiting
	if loop && r.parked {
		return r.poll(src)
	}
	r.state.move(readerBusy, readerWaiting)
	if loop {
		watch()
	}
	err := src.Wait()
	if r.state.move(readerWaiting, readerBusy) {
		if err == nil {
			watch()
		}
		return err
	}
	r.restoreDeadline(src) // wake no longer uses it
	r.state.move(readerWoken, readerBusy)
	if errors.Is(err, os.ErrDeadlineExceeded) && !r.aged(clock()) {
		return errHandOver
	}
	return err
}

// poll is wait while the event loop does the waiting: it returns nil only if there
// is something to read already.
func (r *idleReader) poll(src source) error {
	if src.Pollable() {
		src.StartFlush()
		return errHandOver // the event loop waits
	}
	r.mu.Lock()
	setReadDeadline(src, time.Unix(1, 0))
	r.mu.Unlock()
	err := src.Wait()
	r.restoreDeadline(src)
	if isTimeout(err) && !r.aged(clock()) {
		return errHandOver
	}
	return err
}

// handOver must be called by a goroutine that got errHandOver, before it ends. It
// calls resume, which calls resumed and starts another goroutine: once there is
// something to read or, if no event loop waits for that, at once.
func (r *idleReader) handOver(src source, resume func()) {
	r.since = clock()
	if src.Watched() && !r.keepsWaiting {
		if src.OnReadable(resume) {
			return
		}
		r.keepsWaiting = true
	}
	resume()
}

// resumed notes that the waiting which handOver began is over.
func (r *idleReader) resumed() { r.parked = clock()-r.since > shortNap }

// wake makes a goroutine that waits hand over, if the connection supports that.
func (r *idleReader) wake(src source) {
	if !src.Pollable() && !src.Watched() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.move(readerWaiting, readerWoken) {
		setReadDeadline(src, time.Unix(1, 0))
	}
}

// setAge sets the time, on clock, at which reading ends with a timeout; 0 is
// never. It costs nothing while messages flow.
func (r *idleReader) setAge(src source, end time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ageEnd = end
	r.restoreDeadlineLocked(src)
}

// aged reports whether the age has passed.
func (r *idleReader) aged(now time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ageEnd != 0 && now >= r.ageEnd
}

func (r *idleReader) restoreDeadline(src source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.restoreDeadlineLocked(src)
}

func (r *idleReader) restoreDeadlineLocked(src source) {
	var end time.Time
	if r.ageEnd != 0 {
		end = time.Now().Add(r.ageEnd - clock())
	}
	setReadDeadline(src, end)
}

// setReadDeadline ignores the error: it fails only on a closed connection, and the
// next read reports that.
func setReadDeadline(src source, t time.Time) { _ = src.SetReadDeadline(t) }
