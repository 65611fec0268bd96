package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
)

// A CallCmd is a call in flight. Its methods may be called concurrently; those
// that tell of the end wait for it.
type CallCmd struct {
	sess     *Engine
	method   string
	arg      any
	result   any
	settings []message.Setting

	conn       *conn
	seq        int32
	sends      int32                  // how often it was sent
	done       chan struct{}          // of AsyncCall: closed at the end; of Call: nil, it returns ended calls
	wake       chan struct{}          // of Call: gets one value at the end; pooled
	late       *exchange              // of Call: the reply, if the caller is to decode it
	ch         chan<- *CallCmd        // of AsyncCall; may be nil
	resendable bool                   // it may be sent once more, should the other side be going away
	batched    bool                   // of a batch: it is written with the others
	codec      byte                   // of the reply
	over       atomic.Bool            // of AsyncCall: it has ended
	stop       atomic.Pointer[func()] // of AsyncCall: no longer waits for the context
	quit       chan struct{}          // of AsyncCall: closed by Cancel

	// starting is held while an AsyncCall is sent: its reply may say that it
	// is to be sent again before the first sending has returned.
	starting sync.Mutex

	st    *message.Status
	meta  message.Meta
	swap  *Swap
	quits atomic.Bool   // of AsyncCall: Cancel was called
	sent  atomic.Uint32 // bytes of the frame
	// mayBeSent is set from before the frame is queued; cleared if it was not.
	mayBeSent atomic.Bool
	size      uint32        // bytes of the reply's frame
	start     time.Duration // on clock; 0: not measured
	cost      time.Duration
}

var ended = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// NewCallCmd returns a call that has ended: for code that stands in for a
// session.
func NewCallCmd(serviceMethod string, arg, result any, st *message.Status) *CallCmd {
	return &CallCmd{method: serviceMethod, arg: arg, result: result, st: st}
}

// Done is closed when the call has ended.
func (cmd *CallCmd) Done() <-chan struct{} {
	if cmd.done == nil {
		return ended
	}
	return cmd.done
}

func (cmd *CallCmd) wait() {
	if cmd.done != nil {
		<-cmd.done
	}
}

// Sent waits for the end of the call and reports whether the other side may have
// got it. If not, it was not executed, whatever the status says. Of a command
// that no session made it is not known, so Sent returns true.
func (cmd *CallCmd) Sent() bool {
	cmd.wait()
	return cmd.sess == nil || cmd.mayBeSent.Load()
}

// Status waits for the end of the call and returns its outcome.
func (cmd *CallCmd) Status() *message.Status {
	cmd.wait()
	return cmd.st
}

// StatusOK reports whether the call succeeded.
func (cmd *CallCmd) StatusOK() bool { return cmd.Status().OK() }

// Reply returns the result and the outcome.
func (cmd *CallCmd) Reply() (any, *message.Status) {
	cmd.wait()
	return cmd.result, cmd.st
}

// InputBodyCodec returns the codec of the reply.
func (cmd *CallCmd) InputBodyCodec() byte {
	cmd.wait()
	return cmd.codec
}

// InputMeta returns the metadata of the reply.
func (cmd *CallCmd) InputMeta() *message.Meta {
	cmd.wait()
	return &cmd.meta
}

// CostTime returns how long the call took, 0 unless the peer counts time.
func (cmd *CallCmd) CostTime() time.Duration {
	cmd.wait()
	if cmd.sess == nil || !cmd.sess.shared.CountTime {
		return 0
	}
	return cmd.cost
}

// Output returns the message of the call as it was asked for: with the
// settings, without what plugins did to it.
func (cmd *CallCmd) Output() *message.Message {
	m := message.New(cmd.settings...)
	m.SetMtype(message.TypeCall)
	m.SetSeq(cmd.seq)
	m.SetServiceMethod(cmd.method)
	m.SetBody(cmd.arg)
	if m.BodyCodec() == 0 && cmd.sess != nil {
		m.SetBodyCodec(cmd.sess.shared.BodyCodec)
	}
	return m
}

// Context returns the context of the call.
func (cmd *CallCmd) Context() context.Context { return cmd.Output().Context() }

// Session returns the session that the call was made on, nil for one that was
// made by [NewCallCmd].
func (cmd *CallCmd) Session() Session {
	if cmd.sess == nil {
		return nil
	}
	return cmd.sess
}

// finish ends the call. Only who took it out of the pending table, or never
// entered it, may do so.
func (cmd *CallCmd) finish(st *message.Status) {
	cmd.st = st
	if cmd.wake != nil {
		cmd.wake <- struct{}{}
		return
	}
	cmd.complete()
}

// complete is the end of an asynchronous call.
func (cmd *CallCmd) complete() {
	if cmd.resendable && goesAway(cmd.st) {
		go cmd.sess.resend(cmd)
		return
	}
	cmd.over.Store(true)
	if stop := cmd.stop.Load(); stop != nil {
		(*stop)()
	}
	cmd.sess.logCalled(cmd)
	close(cmd.done)
	if cmd.ch == nil {
		return
	}
	select {
	case cmd.ch <- cmd:
	default:
		go func() { // nobody else waits for a reader that does not come
			select {
			case cmd.ch <- cmd:
			case <-cmd.sess.CloseNotify():
			}
		}()
	}
}
