package overloader

import (
	"strings"

	"github.com/goerpc/erpc"
)

// An Overloader is the plugin. All methods may be called concurrently. Peers
// that have the same Overloader share its limits.
type Overloader struct {
	limits  limits
	mistake error
}

// New returns the plugin. If the limits are invalid, making a peer with it
// fails.
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

// Update replaces the limits. If the new ones are invalid, it returns an error
// and the old ones stay.
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

// Counts holds how many messages were refused for which reason, and the current
// use.
type Counts struct {
	Conns, TotalQPS, HandlerQPS, InFlight, QueueTime uint64

	NowConns, NowInFlight, NowWaiting int
}

// Counts returns the counts.
func (o *Overloader) Counts() Counts {
	l := &o.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.NowConns, c.NowInFlight, c.NowWaiting = int(l.conns), int(l.inFlight), len(l.waiting)
	return c
}

// PreNewPeer returns the error in the limits, if any.
func (o *Overloader) PreNewPeer(*erpc.PeerConfig, *erpc.PluginContainer) error { return o.mistake }

type (
	connKey struct{ o *Overloader } // in the swap of a session that holds a place
	slotKey struct{ o *Overloader } // in the swap of a message that is handled: its slot
)

// PostDial counts a session. A redialed session keeps its place.
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
	return o.admit(ctx, slotKey{o})
}

// admit admits or refuses a message, and keeps its slot under key.
func (o *Overloader) admit(ctx erpc.ReadCtx, key any) *erpc.Status {
	s, r := o.limits.enter(ctx.Context(), ctx.ServiceMethod())
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

// PreWriteReply frees the slot of a call before its reply is written, so that a
// client with the reply can call again at once, and one that does not read it
// holds no slot.
func (o *Overloader) PreWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	o.leave(ctx.Swap(), slotKey{o})
	return nil
}

// PostHandle frees the slot of a push, or of a call to which no reply was
// written.
func (o *Overloader) PostHandle(ctx erpc.ReadCtx) { o.leave(ctx.Swap(), slotKey{o}) }

func (o *Overloader) leave(swap erpc.Map, key any) {
	if s, ok := swap.Load(key); ok {
		swap.Delete(key)
		o.limits.leave(s.(*slot))
	}
}

// prefix distinguishes this plugin's statuses from others with the same code,
// for humans.
const prefix = "overload: "

func (o *Overloader) status(text string) *erpc.Status {
	if o.LimitConfig().V7Status {
		return erpc.Refusal(erpc.NewStatus(erpc.CodeInternalServerError, text))
	}
	return erpc.Refusal(erpc.NewStatus(erpc.CodeExhausted, prefix+text))
}

// IsOverload reports whether st says that a limit was reached, of this plugin
// or of the framework, at the other side or at a peer behind it. Use it for
// statistics and to slow down. It does not prove that the call was not
// executed: the handler may have run and returned the status of a call that it
// made itself. [erpc.NotExecuted] proves it, because this plugin marks its
// refusals. Package retry repeats only calls that certainly were not executed.
func IsOverload(st *erpc.Status) bool {
	return st.Code() == erpc.CodeExhausted ||
		st.Code() == erpc.CodeInternalServerError && strings.Contains(st.Msg(), "qps overload, ") // the text of v7
}
