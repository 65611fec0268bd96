package session

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/goerpc/erpc/message"
)

// ErrOverflow is the cause of the status CodeExhausted of a message that waited
// for a handler and got none: too many came after it, or it waited too long. It was
// not executed.
var ErrOverflow = errors.New("session: overflow: too many messages wait for the handler; this one was not executed")

// SetQueue lets up to n messages above the limit of the handler wait for it, each
// for at most longest. The newest is handled first, because under overload its
// caller is the one most likely to wait still. If more than n would wait, the
// oldest is refused with CodeExhausted and [ErrOverflow] at once, as is a message
// that has waited for longest. Messages that wait count as handlers at work.
// SetQueue is for PostReg hooks, together with [Handler.SetLimit]; it has no
// effect on an ordered handler or one without a limit.
func (h *Handler) SetQueue(n int, longest time.Duration) {
	h.backlog = nil
	if n > 0 && longest > 0 {
		h.backlog = &backlog{maxWaiting: n, maxWait: longest}
	}
}

// queues reports whether messages wait for the handler when it is at its limit.
func (h *Handler) queues() bool { return h != nil && h.backlog != nil && h.limit > 0 && !h.ordered }

// A backlog is the messages that wait for one handler.
type backlog struct {
	maxWaiting int
	maxWait    time.Duration

	mu      sync.Mutex // guards the following
	running int
	waiting []*exchange // oldest first; start is when each began to wait
	timed   bool        // a timer that checks the oldest is set
}

// enter runs x, which has its slot, or queues it. It takes ownership of x.
func (b *backlog) enter(x *exchange, limit int) {
	x.start = clock()
	b.mu.Lock()
	if b.running < limit {
		b.running++
		b.mu.Unlock()
		b.run(x)
		return
	}
	b.waiting = append(b.waiting, x)
	var oldest *exchange
	if len(b.waiting) > b.maxWaiting {
		oldest = b.waiting[0]
		b.waiting = slices.Delete(b.waiting, 0, 1)
	}
	if !b.timed {
		b.timed = true
		time.AfterFunc(b.maxWait, b.expire)
	}
	b.mu.Unlock()
	if oldest != nil {
		b.refuse(oldest)
	}
}

func (b *backlog) run(x *exchange) {
	x.slot.backlog = b
	x.conn.shared.workers.Run(x)
}

// handlerDone ends the turn of a message and runs the newest of those that wait.
func (b *backlog) handlerDone() {
	for {
		b.mu.Lock()
		n := len(b.waiting)
		if n == 0 {
			b.running--
			b.mu.Unlock()
			return
		}
		x := b.waiting[n-1]
		b.waiting = slices.Delete(b.waiting, n-1, n)
		b.mu.Unlock()
		if !x.abandoned() {
			b.run(x)
			return
		}
		b.refuse(x)
	}
}

// expire refuses messages that have waited too long.
func (b *backlog) expire() {
	b.mu.Lock()
	now := clock()
	n := 0
	for n < len(b.waiting) && now-b.waiting[n].start >= b.maxWait {
		n++
	}
	late := slices.Clone(b.waiting[:n])
	b.waiting = slices.Delete(b.waiting, 0, n)
	b.timed = len(b.waiting) > 0
	if b.timed {
		time.AfterFunc(b.maxWait-(now-b.waiting[0].start), b.expire)
	}
	b.mu.Unlock()
	for _, x := range late {
		b.refuse(x)
	}
}

// refuse refuses a message that waited, and frees it. The mutex must not be held.
func (b *backlog) refuse(x *exchange) {
	x.refuse(message.CodeExhausted, ErrOverflow)
	if x.deadline != nil {
		x.deadline.end()
	}
	x.conn.sock.StartFlush()
	x.slot.free()
	putExchange(x)
}
