package session

import (
	"context"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/socket"
)

// Call implements [Caller].
func (c *Conn) Call(serviceMethod string, arg, result any, settings ...message.Setting) *CallCmd {
	cmd := &CallCmd{conn: c, method: serviceMethod, arg: arg, result: result, settings: settings}
	cmd.wake = c.cfg.wakes.Get().(chan struct{})
	c.run(cmd)
	c.cfg.wakes.Put(cmd.wake)
	cmd.wake = nil
	return cmd
}

// do is Call for a caller who wants no more than the outcome: so the command,
// which nobody else sees, is used again.
func (c *Conn) do(serviceMethod string, arg, result any, settings []message.Setting) *message.Status {
	cmd := c.cfg.cmds.Get().(*CallCmd)
	cmd.conn, cmd.method, cmd.arg, cmd.result, cmd.settings = c, serviceMethod, arg, result, settings
	c.run(cmd)
	st := cmd.st
	*cmd = CallCmd{wake: cmd.wake}
	c.cfg.cmds.Put(cmd)
	return st
}

// run sends the call and waits for its end. cmd has a channel to be woken by.
func (c *Conn) run(cmd *CallCmd) {
	for range mostSends {
		c.callOnce(cmd)
		if !cmd.again || !goesAway(cmd.st) {
			break
		}
		c.retire(cmd.link) // it was not executed: send it over another connection
	}
	c.logCalled(cmd)
}

// mostSends is how often a call is sent whose receivers all say that they are
// shutting down.
const mostSends = 3

// callOnce sends the call and waits for its end.
func (c *Conn) callOnce(cmd *CallCmd) {
	x := getExchange(c.link.Load())
	ctx, cancel, _ := c.start(cmd, x)
	putExchange(x) // now, that thousands of waiting callers share a few
	if done := ctx.Done(); done == nil {
		<-cmd.wake
	} else {
		select {
		case <-cmd.wake:
		case <-done:
			if l := cmd.link; l != nil && l.pending.take(cmd.seq) != nil {
				l.cancelRemote(cmd)
				l.depart()
				cmd.st = statusContext(ctx)
			} else {
				<-cmd.wake // the end won the race
			}
		}
	}
	if cancel != nil {
		cancel()
	}
	if in := cmd.late; in != nil {
		cmd.late = nil
		cmd.st = in.decodeReply(cmd)
		putExchange(in)
	}
}

// AsyncCall implements [Caller].
func (c *Conn) AsyncCall(serviceMethod string, arg, result any, done chan<- *CallCmd, settings ...message.Setting) *CallCmd {
	cmd := &CallCmd{
		conn: c, method: serviceMethod, arg: arg, result: result, settings: settings,
		done: make(chan struct{}), quit: make(chan struct{}), ch: done,
	}
	c.startAsync(cmd)
	return cmd
}

// startAsync sends the call; its end comes without the caller. It may wait for
// room in the queue, as long as the context of the call allows, but not for a
// redial.
func (c *Conn) startAsync(cmd *CallCmd) {
	cmd.starting.Lock()
	if stop := cmd.stop.Swap(nil); stop != nil {
		(*stop)() // what waited for the end of the sending before
	}
	if cmd.quits.Load() { // before it was sent, or sent again
		cmd.starting.Unlock()
		cmd.again = false
		cmd.finish(statusCanceled())
		return
	}
	x := getExchange(c.link.Load())
	cancel, ready := c.prepare(cmd, x)
	c.sendAsync(cmd, x, cancel, ready, true)
}

// sendAsync sends a call that was prepared, unless it is not ready. With nowait a
// call that has to wait for a redial does so on a goroutine of its own. cmd.starting
// is held; sendAsync lets go of it, and of x.
func (c *Conn) sendAsync(cmd *CallCmd, x *exchange, cancel context.CancelFunc, ready, nowait bool) {
	sent := false
	if ready {
		var redialing bool
		if sent, redialing = c.send(cmd, x, nowait); redialing {
			go c.sendAsync(cmd, x, cancel, true, false)
			return
		}
	}
	defer cmd.starting.Unlock()
	defer putExchange(x)
	ctx := x.out.Context()
	switch {
	case sent && ctx.Done() != nil:
		c.endWithContext(cmd, ctx, cancel)
	case cancel != nil:
		cancel()
	}
}

