package multiclient

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// What New takes for a quota or an idle time that is not above 0.
const (
	DefaultQuota = 64
	DefaultIdle  = 3 * time.Minute
)

// ErrClosed is the cause in the status of what a closed pool was asked to do.
var ErrClosed = errors.New("multiclient: closed")

// MaxPending is how many asynchronous calls wait for a session at the same time.
const MaxPending = 10_000

var errTooManyPending = errors.New("multiclient: too many calls wait for a session; the call was not sent")

// A MultiClient is a pool of sessions to one address. All methods may be called
// concurrently.
type MultiClient struct {
	peer  erpc.Peer
	addr  string
	proto []erpc.ProtoFunc
	quota int
	idle  time.Duration

	life context.Context // ends with Close, and with it the dials under way
	end  context.CancelFunc

	mu      sync.Mutex // guards what follows
	members []*member
	dialing int           // dials under way; they count for the quota
	changed chan struct{} // closed and replaced when a dial or a call has ended
	waiting int           // callers that wait for that
	pending int           // asynchronous calls that wait for a session
	barred  time.Time     // no dial before it, while there are members
	late    bool          // a dial takes so long that calls wait for none
	sweep   *time.Timer   // for the idle; nil while there are no members
	created uint64
	doing   int
	done    uint64
}

// New returns a pool of at most sessMaxQuota sessions to addr, dialed by peer
// when they are needed. One that nothing was sent on for sessMaxIdleDuration is
// closed. Values that are not above 0 stand for the defaults. The pool should
// be closed in the end; closing the peer ends its sessions too.
func New(peer erpc.Peer, addr string, sessMaxQuota int, sessMaxIdleDuration time.Duration, protoFunc ...erpc.ProtoFunc) *MultiClient {
	if sessMaxQuota <= 0 {
		sessMaxQuota = DefaultQuota
	}
	if sessMaxIdleDuration <= 0 {
		sessMaxIdleDuration = DefaultIdle
	}
	c := &MultiClient{
		peer: peer, addr: addr, proto: protoFunc,
		quota: sessMaxQuota, idle: sessMaxIdleDuration,
		changed: make(chan struct{}),
	}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// Addr returns the address that is dialed.
func (c *MultiClient) Addr() string { return c.addr }

// Peer returns the peer that dials.
func (c *MultiClient) Peer() erpc.Peer { return c.peer }

// Call sends arg to serviceMethod over one of the sessions and waits for the
// reply, as that of a session does. The context of the settings also bounds the
// wait for a session; its WithTimeout does not, the peer's DialTimeout does.
func (c *MultiClient) Call(serviceMethod string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd {
	ctx, setting := settle(serviceMethod, arg, setting)
	m, st := c.hire(ctx, nil)
	if !st.OK() {
		return erpc.NewUnsentCallCmd(serviceMethod, arg, result, st)
	}
	defer c.release(m)
	return m.sess.Call(serviceMethod, arg, result, setting...)
}

// AsyncCall is Call without any wait: if a session has to be dialed first, the
// call is sent when that is done, and its command has no session before. At most
// [MaxPending] calls wait so; one more ends with CodeExhausted. done, which may
// be nil, gets the command when the call has ended; it should have room.
func (c *MultiClient) AsyncCall(serviceMethod string, arg, result any, done chan<- erpc.CallCmd, setting ...erpc.MessageSetting) erpc.CallCmd {
	call := erpc.NewPendingCall(serviceMethod, arg, result, done, setting...)
	m, d, st := c.ready()
	switch {
	case !st.OK():
		call.Fail(st)
	case m != nil:
		c.start(call, m)
	default:
		go func() {
			m, st := c.hire(call.Context(), d)
			c.pended()
			if !st.OK() {
				call.Fail(st)
				return
			}
			c.start(call, m)
		}()
	}
	return call.Cmd()
}

// start sends a call over m, which is hired.
func (c *MultiClient) start(call *erpc.PendingCall, m *member) {
	call.Start(m.sess)
	go func() {
		<-call.Cmd().Done() // it ends with the session at the latest
		c.release(m)
	}()
}

// Push sends arg to serviceMethod over one of the sessions; there is no reply.
func (c *MultiClient) Push(serviceMethod string, arg any, setting ...erpc.MessageSetting) *erpc.Status {
	ctx, setting := settle(serviceMethod, arg, setting)
	m, st := c.hire(ctx, nil)
	if !st.OK() {
		return st
	}
	defer c.release(m)
	return m.sess.Push(serviceMethod, arg, setting...)
}

// Close ends the sessions and the calls that wait on them, and the dials under
// way. What is asked of the pool afterwards fails with CodeWrongConn, whose
// cause is ErrClosed. The second time it does nothing.
func (c *MultiClient) Close() {
	c.mu.Lock()
	c.end()
	members := c.members
	c.members = nil
	if c.sweep != nil {
		c.sweep.Stop()
		c.sweep = nil
	}
	c.mu.Unlock()
	for _, m := range members {
		m.close()
	}
}

// Stats are the counters of a pool at one moment. The names are those of erpc
// v7, whose pool calls a session a worker, except Pending, which v7 has not.
type Stats struct {
	Worker  int32  // sessions
	Idle    int32  // sessions with nothing in flight
	Dialing int32  // dials under way
	Created uint64 // sessions since New
	Doing   int32  // calls and pushes in flight
	Done    uint64 // calls and pushes that have ended
	MaxLoad int32  // calls in flight on the busiest session
	MinLoad int32  // and on the least busy one
	Pending int32  // asynchronous calls that wait for a session
}

// Stats returns the counters.
func (c *MultiClient) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeEndedLocked()
	s := Stats{
		Worker: int32(len(c.members)), Dialing: int32(c.dialing),
		Created: c.created, Doing: int32(c.doing), Done: c.done, Pending: int32(c.pending),
	}
	for i, m := range c.members {
		load := int32(m.load())
		if load == 0 {
			s.Idle++
		}
		s.MaxLoad = max(s.MaxLoad, load)
		if i == 0 || load < s.MinLoad {
			s.MinLoad = load
		}
	}
	return s
}
