package session

import (
	"log/slog"

	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/message"
)

// An outcome says what became of a message that was read.
type outcome struct {
	keep bool // the exchange is the reader's again
	read bool // the goroutine still reads
}

// beforeHeader runs the hooks that precede a header.
func (l *readLoop) beforeHeader(hooks []PreReadHeaderPlugin) (err error) {
	name := ""
	defer func() {
		if p := recover(); p != nil {
			err = guard.New(p, "plugin", name)
		}
	}()
	for _, hook := range hooks {
		name = hook.Name()
		if err := hook.PreReadHeader(l.x); err != nil {
			return err
		}
	}
	return nil
}

// accept handles the message that was read, here or on another goroutine.
func (l *readLoop) accept() outcome {
	keep := outcome{keep: true, read: true}
	c, x := l.c, l.x
	mtype := x.in.Mtype()
	switch mtype {
	case message.TypeReply:
		x.role = roleReply
		return l.acceptReply()
	case message.TypeCall:
		x.role = roleInbound
		if x.in.ServiceMethod() == controlCaps && c.answerCaps(x) {
			return keep
		}
		c.acceptOffer(&x.in)
	case message.TypePush:
		x.role = roleInbound
		if isControl(x.in.ServiceMethod()) {
			c.control(&x.in)
			return keep
		}
	case message.TypeStreamOpen, message.TypeStreamData, message.TypeStreamFull, message.TypeStreamEnd, message.TypeStreamCredit:
		x.role = roleInbound
		kept, err := c.streamFrame(x)
		if err != nil {
			go c.end(err, nil)
			return outcome{keep: true}
		}
		return outcome{keep: !kept, read: true}
	default:
		x.role = roleInbound
		go c.end(&mtypeError{x.in.Mtype(), x.in.ServiceMethod()}, nil)
		return outcome{keep: true}
	}
	h, _ := c.shared.Routes.Dispatch(mtype == message.TypeCall, x.in.ServiceMethod())
	switch {
	case l.refusedByDrain():
		return keep
	case x.in.InTurn():
		l.now = 0
		l.answerInTurn(h)
		return keep
	case h != nil && l.warmUp <= 0 && !h.ordered && h.limit == 0 && h.pace.inline() && c.mayRunInline():
		return l.serveInline(h)
	}
	l.now = 0
	return l.handOut(h)
}

// acceptReply ends the call that the message answers. The watchdog does not watch
// the decoding of a small body, because codecs don't block.
func (l *readLoop) acceptReply() outcome {
	keep := outcome{keep: true, read: true}
	c, x := l.c, l.x
	cmd, ok := c.pending.peek().Take(x.in.Seq())
	if !ok { // cancelled, or never asked for
		x.Log(slog.LevelDebug, "a reply comes too late", slog.Int("seq", int(x.in.Seq())))
		return keep
	}
	c.closeIfDone()
	switch {
	case cmd.wake != nil && len(x.in.Raw()) >= largeReply:
		cmd.late = x
		cmd.finish(nil)
		return outcome{read: true}
	case !c.shared.Hooks.Load().onReply():
		cmd.finish(cmd.decodeReply(x))
		return keep
	}
	l.enter(clock())
	cmd.finishHooked(x)
	return outcome{keep: true, read: l.exit()}
}

// refusedByDrain refuses a call that arrives while the connection drains, and
// reports whether it did. It answers if the other side is known to understand the
// answer, and holds the call otherwise ([goaway]). It must be called after the
// handler was counted: then either it sees that the connection drains, or the
// goroutine that drains sees the handler. Pushes are handled until the connection
// ends, because their sender would not learn of a refusal.
func (l *readLoop) refusedByDrain() bool {
	c, x := l.c, l.x
	if x.in.Mtype() != message.TypeCall || c.goaway.serves() {
		return false
	}
	understands := c.proof.peek().given() || x.in.Meta().Peek(MetaTimeout) != nil // v7 does not send it
	if understands || !c.goaway.hold(x.in.Seq(), x.in.InTurn(), c.opened) {
		x.refuse(message.CodeShuttingDown, ErrShutdown)
	}
	return true
}

// serveInline handles a CALL or PUSH on the goroutine that reads.
func (l *readLoop) serveInline(h *Handler) outcome {
	if l.now == 0 {
		l.now = clock()
	}
	c, x := l.c, l.x
	x.deadline = newDeadline(c, &x.in) // before another goroutine reads on: the next message may cancel this one
	l.enter(l.now)
	x.slot.turn = l.turn
	if !l.refusedByDrain() {
		l.now = x.serve(h, true, l.now)
	} else if x.deadline != nil {
		x.deadline.end()
	}
	x.slot = slot{}
	if l.exit() {
		c.closeIfDone()
		return outcome{keep: true, read: true}
	}
	h.pace.blocked()
	c.sock.StartFlush() // the goroutine that reads now may already wait for the other side
	return outcome{keep: true}
}

// answerInTurn handles a message that is answered before the next is read. It
// is counted, but not bounded: there is one for each connection at most.
func (l *readLoop) answerInTurn(h *Handler) {
	x := l.x
	x.slot.occupy(l.c)
	l.inTurn = true
	if !l.refusedByDrain() {
		x.deadline = newDeadline(l.c, &x.in)
		x.serve(h, false, clock())
	}
	l.inTurn = false
	x.slot.free()
}

// handOut hands a CALL or PUSH to another goroutine, or refuses it.
func (l *readLoop) handOut(h *Handler) outcome {
	keep := outcome{keep: true, read: true}
	c, x := l.c, l.x
	if !c.awaitRoom() { // if nothing can be sent any more, replies may follow: the goroutine reads on
		x.refuse(message.CodeExhausted, errTooManyBytes)
		return keep
	}
	if !x.slot.acquire(c, &x.in, h) {
		x.refuse(message.CodeExhausted, errTooManyHandlers)
		return keep
	}
	if l.refusedByDrain() {
		x.slot.free()
		return keep
	}
	x.dispatch(h)
	return outcome{read: true}
}