// resend sends an asynchronous call that was refused over another connection.
func (c *Conn) resend(cmd *CallCmd) {
	c.retire(cmd.link)
	c.startAsync(cmd)
}

// Push implements [Caller].
func (c *Conn) Push(serviceMethod string, arg any, settings ...message.Setting) *message.Status {
	return c.push(serviceMethod, arg, settings, (*socket.Socket).Post)
}

// push is Push with a way of writing.
func (c *Conn) push(serviceMethod string, arg any, settings []message.Setting, write func(*socket.Socket, *message.Message) error) *message.Status {
	x := getExchange(c.link.Load())
	defer putExchange(x)
	cancel := x.fill(message.TypePush, serviceMethod, arg, settings)
	if cancel != nil {
		defer cancel()
	}
	x.start = c.clock()
	hooks := c.cfg.Hooks.Load()
	if hooks.preWritePush != nil {
		if st := x.hooked(func() *message.Status {
			return run(hooks.preWritePush, PreWritePushPlugin.PreWritePush, WriteCtx(x))
		}); !st.OK() {
			return st
		}
	}
	for {
		if st := c.usable(x, nil, false); !st.OK() {
			return st
		}
		x.out.SetSeq(x.link.pending.next())
		x.status = x.link.status(&x.out, write(x.link.sock, &x.out))
		if x.status.Code() != message.CodeConnClosed || !c.replaced(x.link) {
			break
		}
	}
	c.logPushed(x)
	if x.status.OK() && hooks.postWritePush != nil {
		_ = x.hooked(func() *message.Status { // it is written; there is nothing left to stop
			return run(hooks.postWritePush, PostWritePushPlugin.PostWritePush, WriteCtx(x))
		})
	}
	return x.status
}

// Pack returns a PUSH as bytes for [Conn.Send] on any session that speaks the
// same protocol. Its sequence number is 0, which receivers of pushes ignore.
// The hooks of pushes run once.
func (c *Conn) Pack(serviceMethod string, arg any, settings ...message.Setting) ([]byte, *message.Status) {
	x := getExchange(c.link.Load())
	defer putExchange(x)
	if cancel := x.fill(message.TypePush, serviceMethod, arg, settings); cancel != nil {
		defer cancel()
	}
	hooks := c.cfg.Hooks.Load()
	if hooks.preWritePush != nil {
		if st := x.hooked(func() *message.Status {
			return run(hooks.preWritePush, PreWritePushPlugin.PreWritePush, WriteCtx(x))
		}); !st.OK() {
			return nil, st
		}
	}
	frame, err := x.link.sock.Pack(&x.out)
	if err != nil {
		return nil, x.link.status(&x.out, err)
	}
	return frame, nil
}

// Send sends a PUSH that [Conn.Pack] made. With nowait it returns
// CodeExhausted where the policy would have it wait.
func (c *Conn) Send(ctx context.Context, frame []byte, nowait bool) *message.Status {
	if c.life.state() != Open {
		return statusClosed(c.Err())
	}
	l := c.link.Load()
	err := l.sock.Send(ctx, frame, nowait)
	if err == nil {
		return nil
	}
	m := message.New(message.WithContext(ctx))
	return l.status(m, err)
}

// ProtoName returns the name of the protocol of the connection.
func (c *Conn) ProtoName() string {
	_, name := c.link.Load().sock.Proto().Version()
	return name
}

// fill makes the outgoing message. cancel, which may be nil, releases its
// context.
func (x *exchange) fill(mtype byte, method string, arg any, settings []message.Setting) (cancel context.CancelFunc) {
	x.out.SetMtype(mtype)
	x.out.SetServiceMethod(method)
	x.out.SetBody(arg)
	x.out.Apply(settings)
	if x.out.BodyCodec() == 0 {
		x.out.SetBodyCodec(x.link.conn.cfg.BodyCodec)
	}
	ctx := x.out.Context()
	limit := x.link.conn.ContextAge()
	if mtype == message.TypeCall {
		limit = x.callLimit(limit)
	}
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
		x.out.SetContext(ctx)
	}
	if mtype == message.TypeCall {
		mark(&x.out, ctx)
	}
	return cancel
}

