package session

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/message"
)

// Errors of streams.
var (
	errTooManyStreams  = errors.New("session: too many streams are open")
	errStreamID        = errors.New("session: the id of a new stream is taken, or is none")
	errStreamTooLarge  = errors.New("session: the message is larger than the limit for messages of streams")
	errStreamCanceled  = errors.New("session: the stream was closed before it had ended")
	errStreamsDraining = errors.New("session: the peer is shutting down; the stream was not opened")
)

// streams are the open streams of a connection.
//
// Frames name a stream by an id that its opener has chosen, counting from 1. The
// id is positive in frames of the opener and negative in frames of the other side.
// The key of a stream in the table is the number in frames that arrive; frames
// that are sent have its negation.
type streams struct {
	caps    caps         // of the other side
	starved atomic.Int32 // senders that wait for credit

	mu       sync.Mutex // guards the following
	byKey    map[int32]*Stream
	ends     map[int32]*Stream // no longer in byKey: this side handled them, and their end is being written
	lastID   int32             // of the streams that this side opened
	accepted int               // streams of the other side whose handler has not returned
	ending   int               // streams of the other side whose handler has returned and whose end is being written
	state    machine[tableState]
}

// tableState says which streams a table takes.
type tableState int32

const (
	tableOpen    tableState = iota // those of both sides
	tableStopped                   // those of the other side, which shuts down
	tableClosed                    // none: the connection ends
)

func (s tableState) String() string { return [...]string{"open", "stopped", "closed"}[s] }

var tableMoves = [...][]tableState{
	tableOpen:    {tableStopped, tableClosed},
	tableStopped: {tableClosed},
	tableClosed:  {},
}

func (s tableState) next() []tableState { return tableMoves[s] }

// open adds a stream that this side opens and gives it its key. It reports false
// if the connection is closed or its other side shuts down.
func (t *streams) open(s *Stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state.state() != tableOpen {
		return false
	}
	for {
		t.lastID++
		if t.lastID <= 0 {
			t.lastID = 1
		}
		if t.byKey[-t.lastID] == nil {
			break
		}
	}
	s.key = -t.lastID
	t.enterLocked(s)
	return true
}

// accept adds a stream that the other side opens, unless there are max of them.
func (t *streams) accept(s *Stream, max int, draining bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case s.key <= 0 || t.byKey[s.key] != nil:
		return errStreamID
	case t.state.state() == tableClosed:
		return errConnClosed
	case draining:
		return errStreamsDraining
	case max > 0 && (t.accepted >= max || int64(t.accepted+t.ending) >= maxHeld(max)):
		return errTooManyStreams
	}
	t.accepted++
	t.enterLocked(s)
	return nil
}

func (t *streams) enterLocked(s *Stream) {
	if t.byKey == nil {
		t.byKey = make(map[int32]*Stream)
	}
	t.byKey[s.key] = s
}

// starve reports whether a sender waits for credit.
func (t *streams) starve() bool { return t != nil && t.starved.Load() > 0 }

// get returns the stream with that key, open or with its end being written, or nil.
func (t *streams) get(key int32) *Stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.byKey[key]; s != nil {
		return s
	}
	return t.ends[key]
}

// remove removes a stream that has ended.
func (t *streams) remove(s *Stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey[s.key] == s {
		delete(t.byKey, s.key)
	}
	if len(t.byKey) == 0 {
		t.byKey = nil // a map keeps the memory of its largest size
	}
}

// retire takes a stream that is open out of those, because its handler has returned
// and its end is about to be written. The opener may end it until [streams.release].
func (t *streams) retire(s *Stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey[s.key] != s {
		return
	}
	delete(t.byKey, s.key)
	if t.ends == nil {
		t.ends = make(map[int32]*Stream)
	}
	t.ends[s.key] = s
}

// awaited reports whether the opener of a stream that has retired waits for its end.
func (t *streams) awaited(s *Stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ends[s.key] == s
}

