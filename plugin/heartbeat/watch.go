package heartbeat

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/internal/lograte"
)

// A watch looks after one connection, twice a beat. It is made in a connect hook
// and begins when it is told the rate.
type watch struct {
	early   erpc.PreSession // only to describe the session
	conn    net.Conn
	redials bool // the session makes another connection when this one breaks
	inOrder bool // the other side reads nothing while its handler works
	step    func(*watch, erpc.Session, *signs) (dead bool)
	lost    *lograte.Limiter // of the lines about connections that end: of the plugin

	mu      sync.Mutex // guards the following
	rate    time.Duration
	told    bool        // the other side has said the rate
	timer   *time.Timer // nil: not begun
	looking bool        // look runs, and sets the timer when it ends
	stopped bool

	signs signs // of look
}

// signs are what a watch has noticed. Times are counted in looks, not read from
// a clock: a process that was stopped for a while has missed nothing.
type signs struct {
	in, messages, out uint64        // bytes in, messages out, bytes out as of the last look
	heardOut          uint64        // bytes out when something was heard last
	unheard, unsaid   int           // looks since something came in, and since something was sent
	silence           time.Duration // since when an answer is due, without a sign of life
	waits             bool          // something waits to be written
	told              time.Duration // the rate in the last heartbeat sent
	asked             erpc.CallCmd  // the last question, nil if there was none
}

// newWatch is for connect hooks.
func newWatch(sess erpc.PreSession, dialed bool, lost *lograte.Limiter, step func(*watch, erpc.Session, *signs) bool) *watch {
	w := &watch{early: sess, step: step, lost: lost, conn: sess.NetConn(), inOrder: sess.AnswersInOrder()}
	if p, ok := sess.Peer().(erpc.Peer); ok && dialed {
		w.redials = p.Config().RedialTimes != 0
	}
	return w
}

// begin starts to look, after a while the first time, or changes the rate for
// the looks after the next.
func (w *watch) begin(rate, first time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rate = rate
	if w.timer == nil && !w.stopped {
		w.timer = time.AfterFunc(first, w.look)
	}
}

// tell is begin with the rate that the other side says. The next look is due as
// the new rate has it.
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

// knows reports whether the other side has said the rate.
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

// look runs twice a beat, never twice at the same time: the next look is set
// when this one is over. One that tell has set meanwhile does nothing.
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

// session returns the session once it is open.
func (w *watch) session() erpc.Session {
	sess, ok := w.early.Peer().GetSession(w.early.ID())
	if !ok || sess.Swap() != w.early.Swap() {
		return nil // not yet, or another one with that id
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
	if err == nil { // else it was closed already: the session is being redialed, say
		w.lost.Do(func(skipped uint64) {
			sess.Log(slog.LevelWarn, "heartbeat: nothing was heard; connection closed", slog.Duration("beat", rate), slog.Uint64("others", skipped))
		})
	}
}

// read compares what the session has sent and received with the last look.
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

// unanswered reports whether a question is open.
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

// grace is how long what was written since something was heard may take to
// arrive: no more than the buffers on its way can hold.
func (s *signs) grace() time.Duration {
	const buffers = 16 << 20 // bytes
	return time.Duration(min(s.out-s.heardOut, buffers)) * time.Second / throughput
}
