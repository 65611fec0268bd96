package session

import (
	"context"
	"sync/atomic"
	"time"
)

// A connContext is the context that ends with a connection. Each typed handler gets
// it, and hardly any looks at it: so there is nothing behind it until one does, and
// an idle session has none. The zero value has not ended.
type connContext struct{ behind atomic.Pointer[endingContext] }

var _ context.Context = (*connContext)(nil)

// An endingContext is what is behind a connContext.
type endingContext struct {
	context.Context
	end context.CancelCauseFunc
}

func newEndingContext() *endingContext {
	ctx, end := context.WithCancelCause(context.Background())
	return &endingContext{ctx, end}
}

// made returns what is behind the context, which it makes if nothing is.
func (x *connContext) made() *endingContext {
	if e := x.behind.Load(); e != nil {
		return e
	}
	x.behind.CompareAndSwap(nil, newEndingContext())
	return x.behind.Load()
}

// end ends the context.
func (x *connContext) end(cause error) { x.made().end(cause) }

// Deadline implements [context.Context].
func (x *connContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements [context.Context].
func (x *connContext) Done() <-chan struct{} { return x.made().Done() }

// Err implements [context.Context].
func (x *connContext) Err() error {
	if e := x.behind.Load(); e != nil {
		return e.Err()
	}
	return nil
}

// Value implements [context.Context]. It has no values of its own. But package context
// asks for one of its own, after Done, to end children of the context with it, and for
// the cause of the end.
func (x *connContext) Value(key any) any {
	if e := x.behind.Load(); e != nil {
		return e.Value(key)
	}
	return nil
}

// String is for the names that package context gives to children.
func (x *connContext) String() string { return "session.connContext" }
