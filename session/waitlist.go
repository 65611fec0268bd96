package session

import (
	"container/list"
	"errors"
	"sync"

	"github.com/goerpc/erpc/message"
)

// maxWaitingCalls is how many asynchronous calls of one session wait for a
// redial.
const maxWaitingCalls = 10_000

var errTooManyWaiting = errors.New("session: too many calls wait for the redial; the call was not sent")

// A waitlist is the asynchronous calls of a session that wait for a connection,
// in the order in which they will be sent. One goroutine sends them. The zero
// value is ready; busy and len take a nil one for empty.
type waitlist struct {
	mu      sync.Mutex // guards the following
	calls   list.List  // of waitingCall
	sending bool       // a goroutine calls next until it returns none
}

type waitingCall struct {
	cmd *CallCmd
	x   *exchange // its message
}

// busy reports whether calls wait or are about to be sent. A new call must not
// overtake these.
func (w *waitlist) busy() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sending
}

func (w *waitlist) len() int {
	if w == nil {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls.Len()
}

// add adds c. ok reports whether there was room, start whether the caller must
// start the goroutine that sends.
func (w *waitlist) add(c waitingCall) (ok, start bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls.Len() >= maxWaitingCalls {
		return false, false
	}
	c.cmd.async.place = w.calls.PushBack(c)
	start = !w.sending
	w.sending = true
	return true, start
}

// next removes and returns the first call. If there is none, the goroutine that
// sends must end.
func (w *waitlist) next() (waitingCall, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls.Len() == 0 {
		w.sending = false
		return waitingCall{}, false
	}
	return w.removeLocked(w.calls.Front()), true
}

// remove removes a call. It reports false if the call is not in the list.
func (w *waitlist) remove(cmd *CallCmd) (waitingCall, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cmd.async.place == nil {
		return waitingCall{}, false
	}
	return w.removeLocked(cmd.async.place), true
}

func (w *waitlist) removeLocked(e *list.Element) waitingCall {
	c := w.calls.Remove(e).(waitingCall)
	c.cmd.async.place = nil
	return c
}

// A callSender sends the calls whose turn has come; it is the session.
type callSender interface {
	// sendAsync sends the call whose message is x, and takes ownership of x.
	sendAsync(cmd *CallCmd, x *exchange, mode sendMode) *conn
}

// sendLater makes a call wait until by can send it. It takes ownership of x.
func (w *waitlist) sendLater(cmd *CallCmd, x *exchange, by callSender) {
	ok, start := w.add(waitingCall{cmd, x})
	if !ok {
		putExchange(x)
		cmd.finish(Refusal(newStatus(message.CodeExhausted, errTooManyWaiting)))
		return
	}
	if start {
		go w.sendAll(by)
	}
	if cmd.wasAborted() { // abort may have come before it was in the list
		w.abort(cmd)
	}
}

// abort ends a call, which was aborted, if it is in the list.
func (w *waitlist) abort(cmd *CallCmd) {
	c, ok := w.remove(cmd)
	if !ok {
		return
	}
	putExchange(c.x)
	cmd.finish(cmd.async.abortStatus())
}

// sendAll sends the calls that wait, one after another.
func (w *waitlist) sendAll(by callSender) {
	exited := true
	defer func() {
		if exited { // a hook called runtime.Goexit
			go w.sendAll(by)
		}
	}()
	for {
		c, ok := w.next()
		if !ok {
			break
		}
		by.sendAsync(c.cmd, c.x, sendMode{})
	}
	exited = false
}