// forget removes a stream that has retired, because its opener does not wait for the
// end any more.
func (t *streams) forget(s *Stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgetLocked(s)
}

func (t *streams) forgetLocked(s *Stream) {
	if t.ends[s.key] == s {
		delete(t.ends, s.key)
	}
	if len(t.ends) == 0 {
		t.ends = nil
	}
}

// handlerDone gives back the place of an accepted stream, whose handler has
// returned. It is called before the end is sent, so that the opener may open
// another one.
func (t *streams) handlerDone() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accepted--
	t.ending++
}

// release ends the handling of an accepted stream, whose end was written.
func (t *streams) release(s *Stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgetLocked(s)
	t.ending--
}

// len returns how many streams of either side are open, and how many handlers of
// streams are at work or have their end being written.
func (t *streams) len() (open, handlers int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byKey), t.accepted + t.ending
}

// close makes the table refuse new streams.
func (t *streams) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if state := t.state.state(); state != tableClosed {
		t.state.move(state, tableClosed)
	}
}

// all returns the streams that are open, or have their end being written.
func (t *streams) all() []*Stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*Stream, 0, len(t.byKey)+len(t.ends))
	list = slices.AppendSeq(list, maps.Values(t.byKey))
	return slices.AppendSeq(list, maps.Values(t.ends))
}

// busy reports whether streams are open, or their handlers at work. A connection that
// never had streams has a nil pointer, on which this and the methods below do nothing.
func (t *streams) busy() bool {
	if t == nil {
		return false
	}
	open, handlers := t.len()
	return open > 0 || handlers > 0
}

// stop makes the table refuse new streams of this side.
func (t *streams) stop() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.move(tableOpen, tableStopped)
}

// end ends all streams with their connection. If a shutdown ends them the other side
// is told, but may not read it before the connection is closed.
func (t *streams) end(cause error) {
	if t == nil {
		return
	}
	t.close()
	st, tell := statusClosed(cause), false
	var closed *ClosedError
	if errors.Is(cause, ErrShutdown) {
		st, tell = newStatus(message.CodeShuttingDown, ErrShutdown), true
	} else if errors.As(cause, &closed) && closed.Status.Code() == message.CodeShuttingDown {
		st = closed.Status // the other side has said the same of the session, in front of the ends of its streams
	}
	for _, s := range t.all() {
		s.finish(st, tell)
	}
}

// endReceiving ends the streams that can't go on, because nothing more will be
// received.
func (t *streams) endReceiving() {
	if t == nil {
		return
	}
	for _, s := range t.all() {
		if s.opener() || s.life.State() != stream.RecvClosed {
			s.finish(statusClosed(errConnClosed), false)
		}
	}
}

// drain closes Draining of all open streams, because one side shuts down.
func (t *streams) drain() {
	if t == nil {
		return
	}
	for _, s := range t.all() {
		s.drain()
	}
}

// drainOne closes Draining of one stream, because the other side wants it to end.
func (t *streams) drainOne(key int32) {
	if t == nil {
		return
	}
	if s := t.get(key); s != nil {
		s.drain()
	}
}

// formatCredit returns the text of a credit, which its frame has in place of a
// service method.
func formatCredit(c stream.Credit) string {
	return strconv.FormatUint(c.Count, 10) + "." + strconv.FormatInt(c.Window, 10)
}

func parseCredit(v string) (stream.Credit, error) {
	count, window, ok := strings.Cut(v, ".")
	if !ok {
		return stream.Credit{}, fmt.Errorf("session: a credit is COUNT.WINDOW, not %q", v)
	}
	n, err := strconv.ParseUint(count, 10, 64)
	if err != nil {
		return stream.Credit{}, fmt.Errorf("session: count of a credit: %w", err)
	}
	w, err := strconv.ParseInt(window, 10, 64)
	if err != nil || w <= 0 {
		return stream.Credit{}, fmt.Errorf("session: %q is not a window of a credit", window)
	}
	return stream.Credit{Count: n, Window: w}, nil
}
