package limit

import (
	"errors"
	"fmt"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/heartbeat"
)

// ErrPending is the cause of the status CodeExhausted of a call that [Pending]
// refused. It was not sent.
var ErrPending = errors.New("limit: overflow: too many calls of this session wait for their replies; this one was not sent")

// Calls is the plugin that [Pending] returns.
type Calls struct{ max int }

var _ erpc.PreWriteCallPlugin = (*Calls)(nil)

// Pending returns a plugin for NewPeer that refuses a call at once while n
// calls of its session wait for their replies or for room in its queue. Without
// the plugin, a call waits until its context ends. Calls that begin at the same
// moment may exceed n. Pending panics if n is below 1.
func Pending(n int) *Calls {
	if n < 1 {
		panic(fmt.Errorf("limit: Pending(%d): give it 1 or more, or leave it out", n))
	}
	return &Calls{n}
}

// Name returns the name of the plugin.
func (c *Calls) Name() string { return fmt.Sprintf("limit-pending(%d)", c.max) }

// PreWriteCall refuses calls above the limit, but no heartbeats: they detect why no
// replies arrive.
func (c *Calls) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	if ctx.Output().ServiceMethod() != heartbeat.ServiceMethod && ctx.Session().Stats().Pending >= c.max {
		return erpc.NewStatusByCodeText(erpc.CodeExhausted, ErrPending, false)
	}
	return nil
}
