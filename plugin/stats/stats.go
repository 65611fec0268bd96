package stats

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
)

// Config adjusts a Stats. The zero value works.
type Config struct {
	// MaxMethods bounds how many called methods are counted by name; 0 means 1000.
	// Handled methods are bounded by the registered ones.
	MaxMethods int `yaml:"max_methods" ini:"max_methods" comment:"Names of called methods that are counted one by one; 0 is 1000"`
	// Allow reports whether a session may read the counts with [ReadMethod]. If it
	// is nil, the peer does not have that method. Allow must be safe for
	// concurrent use.
	Allow func(erpc.Session) bool `yaml:"-" ini:"-"`
}

// Stats is the plugin. All methods may be called concurrently.
type Stats struct {
	handledCalls, handledPushes, calls, pushes methods
	dials, dialed, redialed, accepted          atomic.Uint64
	sessions                                   sessions
	slowest                                    slowest
	running                                    running
	readings                                   readings
	allow                                      func(erpc.Session) bool        // nil: no ReadMethod
	peer                                       atomic.Pointer[erpc.EarlyPeer] // nil: no peer was made with it
}

var (
	_ erpc.PostNewPeerPlugin         = (*Stats)(nil)
	_ erpc.PostRegPlugin             = (*Stats)(nil)
	_ erpc.PreDialPlugin             = (*Stats)(nil)
	_ erpc.PostDialPlugin            = (*Stats)(nil)
	_ erpc.PostAcceptPlugin          = (*Stats)(nil)
	_ erpc.PreWriteCallPlugin        = (*Stats)(nil)
	_ erpc.PostWriteCallPlugin       = (*Stats)(nil)
	_ erpc.PostReadReplyHeaderPlugin = (*Stats)(nil)
	_ erpc.PreWritePushPlugin        = (*Stats)(nil)
	_ erpc.PostWritePushPlugin       = (*Stats)(nil)
	_ erpc.PostReadCallHeaderPlugin  = (*Stats)(nil)
	_ erpc.PostWriteReplyPlugin      = (*Stats)(nil)
	_ erpc.PostReadPushHeaderPlugin  = (*Stats)(nil)
	_ erpc.PostHandlePlugin          = (*Stats)(nil)
	_ erpc.PostEndStreamPlugin       = (*Stats)(nil)
	_ erpc.PostDisconnectPlugin      = (*Stats)(nil)
)

// New returns the plugin.
func New(cfg Config) *Stats {
	if cfg.MaxMethods <= 0 {
		cfg.MaxMethods = 1000
	}
	s := &Stats{allow: cfg.Allow}
	s.handledCalls.other, s.handledPushes.other = Unknown, Unknown
	s.calls.max, s.calls.other = cfg.MaxMethods, Other
	s.pushes.max, s.pushes.other = cfg.MaxMethods, Other
	return s
}

// Name returns the name of the plugin.
func (*Stats) Name() string { return "stats" }

// PostNewPeer remembers the peer, whose own counters include what hooks don't
// see, and registers [ReadMethod].
func (s *Stats) PostNewPeer(peer erpc.EarlyPeer) error {
	s.peer.Store(&peer)
	if s.allow != nil {
		s.serveReadings(peer, s.allow)
	}
	return nil
}

// PostReg gives a handler its own counts.
func (s *Stats) PostReg(h *erpc.Handler) error {
	switch {
	case h.IsUnknown():
	case h.IsCall(), h.IsStream(): // hooks see a stream as a call
		s.handledCalls.add(h.Name()).stream.Store(h.IsStream())
	default:
		s.handledPushes.add(h.Name())
	}
	return nil
}

// PreDial counts an attempt.
func (s *Stats) PreDial(net.Addr, string) *erpc.Status {
	s.dials.Add(1)
	return nil
}

// PostDial counts a connection.
func (s *Stats) PostDial(sess erpc.PreSession, isRedial bool) *erpc.Status {
	if isRedial {
		s.redialed.Add(1)
	} else {
		s.dialed.Add(1)
	}
	s.sessions.connected(sess, isRedial)
	return nil
}

// PostAccept counts a connection.
func (s *Stats) PostAccept(sess erpc.PreSession) *erpc.Status {
	s.accepted.Add(1)
	s.sessions.connected(sess, false)
	return nil
}

