package overloader

import (
	"strings"
	"time"

	"github.com/goerpc/erpc"
)

// An Overloader is the plugin. All methods may be called concurrently. Several
// peers that have it share its limits.
type Overloader struct {
	limits  limits
	mistake error
}

// New returns the plugin. With limits that contradict each other no peer can be
// made.
func New(initLimitConfig LimitConfig) *Overloader {
	o := &Overloader{}
	o.mistake = o.Update(initLimitConfig)
	return o
}

var (
	_ erpc.PreNewPeerPlugin         = (*Overloader)(nil)
	_ erpc.PostDialPlugin           = (*Overloader)(nil)
	_ erpc.PostAcceptPlugin         = (*Overloader)(nil)
	_ erpc.PostDisconnectPlugin     = (*Overloader)(nil)
	_ erpc.PostReadCallHeaderPlugin = (*Overloader)(nil)
	_ erpc.PostReadPushHeaderPlugin = (*Overloader)(nil)
	_ erpc.PreWriteReplyPlugin      = (*Overloader)(nil)
	_ erpc.PostHandlePlugin         = (*Overloader)(nil)
)

// Name returns the name of the plugin.
func (*Overloader) Name() string { return "overloader" }

// Update replaces the limits. If they contradict each other the old ones stay.
func (o *Overloader) Update(newLimitConfig LimitConfig) error {
	if err := newLimitConfig.Validate(); err != nil {
		return err
	}
	o.limits.update(newLimitConfig)
	return nil
}

// LimitConfig returns the limits.
func (o *Overloader) LimitConfig() LimitConfig {
	o.limits.mu.Lock()
	defer o.limits.mu.Unlock()
	return o.limits.cfg
}

// Counts is what was refused, for which reason, and what there is at the moment.
type Counts struct {
	Conns, TotalQPS, HandlerQPS, InFlight, QueueTime uint64

	NowConns, NowInFlight, NowWaiting int
}

// Counts returns the numbers.
func (o *Overloader) Counts() Counts {
	l := &o.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.NowConns, c.NowInFlight, c.NowWaiting = int(l.conns), int(l.inFlight), len(l.waiting)
	return c
}

// PreNewPeer returns what is wrong with the limits.
func (o *Overloader) PreNewPeer(*erpc.PeerConfig, *erpc.PluginContainer) error { return o.mistake }

type (
	connKey struct{ o *Overloader } // in the swap of a session that holds a place
	slotKey struct{ o *Overloader } // in the swap of a message that is handled: its slot
)

// PostDial counts a session. One that is dialed again has its place.
func (o *Overloader) PostDial(sess erpc.PreSession, _ bool) *erpc.Status { return o.PostAccept(sess) }

// PostAccept counts a session.
func (o *Overloader) PostAccept(sess erpc.PreSession) *erpc.Status {
	if _, holds := sess.Swap().Load(connKey{o}); holds {
		return nil
	}
	if err := o.limits.connect(); err != nil {
		return o.status(err.Error())
	}
	sess.Swap().Store(connKey{o}, true)
	return nil
}

// PostDisconnect frees the place of a session, if it has one.
func (o *Overloader) PostDisconnect(sess erpc.BaseSession) *erpc.Status {
	if _, holds := sess.Swap().Load(connKey{o}); holds {
		sess.Swap().Delete(connKey{o})
		o.limits.disconnect()
	}
	return nil
}

// PostReadCallHeader admits or refuses a call. It may wait.
func (o *Overloader) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status {
	return o.admit(ctx, slotKey{o}, time.Now())
}

// admit admits or refuses a message, and keeps its slot under key.
func (o *Overloader) admit(ctx erpc.ReadCtx, key any, now time.Time) *erpc.Status {
	s, r := o.limits.enter(ctx.Context(), ctx.ServiceMethod(), now)
	if r != nil {
		return o.status(r.text)
	}
	if s != nil {
		ctx.Swap().Store(key, s)
	}
	return nil
}

// PostReadPushHeader admits or refuses a push. It may wait.
func (o *Overloader) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status {
	return o.PostReadCallHeader(ctx)
}

// PreWriteReply is the end of a call's handler: a client that has the reply may
// call again, and one that does not read it keeps nobody else out.
func (o *Overloader) PreWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	o.leave(ctx.Swap(), slotKey{o})
	return nil
}

// PostHandle is the end of a push, and of a call to which no reply was written.
func (o *Overloader) PostHandle(ctx erpc.ReadCtx) { o.leave(ctx.Swap(), slotKey{o}) }

func (o *Overloader) leave(swap erpc.Map, key any) {
	if s, ok := swap.Load(key); ok {
		swap.Delete(key)
		o.limits.leave(s.(*slot))
	}
}

// prefix tells our statuses from others of the same code, for people.
const prefix = "overload: "

func (o *Overloader) status(text string) *erpc.Status {
	if o.LimitConfig().V7Status {
		return erpc.Refusal(erpc.NewStatus(erpc.CodeInternalServerError, text))
	}
	return erpc.Refusal(erpc.NewStatus(erpc.CodeExhausted, prefix+text))
}

// IsOverload reports whether st says that a limit was reached: of this plugin, or
// of the framework's own, at the other side or at any one behind that. It is for
// statistics and for slowing down. It is not a proof that the call was not
// executed: its handler may have begun, and passed on the status of a call of its
// own. [erpc.NotExecuted] is: this plugin's refusals are marked. Package retry
// repeats only what certainly was not executed.
func IsOverload(st *erpc.Status) bool {
	return st.Code() == erpc.CodeExhausted ||
		st.Code() == erpc.CodeInternalServerError && strings.Contains(st.Msg(), "qps overload, ") // v7's
}
