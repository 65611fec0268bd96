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
	conn     *Conn
	method   string
	arg      any
	result   any
	settings []message.Setting

	link  *link
	seq   int32
	sends int32                  // how often it was sent
	done  chan struct{}          // of AsyncCall: closed at the end; of Call: nil, it returns ended calls
	wake  chan struct{}          // of Call: gets one value at the end; pooled
	late  *exchange              // of Call: the reply, if the caller is to decode it
	ch    chan<- *CallCmd        // of AsyncCall; may be nil
	again bool                   // it may be sent once more, should the other side be going away
	hold  bool                   // of a batch: it is written with the others
	codec byte                   // of the reply
	over  atomic.Bool            // of AsyncCall: it has ended
	stop  atomic.Pointer[func()] // of AsyncCall: no longer waits for the context
	quit  chan struct{}          // of AsyncCall: closed by Cancel

	// starting is held while an AsyncCall is sent: its reply may say that it
	// is to be sent again before the first sending has returned.
	starting sync.Mutex

	st    *message.Status
	meta  message.Meta
	swap  *Swap
	quits atomic.Bool   // of AsyncCall: Cancel was called
	sent  atomic.Uint32 // bytes of the frame
	size  uint32        // bytes of the reply's frame
	start time.Duration // on clock; 0: not measured
	cost  time.Duration
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
func (c *CallCmd) Done() <-chan struct{} {
	if c.done == nil {
		return ended
	}
	return c.done
}

func (c *CallCmd) wait() {
	if c.done != nil {
		<-c.done
	}
}

// Status waits for the end of the call and returns its outcome.
func (c *CallCmd) Status() *message.Status {
	c.wait()
	return c.st
}

// StatusOK reports whether the call succeeded.
func (c *CallCmd) StatusOK() bool { return c.Status().OK() }

// Reply returns the result and the outcome.
func (c *CallCmd) Reply() (any, *message.Status) {
	c.wait()
	return c.result, c.st
}

// InputBodyCodec returns the codec of the reply.
func (c *CallCmd) InputBodyCodec() byte {
	c.wait()
	return c.codec
}

// InputMeta returns the metadata of the reply.
func (c *CallCmd) InputMeta() *message.Meta {
	c.wait()
	return &c.meta
}

// CostTime returns how long the call took, 0 unless the peer counts time.
func (c *CallCmd) CostTime() time.Duration {
	c.wait()
	if c.conn == nil || !c.conn.cfg.CountTime {
		return 0
	}
	return c.cost
}

// Output returns the message of the call as it was asked for: with the
// settings, without what plugins did to it.
func (c *CallCmd) Output() *message.Message {
	m := message.New(c.settings...)
	m.SetMtype(message.TypeCall)
	m.SetSeq(c.seq)
	m.SetServiceMethod(c.method)
	m.SetBody(c.arg)
	if m.BodyCodec() == 0 && c.conn != nil {
		m.SetBodyCodec(c.conn.cfg.BodyCodec)
	}
	return m
}

// Context returns the context of the call.
func (c *CallCmd) Context() context.Context { return c.Output().Context() }

// Session returns the session that the call was made on, nil for one that was
// made by [NewCallCmd].
func (c *CallCmd) Session() Session {
	if c.conn == nil {
		return nil
	}
	return c.conn
}

// finish ends the call. Only who took it out of the pending table, or never
// entered it, may do so.
func (c *CallCmd) finish(st *message.Status) {
	c.st = st
	if c.wake != nil {
		c.wake <- struct{}{}
		return
	}
	c.complete()
}

// complete is the end of an asynchronous call.
func (c *CallCmd) complete() {
	if c.again && goesAway(c.st) {
		go c.conn.resend(c)
		return
	}
	c.over.Store(true)
	if stop := c.stop.Load(); stop != nil {
		(*stop)()
	}
	c.conn.logCalled(c)
	close(c.done)
	if c.ch == nil {
		return
	}
	select {
	case c.ch <- c:
	default:
		go func() { // nobody else waits for a reader that does not come
			select {
			case c.ch <- c:
			case <-c.conn.CloseNotify():
			}
		}()
	}
}
