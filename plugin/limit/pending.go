package limit

import (
	"errors"
	"fmt"

	"github.com/goerpc/erpc"
)

// ErrPending is the cause of the status CodeExhausted of a call that [Pending]
// refused. It was not sent.
var ErrPending = errors.New("limit: overflow: too many calls of this session wait for their replies; this one was not sent")

// heartbeats, of plugin/heartbeat, pass: they find out why no replies come.
const heartbeats = "/heartbeat"

// Calls is the plugin that [Pending] returns.
type Calls struct{ max int }

var _ erpc.PreWriteCallPlugin = (*Calls)(nil)

// Pending returns the plugin, for NewPeer, that refuses a call at once while n
// calls of its session wait for their replies or for room in its queue. Without
// it a call waits for as long as its context allows. What begins at the very
// same time may exceed n. It panics if n is below 1.
func Pending(n int) *Calls {
	if n < 1 {
		panic(fmt.Errorf("limit: Pending(%d): give it 1 or more, or leave it out", n))
	}
	return &Calls{n}
}

// Name returns the name of the plugin.
func (c *Calls) Name() string { return fmt.Sprintf("limit-pending(%d)", c.max) }

// PreWriteCall refuses what is too much.
func (c *Calls) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	if ctx.Output().ServiceMethod() != heartbeats && ctx.Session().Stats().Pending >= c.max {
		return erpc.NewStatusByCodeText(erpc.CodeExhausted, ErrPending, false)
	}
	return nil
}
