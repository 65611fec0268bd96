package session

import (
	"context"
	"time"
)

// A connContext is the context that ends with a connection. Each typed handler gets
// it, and hardly any looks at it: so there is nothing behind it until one does, and
// an idle session has none.
type connContext conn

var _ context.Context = (*connContext)(nil)

// An endingContext is what is behind a connContext then.
type endingContext struct {
	context.Context
	end context.CancelCauseFunc
}

// context returns the context that ends with the connection.
func (c *conn) context() context.Context { return (*connContext)(c) }

// made returns what is behind the context, which it makes if nothing is.
func (x *connContext) made() *endingContext {
	if e := x.ctx.Load(); e != nil {
		return e
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.ctx.Load(); e != nil {
		return e
	}
	ctx, end := context.WithCancelCause(context.Background())
	if x.closed {
		end(errConnEnded)
	}
	e := &endingContext{ctx, end}
	x.ctx.Store(e)
	return e
}

// Deadline implements [context.Context].
func (x *connContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements [context.Context].
func (x *connContext) Done() <-chan struct{} { return x.made().Done() }

// Err implements [context.Context].
func (x *connContext) Err() error {
	if x.ctx.Load() == nil && !(*conn)(x).isClosed() {
		return nil
	}
	return x.made().Err()
}

// Value implements [context.Context]. It has no values of its own. But package context
// asks for one of its own, after Done, to end children of the context with it, and for
// the cause of the end.
func (x *connContext) Value(key any) any {
	if x.ctx.Load() == nil && !(*conn)(x).isClosed() {
		return nil
	}
	return x.made().Value(key)
}

// String is for the names that package context gives to children.
func (x *connContext) String() string { return "session.connContext" }
