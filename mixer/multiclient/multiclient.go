package multiclient

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// The defaults of New, for a quota or an idle time that is not above 0.
const (
	DefaultQuota = 64
	DefaultIdle  = 3 * time.Minute
)

// ErrClosed is the cause of the status of calls and pushes on a closed pool.
var ErrClosed = errors.New("multiclient: closed")

// MaxPending is how many asynchronous calls may wait for a session at the same
// time.
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

	life context.Context // ends with Close; the dials in progress end with it
	end  context.CancelFunc

	mu      sync.Mutex // guards what follows
	members []*member
	dialing int           // dials in progress; they count towards the quota
	changed chan struct{} // closed and replaced when a dial or a call has ended
	waiting int           // callers that wait for changed
	pending int           // asynchronous calls that wait for a session
	barred  time.Time     // no dial before this time while there are members
	late    bool          // a dial takes too long: calls no longer wait for dials
	sweep   *time.Timer   // closes idle members; nil while there are no members
	created uint64
	doing   int
	done    uint64
}

// New returns a pool of at most sessMaxQuota sessions to addr, dialed by peer
// when they are needed. A session that nothing was sent on for
// sessMaxIdleDuration is closed. Values that are not above 0 select the
// defaults. Close the pool when it is no longer needed; closing the peer ends
// its sessions too.
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
// reply, as that of a session does. The context of the settings and the peer's
// DialTimeout also bound the wait for a session; WithTimeout does not.
func (c *MultiClient) Call(serviceMethod string, arg, result any, setting ...erpc.MessageSetting) erpc.CallCmd {
	ctx, setting := settle(serviceMethod, arg, setting)
	m, st := c.hire(ctx, nil)
	if !st.OK() {
		return erpc.NewUnsentCallCmd(serviceMethod, arg, result, st)
	}
	defer c.release(m)
	return m.sess.Call(serviceMethod, arg, result, setting...)
}

// AsyncCall is [MultiClient.Call] without waiting. If a session has to be
// dialed first, the call is sent once that is done; until then its command has
// no session. At most [MaxPending] calls wait like this; further ones end with
// CodeExhausted. done, which may be nil, receives the command when the call has
// ended; it should have a buffer.
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

// start sends a call over m, which the caller has hired, and releases m when
// the call has ended.
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

// Close ends the sessions, the calls that wait on them, and the dials in
// progress. Later calls and pushes fail with CodeWrongConn and the cause
// ErrClosed. A second Close does nothing.
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

// Stats holds the counters of a pool at one moment. The names are those of erpc
// v7, whose pool calls a session a worker; v7 has no Pending.
type Stats struct {
	Worker  int32  // sessions
	Idle    int32  // sessions with nothing in flight
	Dialing int32  // dials in progress
	Created uint64 // sessions since New
	Doing   int32  // calls and pushes in flight
	Done    uint64 // calls and pushes that have ended
	MaxLoad int32  // calls in flight on the busiest session
	MinLoad int32  // calls in flight on the least busy session
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
