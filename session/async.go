package session

import (
	"container/list"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/goerpc/erpc/message"
)

// asyncState is the state of an asynchronous call.
type asyncState int32

const (
	asyncSending  asyncState = iota // its sender owns it: it waits for a connection, or failed on one
	asyncInFlight                   // it is in the table of a connection
	asyncEnded
)

func (s asyncState) String() string { return [...]string{"sending", "in flight", "ended"}[s] }

// A call that was not executed goes from asyncInFlight back to asyncSending.
var asyncMoves = [...][]asyncState{
	asyncSending:  {asyncInFlight, asyncEnded},
	asyncInFlight: {asyncSending, asyncEnded},
	asyncEnded:    {},
}

func (s asyncState) next() []asyncState { return asyncMoves[s] }

// An asyncCall is what a CallCmd of AsyncCall has beyond one of Call. The caller,
// its context, the sender and the goroutine that reads the reply may all try to
// end it; the first that holds mu does.
type asyncCall struct {
	done chan struct{}   // closed at the end
	quit chan struct{}   // closed by abort
	ch   chan<- *CallCmd // may be nil

	mu      sync.Mutex // guards the following, and sess, req, conn and seq of the CallCmd
	state   machine[asyncState]
	aborted *message.Status // why it must end without a reply; nil: it was not aborted
	stop    func()          // stops watching its context; nil: it is not watched
	giveUp  func()          // of a PendingCall without a session: cancels its start; else nil

	place *list.Element // in the waitlist of its session, whose mutex guards it
}

func newAsyncCall(s *Engine, result any, ch chan<- *CallCmd) *CallCmd {
	both := &struct { // one allocation
		cmd   CallCmd
		async asyncCall
	}{}
	both.async.done, both.async.quit, both.async.ch = make(chan struct{}), make(chan struct{}), ch
	both.cmd.sess, both.cmd.result, both.cmd.async = s, result, &both.async
	return &both.cmd
}

// quit is closed when the call is aborted. It is nil for a call that can't be
// aborted.
func (cmd *CallCmd) quit() <-chan struct{} {
	if cmd.async == nil {
		return nil
	}
	return cmd.async.quit
}

// enterAsync is enter for an asynchronous call. If aborted is not nil the call was
// aborted, and is not registered.
func (cmd *CallCmd) enterAsync(c *conn) (seq int32, inFlight int, aborted *message.Status) {
	a := cmd.async
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.aborted != nil {
		return 0, 0, a.aborted
	}
	if a.state.state() == asyncInFlight { // its last connection has failed
		a.state.move(asyncInFlight, asyncSending)
	}
	seq, inFlight = c.pending.get().Add(cmd)
	if inFlight > 0 {
		cmd.conn, cmd.seq = c, seq
		a.state.move(asyncSending, asyncInFlight)
	}
	return seq, inFlight, nil
}

// wasAborted reports whether the call was ended by its caller or its context.
func (cmd *CallCmd) wasAborted() bool {
	a := cmd.async
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.aborted != nil
}

// abort ends a call without a reply, unless it has ended. If its sender owns the
// call, the sender sees it and ends the call.
func (cmd *CallCmd) abort(st *message.Status) {
	a := cmd.async
	a.mu.Lock()
	if a.state.state() == asyncEnded || a.aborted != nil {
		a.mu.Unlock()
		return
	}
	a.aborted = st
	close(a.quit)
	var c *conn
	if a.state.state() == asyncInFlight {
		c = cmd.conn
	}
	seq, s, giveUp := cmd.seq, cmd.sess, a.giveUp
	a.mu.Unlock()
	switch {
	case giveUp != nil:
		giveUp()
		return
	case c == nil:
		s.later.get().abort(cmd)
		return
	}
	if _, ours := c.pending.peek().Take(seq); !ours {
		return // the reply or the end of the connection came first
	}
	c.cancelRemote(seq)
	c.closeIfDone()
	cmd.finish(st)
}

// endWith makes the call end with ctx. cancel, which may be nil, is called when
// the call has ended.
func (cmd *CallCmd) endWith(ctx context.Context, cancel context.CancelFunc) {
	if ctx.Done() == nil {
		return
	}
	unwatch := context.AfterFunc(ctx, func() { cmd.abort(statusContext(ctx)) })
	cmd.async.mu.Lock()
	defer cmd.async.mu.Unlock()
	cmd.async.stop = func() {
		unwatch()
		if cancel != nil {
			cancel()
		}
	}
}

// finishAsync is finish for an asynchronous call.
func (cmd *CallCmd) finishAsync(st *message.Status) {
	a := cmd.async
	a.mu.Lock()
	if cmd.resendable && a.aborted == nil && goesAway(st) {
		a.state.move(asyncInFlight, asyncSending)
		old := cmd.conn
		a.mu.Unlock()
		go cmd.sess.resend(cmd, old)
		return
	}
	a.state.move(a.state.state(), asyncEnded)
	stop, giveUp := a.stop, a.giveUp
	a.mu.Unlock()
	cmd.st = st
	if stop != nil {
		stop()
	}
	if giveUp != nil {
		giveUp()
	}
	if cmd.sess != nil {
		cmd.sess.shared.runs.called(cmd)
	}
	close(a.done)
	cmd.deliver()
}

// maxDelivery is how long, after the end of the session, a goroutine waits to
// deliver a call over a channel without room.
const maxDelivery = 3 * time.Second

// deliver puts the call into the channel of its caller. If the channel is full,
// another goroutine waits for room.
func (cmd *CallCmd) deliver() {
	ch := cmd.async.ch
	if ch == nil {
		return
	}
	select {
	case ch <- cmd:
		return
	default:
	}
	go func() {
		select {
		case ch <- cmd:
			return
		case <-cmd.sessionEnded():
		}
		t := time.NewTimer(maxDelivery)
		defer t.Stop()
		select {
		case ch <- cmd:
		case <-t.C:
			if cmd.sess != nil {
				cmd.sess.Log(slog.LevelDebug, "nobody took a call from its channel", slog.String("method", cmd.req.method))
			}
		}
	}()
}

// sessionEnded is closed when the session of the call has ended, or if the call
// never had one.
func (cmd *CallCmd) sessionEnded() <-chan struct{} {
	if cmd.sess == nil {
		return ended
	}
	return cmd.sess.CloseNotify()
}

func (a *asyncCall) abortStatus() *message.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.aborted
}

// startWith gives a pending call its session.
func (cmd *CallCmd) startWith(s *Engine) {
	a := cmd.async
	a.mu.Lock()
	defer a.mu.Unlock()
	cmd.sess = s
	a.giveUp()
	a.giveUp = nil
}
