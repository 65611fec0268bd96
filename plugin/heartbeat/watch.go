package heartbeat

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/internal/lograte"
)

// A watch checks one connection twice per beat. It is made in a connect hook
// and starts once the rate is known.
type watch struct {
	early   erpc.PreSession // the session in its connect hook, used to find the open one
	conn    net.Conn
	redials bool // the session redials when this connection breaks
	inOrder bool // the other side reads nothing while its handler runs
	step    func(*watch, erpc.Session, *signs) (dead bool)
	lost    *lograte.Limiter // bounds the log lines about such connections; shared by the plugin

	mu      sync.Mutex // guards the following
	rate    time.Duration
	told    bool        // the other side has sent the rate
	timer   *time.Timer // nil: not started
	looking bool        // look runs, and sets the timer when it ends
	stopped bool

	signs signs // used only by look
}

// signs holds what a watch has observed. Times are counted in calls of look
// rather than read from a clock, so that a process that was suspended has
// missed nothing.
type signs struct {
	in, messages, out uint64        // bytes in, messages out, bytes out as of the last look
	heardOut          uint64        // bytes out when something was last received
	unheard, unsaid   int           // looks since something was received, and since something was sent
	silence           time.Duration // time without a sign of life while an answer is due
	waits             bool          // something waits to be written
	told              time.Duration // the rate in the last heartbeat sent
	asked             erpc.CallCmd  // the last heartbeat call, nil if there was none
}

// newWatch returns a watch of the connection of sess. Connect hooks call it.
func newWatch(sess erpc.PreSession, dialed bool, lost *lograte.Limiter, step func(*watch, erpc.Session, *signs) bool) *watch {
	w := &watch{early: sess, step: step, lost: lost, conn: sess.NetConn(), inOrder: sess.AnswersInOrder()}
	if p, ok := sess.Peer().(erpc.Peer); ok && dialed {
		w.redials = p.Config().RedialTimes != 0
	}
	return w
}

// begin starts the checks, with the first after the given time. If they have
// started, it changes the rate from the check after the next on.
func (w *watch) begin(rate, first time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rate = rate
	if w.timer == nil && !w.stopped {
		w.timer = time.AfterFunc(first, w.look)
	}
}

// tell is begin with the rate that the other side sent. It also moves the next
// check according to the new rate.
func (w *watch) tell(rate time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = true
	switch {
	case w.stopped || rate == w.rate && w.timer != nil:
	case w.timer == nil:
		w.timer = time.AfterFunc(rate/2, w.look)
	case !w.looking:
		w.timer.Reset(rate / 2)
	}
	w.rate = rate
}

// knows reports whether the other side has sent the rate.
func (w *watch) knows() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// look runs twice per beat, never concurrently: it sets the timer for the next
// check when it ends. A timer that tell has set meanwhile has no effect.
func (w *watch) look() {
	w.mu.Lock()
	rate, vain := w.rate, w.stopped || w.looking
	w.looking = true
	w.mu.Unlock()
	if vain {
		return
	}
	sess := w.session()
	if sess != nil {
		w.signs.read(sess)
		if w.step(w, sess, &w.signs) {
			w.end(sess, rate)
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looking = false
	next := w.rate / 2
	if sess == nil {
		next = min(next, firstLook)
	}
	if !w.stopped {
		w.timer.Reset(next)
	}
}

// session returns the session, or nil if it is not open yet.
func (w *watch) session() erpc.Session {
	sess, ok := w.early.Peer().GetSession(w.early.ID())
	if !ok || sess.Swap() != w.early.Swap() {
		return nil // not open yet, or another session has that id
	}
	return sess
}

// end closes the connection. A session that redials stays.
func (w *watch) end(sess erpc.Session, rate time.Duration) {
	w.stop()
	var err error
	if w.redials {
		err = w.conn.Close()
	} else {
		err = sess.Close()
	}
	if err == nil { // otherwise it was closed already, for example for a redial
		w.lost.Do(func(skipped uint64) {
			sess.Log(slog.LevelWarn, "heartbeat: nothing was heard; connection closed", slog.Duration("beat", rate), slog.Uint64("others", skipped))
		})
	}
}

// read compares the session's counters with those of the last look.
func (s *signs) read(sess erpc.Session) {
	st := sess.Stats()
	if st.BytesIn != s.in {
		s.in, s.unheard, s.silence, s.heardOut = st.BytesIn, 0, 0, st.BytesOut
	} else {
		s.unheard++
	}
	if st.MessagesOut != s.messages {
		s.messages, s.unsaid = st.MessagesOut, 0
	} else {
		s.unsaid++
	}
	s.out, s.waits = st.BytesOut, st.Queued > 0
}

// unanswered reports whether a heartbeat call is pending.
func (s *signs) unanswered() bool {
	if s.asked == nil {
		return false
	}
	select {
	case <-s.asked.Done():
		return false
	default:
		return true
	}
}

// grace returns how long the bytes written since something was received may
// take to arrive. It counts no more than the buffers on the way can hold.
func (s *signs) grace() time.Duration {
	const buffers = 16 << 20 // bytes
	return time.Duration(min(s.out-s.heardOut, buffers)) * time.Second / throughput
}
