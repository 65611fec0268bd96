package session

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

type key struct{}

// TestConnContext is what a context of the standard library would be, whether somebody
// has looked at it before the connection ends or not.
func TestConnContext(t *testing.T) {
	for _, looked := range []bool{false, true} {
		t.Run(fmt.Sprint("looked ", looked), func(t *testing.T) {
			u := newUnit(t, callRoute{}, nil)
			ctx := u.context()
			if _, ok := ctx.Deadline(); ok || ctx.Err() != nil || ctx.Value(key{}) != nil || context.Cause(ctx) != nil {
				t.Fatalf("of an open connection: %v, %v", ctx.Err(), context.Cause(ctx))
			}
			if u.ctx.behind.Load() != nil {
				t.Error("a look at the error and at values makes one")
			}
			var child context.Context
			if looked {
				var cancel context.CancelFunc
				child, cancel = context.WithCancel(context.WithValue(ctx, key{}, 1))
				defer cancel()
				if child.Err() != nil || child.Value(key{}) != 1 {
					t.Fatalf("a child: %v, %v", child.Err(), child.Value(key{}))
				}
			}
			if err := u.conn.close(nil); err != nil {
				t.Error(err)
			}
			if !errors.Is(context.Cause(ctx), errConnEnded) || ctx.Err() != context.Canceled {
				t.Errorf("after the end: %v, cause %v", ctx.Err(), context.Cause(ctx))
			}
			receive(t, ctx.Done())
			if looked {
				receive(t, child.Done())
				if !errors.Is(context.Cause(child), errConnEnded) {
					t.Errorf("the child ended because of %v", context.Cause(child))
				}
			}
			if got := fmt.Sprint(ctx); got != "session.connContext" {
				t.Errorf("printed as %q", got)
			}
		})
	}
}

// TestChildrenOfConnContext take no goroutine: package context knows what is behind it.
func TestChildrenOfConnContext(t *testing.T) {
	u := newUnit(t, callRoute{}, nil)
	ctx := u.context()
	if ctx.Done() != u.context().Done() {
		t.Error("it is made twice")
	}
	allocated := testing.AllocsPerRun(100, func() {
		_, cancel := context.WithCancel(ctx)
		cancel()
	})
	of, end := context.WithCancel(context.Background())
	defer end()
	want := testing.AllocsPerRun(100, func() {
		_, cancel := context.WithCancel(of)
		cancel()
	})
	if allocated > want {
		t.Errorf("%v allocations for a child, a child of the standard library's takes %v", allocated, want)
	}
}