// PostDisconnect saves the counts of a session that has ended.
func (s *Stats) PostDisconnect(sess erpc.BaseSession) *erpc.Status {
	s.sessions.ended(sess)
	return nil
}

// A mark is what the first hook of an exchange stores for its later hooks.
type mark struct {
	m     *method
	begin time.Time
	opens bool // the exchange opens a stream, which ends with PostEndStream
	entry      // for calls and pushes handled here
}

type markKey struct{ *Stats }

func (s *Stats) begin(ctx erpc.PreCtx, m *method) *mark {
	m.started.Add(1)
	k := &mark{m: m, begin: time.Now()}
	ctx.Swap().Store(markKey{s}, k)
	return k
}

// arrived is begin for a call or push that is handled here.
func (s *Stats) arrived(ctx erpc.ReadCtx, m *method, kind Kind) {
	k := s.begin(ctx, m)
	k.opens = ctx.Input().Mtype() == erpc.TypeStreamOpen
	if !k.opens { // a stream is not a slow call
		s.running.enter(k, kind, ctx)
	}
}

func (s *Stats) marked(ctx erpc.PreCtx) (*mark, bool) {
	v, _ := ctx.Swap().Load(markKey{s})
	k, ok := v.(*mark)
	return k, ok
}

// PreWriteCall counts a call made here.
func (s *Stats) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	k := s.begin(ctx, s.calls.get(ctx.Output().ServiceMethod()))
	k.opens = ctx.Output().Mtype() == erpc.TypeStreamOpen
	return nil
}

// PostWriteCall counts a call that was sent.
func (s *Stats) PostWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	s.calls.get(ctx.Output().ServiceMethod()).sent.Add(1)
	return nil
}

// PostReadReplyHeader counts a call that was answered.
func (s *Stats) PostReadReplyHeader(ctx erpc.ReadCtx) *erpc.Status {
	if k, ok := s.marked(ctx); ok && !k.opens {
		s.slowest.observe(ctx, k.begin, k.end(ctx.Status()), Called)
	}
	return nil
}

// end counts the end of an exchange, and returns how long it took.
func (k *mark) end(st *erpc.Status) (took time.Duration) {
	took = time.Since(k.begin)
	k.m.latency.observe(took)
	k.m.ended.Add(1)
	if !st.OK() {
		k.m.failed(st.Code())
	}
	return took
}

// PostEndStream counts the end of a stream, and its messages. A stream is never
// one of the slowest calls, because its two sides decide how long it lasts.
func (s *Stats) PostEndStream(ctx erpc.StreamEndCtx) {
	if k, ok := s.marked(ctx); ok {
		sent, received := ctx.Counts()
		k.m.messagesSent.Add(sent)
		k.m.messagesReceived.Add(received)
		k.end(ctx.Status())
	}
}

// PreWritePush counts a push made here. A broadcast counts once.
func (s *Stats) PreWritePush(ctx erpc.WriteCtx) *erpc.Status {
	s.pushes.get(ctx.Output().ServiceMethod()).started.Add(1)
	return nil
}

// PostWritePush counts a push that was sent. The hook does not run for
// broadcasts.
func (s *Stats) PostWritePush(ctx erpc.WriteCtx) *erpc.Status {
	s.pushes.get(ctx.Output().ServiceMethod()).sent.Add(1)
	return nil
}

// PostReadCallHeader counts a call that arrived.
func (s *Stats) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status {
	s.arrived(ctx, s.handledCalls.get(ctx.ServiceMethod()), HandledCall)
	return nil
}

// PostWriteReply counts a call that was answered.
func (s *Stats) PostWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	if k, ok := s.marked(ctx); ok {
		k.m.sent.Add(1)
	}
	return nil
}

// PostReadPushHeader counts a push that arrived.
func (s *Stats) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status {
	s.arrived(ctx, s.handledPushes.get(ctx.ServiceMethod()), HandledPush)
	return nil
}

// PostHandle counts that a call or push has been handled.
func (s *Stats) PostHandle(ctx erpc.ReadCtx) {
	if k, ok := s.marked(ctx); ok && !k.opens {
		s.running.leave(k)
		s.slowest.observe(ctx, k.begin, k.end(ctx.Status()), k.kind)
	}
}
