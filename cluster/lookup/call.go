package lookup

import (
	"context"

	"github.com/goerpc/erpc"
)

// settle applies the settings once, and returns their context and one setting
// that replaces all of them.
func settle(method string, arg any, settings []erpc.MessageSetting) (context.Context, []erpc.MessageSetting) {
	m := erpc.NewMessage(erpc.WithServiceMethod(method), erpc.WithBody(arg))
	m.Apply(settings)
	return m.Context(), []erpc.MessageSetting{erpc.WithMessage(m)}
}

// Call implements [erpc.Caller]. A call that was certainly not executed is
// retried with another instance.
func (c *Client) Call(method string, arg, result any, settings ...erpc.MessageSetting) erpc.CallCmd {
	ctx, settings := settle(method, arg, settings)
	if c.opt.HedgeAfter > 0 && result != nil && c.opt.Safe(method) {
		return c.hedged(ctx, method, arg, result, settings)
	}
	return c.try(ctx, nil, method, arg, result, settings)
}

// try tries the call with one instance after the other, preferring those not in
// tried.
func (c *Client) try(ctx context.Context, tried []*target, method string, arg, result any, settings []erpc.MessageSetting) (cmd erpc.CallCmd) {
	for range c.opt.Attempts {
		t, st := c.acquire(ctx, tried)
		if !st.OK() {
			if cmd != nil && ctx.Err() == nil {
				return cmd
			}
			return erpc.NewUnsentCallCmd(method, arg, result, st)
		}
		cmd = c.once(ctx, t, method, arg, result, settings)
		st = cmd.Status()
		if st.OK() || ctx.Err() != nil || !c.repeatable(method, cmd, st) {
			return cmd
		}
		tried = append(tried, t)
	}
	return cmd
}

// once makes one attempt, with a target that was acquired.
func (c *Client) once(ctx context.Context, t *target, method string, arg, result any, settings []erpc.MessageSetting) erpc.CallCmd {
	sess, st := t.session(ctx, c.dialer, c.opt.Protos)
	if !st.OK() {
		c.releaseUnreached(t, st)
		return erpc.NewUnsentCallCmd(method, arg, result, st)
	}
	cmd := sess.Call(method, arg, result, settings...)
	c.release(t, cmd.Status())
	return cmd
}

// repeatable reports whether the call may be retried with another instance and
// may succeed there.
func (c *Client) repeatable(method string, cmd erpc.CallCmd, st *erpc.Status) bool {
	if !failure(st) {
		return false
	}
	return !cmd.Sent() || erpc.NotExecuted(st) || erpc.IsConnError(st) && c.opt.Safe(method)
}

// MaxPending is how many asynchronous calls of a client may wait for an
// instance.
const MaxPending = 10_000

// AsyncCall implements [erpc.Caller]. The call is made with one instance and
// not retried with another. At most [MaxPending] calls wait for a session;
// further ones end with CodeExhausted.
func (c *Client) AsyncCall(method string, arg, result any, done chan<- erpc.CallCmd, settings ...erpc.MessageSetting) erpc.CallCmd {
	call := erpc.NewPendingCall(method, arg, result, done, settings...)
	c.mu.Lock()
	full := c.pending >= MaxPending
	if !full {
		c.pending++
	}
	c.mu.Unlock()
	if full {
		call.Fail(erpc.NewStatus(erpc.CodeExhausted, "lookup: too many calls wait for an instance"))
		return call.Cmd()
	}
	go func() {
		t, sess, st := c.hire(call.Context())
		c.mu.Lock()
		c.pending--
		c.mu.Unlock()
		if !st.OK() {
			call.Fail(st)
			return
		}
		call.Start(sess)
		<-call.Cmd().Done() // it ends with the session at the latest
		c.release(t, call.Cmd().Status())
	}()
	return call.Cmd()
}

// hire acquires a target and returns it with its session. It tries several
// targets.
func (c *Client) hire(ctx context.Context) (t *target, sess erpc.Session, st *erpc.Status) {
	var tried []*target
	for range c.opt.Attempts {
		t, st = c.acquire(ctx, tried)
		if !st.OK() {
			return nil, nil, st
		}
		sess, st = t.session(ctx, c.dialer, c.opt.Protos)
		if st.OK() {
			return t, sess, nil
		}
		c.releaseUnreached(t, st)
		tried = append(tried, t)
	}
	return nil, nil, st
}

// Push implements [erpc.Caller]. A push that can't be queued for one instance
// is sent to another.
func (c *Client) Push(method string, arg any, settings ...erpc.MessageSetting) (st *erpc.Status) {
	ctx, settings := settle(method, arg, settings)
	for range c.opt.Attempts {
		t, sess, none := c.hire(ctx)
		if !none.OK() {
			return none
		}
		st = sess.Push(method, arg, settings...)
		c.release(t, st)
		if st.OK() || !failure(st) || ctx.Err() != nil {
			return st
		}
	}
	return st
}

// OpenStream opens a stream to one of the instances, so that [erpc.OpenStream] takes
// a client as it takes a session.
func (c *Client) OpenStream(ctx context.Context, method string, settings ...erpc.MessageSetting) (*erpc.UntypedStream, *erpc.Status) {
	t, sess, st := c.hire(ctx)
	if !st.OK() {
		return nil, st
	}
	s, st := sess.OpenStream(ctx, method, settings...)
	if !st.OK() {
		c.release(t, st)
		return nil, st
	}
	context.AfterFunc(s.Context(), func() { c.release(t, nil) }) // runs when the stream ends
	return s, nil
}