// start sends a CALL, top to bottom: build, hooks, register, write. It returns
// the context that bounds the call, what releases that, which may be nil, and
// whether the call was sent: if not, it has ended.
func (c *Conn) start(cmd *CallCmd, x *exchange) (ctx context.Context, cancel context.CancelFunc, sent bool) {
	cancel, ready := c.prepare(cmd, x)
	ctx = x.out.Context()
	if ready {
		sent, _ = c.send(cmd, x, false)
	}
	return ctx, cancel, sent
}

// prepare makes x the message of a CALL and runs the hooks. It returns what
// releases the context, which may be nil, and whether the call is to be sent: if
// not, it has ended.
func (c *Conn) prepare(cmd *CallCmd, x *exchange) (cancel context.CancelFunc, ready bool) {
	cancel = x.fill(message.TypeCall, cmd.method, cmd.arg, cmd.settings)
	cmd.start = c.clock()
	cmd.again = c.dial != nil && cmd.sends < mostSends-1
	cmd.sends++
	hooks := c.cfg.Hooks.Load()
	if hooks.preWriteCall != nil {
		x.swap = cmd.swap
		st := x.hooked(func() *message.Status {
			return run(hooks.preWriteCall, PreWriteCallPlugin.PreWriteCall, WriteCtx(x))
		})
		cmd.swap = x.swap
		if !st.OK() {
			cmd.again = false
			cmd.finish(st)
			return cancel, false
		}
	}
	return cancel, true
}

// send registers the call and writes it, over another connection if the one
// there is turns out to be gone before anything of it was sent. It reports
// whether it was sent; if not, the call has ended, or, with nowait, would have
// to wait for a redial.
func (c *Conn) send(cmd *CallCmd, x *exchange, nowait bool) (sent, redialing bool) {
	for {
		if st := c.usable(x, cmd.quit, nowait); st == statusRedialing {
			return false, true
		} else if !st.OK() {
			cmd.finish(st)
			return false, false
		}
		cmd.link = x.link
		inFlight := x.link.pending.add(cmd)
		if inFlight == 0 {
			if c.replaced(x.link) {
				continue
			}
			st := statusClosed(c.Err())
			if x.link.retiring.Load() && c.life.state() == Open {
				st = newStatus(message.CodeShuttingDown, errGoesAway)
			}
			cmd.finish(st)
			return false, false
		}
		x.out.SetSeq(cmd.seq)
		c.introduce(x)
		var st *message.Status
		if cmd.hold && cmd.sends == 1 { // sent again, it has nobody to join
			st = x.link.status(&x.out, x.link.sock.Queue(&x.out))
		} else {
			st = x.link.write(&x.out, inFlight > 1)
		}
		if st.OK() {
			cmd.sent.Store(x.out.Size())
			c.wrote(x)
			return true, false
		}
		if x.link.pending.take(cmd.seq) == nil {
			return false, false // ended by whoever closed the connection
		}
		x.link.depart()
		if st.Code() != message.CodeConnClosed || !c.replaced(x.link) {
			cmd.finish(st)
			return false, false
		}
	}
}

// wrote runs the hooks of a call that is written; there is nothing left to stop.
func (c *Conn) wrote(x *exchange) {
	if hooks := c.cfg.Hooks.Load(); hooks.postWriteCall != nil {
		_ = x.hooked(func() *message.Status {
			return run(hooks.postWriteCall, PostWriteCallPlugin.PostWriteCall, WriteCtx(x))
		})
	}
}

// endWithContext ends an asynchronous call, which was sent, with its context.
func (c *Conn) endWithContext(cmd *CallCmd, ctx context.Context, cancel context.CancelFunc) {
	l, seq := cmd.link, cmd.seq
	unwatch := context.AfterFunc(ctx, func() {
		if l.pending.take(seq) != nil {
			l.cancelRemote(cmd)
			l.depart()
			cmd.again = false
			cmd.finish(statusContext(ctx))
		}
	})
	stop := func() {
		unwatch()
		if cancel != nil {
			cancel()
		}
	}
	cmd.stop.Store(&stop)
	if cmd.over.Load() { // and may have seen no stop
		stop()
	}
}

// WouldBlock reports whether a push waits when the queue is full.
func (c *Conn) WouldBlock() bool { return c.cfg.Socket.Policy == socket.Block }
