package session

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
)

// The hooks around a handler, in their order.
var (
	callPhases = []string{"call header", "route call header", "call pre body", "call body", "handler", "pre reply", "post reply", "handled"}
	pushPhases = []string{"push header", "route push header", "push pre body", "push body", "handler", "handled"}
)

// A tracer has every hook around a handler. It records the phases, and runs the
// action of the test in one of them.
type tracer struct {
	at string
	do func() *message.Status

	mu   sync.Mutex // guards the following
	seen []string
}

func (*tracer) Name() string { return "tracer" }

func (p *tracer) hook(phase string) *message.Status {
	p.mu.Lock()
	p.seen = append(p.seen, phase)
	p.mu.Unlock()
	if phase == p.at && p.do != nil {
		return p.do()
	}
	return nil
}

func (p *tracer) phases() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

func (p *tracer) PostReadCallHeader(ReadCtx) *message.Status { return p.hook("call header") }
func (p *tracer) PreReadCallBody(ReadCtx) *message.Status    { return p.hook("call pre body") }
func (p *tracer) PostReadCallBody(ReadCtx) *message.Status   { return p.hook("call body") }
func (p *tracer) PostReadPushHeader(ReadCtx) *message.Status { return p.hook("push header") }
func (p *tracer) PreReadPushBody(ReadCtx) *message.Status    { return p.hook("push pre body") }
func (p *tracer) PostReadPushBody(ReadCtx) *message.Status   { return p.hook("push body") }
func (p *tracer) PreWriteReply(WriteCtx) *message.Status     { return p.hook("pre reply") }
func (p *tracer) PostWriteReply(WriteCtx) *message.Status    { return p.hook("post reply") }
func (p *tracer) PostHandle(ReadCtx)                         { p.hook("handled") }

// A routeTracer is the tracer of the plugins of the route itself.
type routeTracer struct{ *tracer }

func (routeTracer) Name() string { return "route tracer" }

func (p routeTracer) PostReadCallHeader(ReadCtx) *message.Status { return p.hook("route call header") }
func (p routeTracer) PostReadPushHeader(ReadCtx) *message.Status { return p.hook("route push header") }

// traced returns a unit with a handler for calls and one for pushes, whose phases
// p notes.
func traced(t *testing.T, p *tracer) *unit {
	t.Helper()
	handler := func() (any, *message.Status) {
		if st := p.hook("handler"); !st.OK() {
			return nil, st
		}
		return 1, nil
	}
	call := callHandler(func(CallCtx, int) (any, *message.Status) { return handler() })
	push := NewHandler(Spec{
		Name: "/h", Kind: RoutePush, NewArg: func() any { return new(int) },
		Push: func(PushCtx, any) *message.Status { _, st := handler(); return st },
	})
	hooks := NewRouteHooks([]plugin.Plugin{p}, []plugin.Plugin{routeTracer{p}})
	call.SetHooks(hooks)
	push.SetHooks(hooks)
	return newUnit(t, callRoute{call, push}, func(sh *Shared) { sh.Hooks.Store(NewHooks([]plugin.Plugin{p})) })
}

// TestPhasesOfAMessage: the hooks run in this order. The first that fails ends the
// handling: the phases between it and the reply are skipped.
func TestPhasesOfAMessage(t *testing.T) {
	refusal := message.NewStatus(777, "no", "because")
	for _, mtype := range []byte{message.TypeCall, message.TypePush} {
		phases := callPhases
		if mtype == message.TypePush {
			phases = pushPhases
		}
		for i := -1; i < len(phases); i++ {
			p := &tracer{}
			name := "none fails"
			if i >= 0 {
				p.at, p.do = phases[i], func() *message.Status { return refusal }
				name = phases[i]
			}
			t.Run(fmt.Sprint(message.TypeText(mtype), " ", name), func(t *testing.T) {
				u := traced(t, p)
				u.accept(mtype, 3, "/h", 1)
				eventually(t, "the end", func() bool { return u.places.handlers.Load() == 0 })
				var want []string
				failed := i >= 0 && i <= slices.Index(phases, "handler")
				for n, phase := range phases {
					if !failed || n <= i || n > slices.Index(phases, "handler") {
						want = append(want, phase)
					}
				}
				if got := p.phases(); !slices.Equal(got, want) {
					t.Errorf("the phases were %q, want %q", got, want)
				}
				if mtype == message.TypePush {
					u.sentNothing("a push has no reply")
					return
				}
				m := u.sentOne()
				if fails := failed || name == "pre reply"; fails != (m.Status().Code() == 777) || !fails && !m.StatusOK() {
					t.Errorf("the reply is %v", m)
				}
			})
		}
	}
}

// TestPanicsAreAnswered: a panic anywhere is answered with a public status, and
// the goroutine goes on.
func TestPanicsAreAnswered(t *testing.T) {
	for _, detail := range []bool{false, true} {
		for _, mtype := range []byte{message.TypeCall, message.TypePush} {
			phases := callPhases
			if mtype == message.TypePush {
				phases = pushPhases
			}
			for _, phase := range phases {
				p := &tracer{at: phase, do: func() *message.Status { panic("secret") }}
				u := traced(t, p)
				u.shared.ErrorDetail = detail
				u.accept(mtype, 3, "/h", 1)
				eventually(t, "the end", func() bool { return u.places.handlers.Load() == 0 })
				if !slices.Contains(p.phases(), "handled") && phase != "handled" {
					t.Errorf("a panic in %s: the last hooks did not run", phase)
				}
				if mtype == message.TypePush {
					continue
				}
				m := u.sentOne()
				if phase == "post reply" || phase == "handled" { // it is written
					if !m.StatusOK() {
						t.Errorf("a panic in %s changes the reply: %v", phase, m)
					}
					continue
				}
				if m.Status().Code() != message.CodeInternalServerError || strings.Contains(m.Status().String(), "secret") != detail {
					t.Errorf("a panic in %s, detail %v, is answered with %v", phase, detail, m)
				}
			}
		}
	}
}

// TestGoexitIsAnswered: wherever user code calls it, the call is answered once, and
// every place is given back.
func TestGoexitIsAnswered(t *testing.T) {
	for _, inline := range []bool{false, true} {
		for _, phase := range callPhases {
			u := traced(t, &tracer{at: phase, do: func() *message.Status {
				runtime.Goexit()
				return nil
			}})
			h, _ := u.shared.Routes.Dispatch(true, "/h")
			if inline {
				h.pace.credit.Store(maxCredit)
			}
			x := u.inbound(message.TypeCall, 3, "/h", 1)
			go func() {
				l := readLoop{c: u.conn, x: x}
				l.done = true // nobody reads this connection
				defer func() {
					if l.turn != nil { // it ended in user code, as exited finds out
						l.exit()
					}
				}()
				l.accept()
			}()
			eventually(t, "an answer to "+phase, func() bool { return u.sock.Stats().MessagesOut == 1 && !u.busy() })
			m := u.sentOne()
			if ok := phase == "post reply" || phase == "handled"; m.StatusOK() != ok || !ok && m.Status().Code() != message.CodeInternalServerError {
				t.Errorf("inline %v, %s: answered %v", inline, phase, m)
			}
			if n := u.shared.Handlers(); n != 0 {
				t.Errorf("inline %v, %s: %d places are taken", inline, phase, n)
			}
		}
	}
}

// TestRoutesAreSettledByThePeer: a header hook of the peer changes the handler; one
// of a route may not.
func TestRoutesAreSettledByThePeer(t *testing.T) {
	for _, route := range []bool{false, true} {
		hook := renamer("/other")
		hooks := NewHooks([]plugin.Plugin{hook})
		called := ""
		handler := func(name string) *Handler {
			h := callHandler(func(CallCtx, int) (any, *message.Status) { called = name; return 1, nil })
			if route {
				h.SetHooks(NewRouteHooks(nil, []plugin.Plugin{hook}))
			}
			return h
		}
		u := newUnit(t, byName{"/h": handler("/h"), "/other": handler("/other")}, func(sh *Shared) {
			if !route {
				sh.Hooks.Store(hooks)
			}
		})
		u.accept(message.TypeCall, 1, "/h", 1)
		eventually(t, "the end", func() bool { return u.places.handlers.Load() == 0 })
		m := u.sentOne()
		if route && (called != "" || m.Status().Code() != message.CodeInternalServerError) {
			t.Errorf("a hook of the route: %q was called, and %v answered", called, m)
		}
		if !route && (called != "/other" || !m.StatusOK()) {
			t.Errorf("a hook of the peer: %q was called, and %v answered", called, m)
		}
	}
}

type renamer string

func (renamer) Name() string { return "renamer" }
func (r renamer) PostReadCallHeader(ctx ReadCtx) *message.Status {
	ctx.ResetServiceMethod(string(r))
	return nil
}

// byName routes calls by their method.
type byName map[string]*Handler

func (r byName) Dispatch(call bool, method string) (*Handler, bool) {
	if h := r[method]; h != nil && h.IsCall() == call {
		return h, true
	}
	return nil, false
}
func (byName) DispatchStream(string) (*Handler, bool) { return nil, false }

// TestUnansweredMethods: the answer to a message without a handler.
func TestUnansweredMethods(t *testing.T) {
	push := pushHandler(func(int) {})
	push.spec.Name = "/push"
	unknown := NewHandler(Spec{Name: "/unknown", Kind: RouteUnknownPush, Push: func(PushCtx, any) *message.Status { return nil }})
	u := newUnit(t, byName{"/push": push, "/unknown": unknown}, nil)
	for _, c := range []struct {
		method, cause string
		code          int32
	}{
		{"", "", message.CodeBadMessage},
		{"/nobody", "", message.CodeNotFound},
		{"/push", "no handler of a CALL for \"/push\", only one of a PUSH", message.CodeNotFound},
		{"/unknown", "", message.CodeNotFound},
	} {
		u.accept(message.TypeCall, 1, c.method, 1)
		eventually(t, "the end", func() bool { return u.places.handlers.Load() == 0 })
		m := u.sentOne()
		cause := ""
		if m.Status().Cause() != nil {
			cause = m.Status().Cause().Error()
		}
		if m.Status().Code() != c.code || c.code == message.CodeNotFound && cause != c.cause {
			t.Errorf("%q is answered with %v, cause %q", c.method, m, cause)
		}
	}
}

// TestMissingMethodsAreNamed: the error of the caller has the method, at a bounded
// length.
func TestMissingMethodsAreNamed(t *testing.T) {
	long := strings.Repeat("ä", 200)
	for _, c := range []struct {
		st     *message.Status
		method string
		named  bool
	}{
		{newStatus(message.CodeNotFound, ""), "/m", true},
		{newStatus(message.CodeNotFound, nil), "/m", true},
		{newStatus(message.CodeNotFound, ""), long, true},
		{newStatus(message.CodeNotFound, "a reason"), "/m", false},
		{message.NewStatus(message.CodeNotFound, "of a handler"), "/m", false},
		{newStatus(message.CodeBadMessage, ""), "/m", false},
	} {
		got := nameMissing(c.st, c.method)
		text := fmt.Sprint(got.Cause())
		if named := strings.Contains(text, fmt.Sprintf("%q", clip(c.method))); named != c.named || got.Code() != c.st.Code() {
			t.Errorf("%v became %v, %s", c.st, got, text)
		}
	}
	if got := clip(long); len(got) > maxNamed+len("…") || !strings.HasSuffix(got, "…") || !strings.HasPrefix(long, strings.TrimSuffix(got, "…")) {
		t.Errorf("clipped to %q", got)
	}
}

// TestReplyThatCannotBeEncoded: the caller is told, without the filters and the
// metadata that may be the reason.
func TestReplyThatCannotBeEncoded(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(CallCtx) any
		code int32
	}{
		{"a body that JSON does not know", func(CallCtx) any { return make(chan int) }, message.CodeInternalServerError},
		{"a body that panics", func(CallCtx) any { return panics{} }, message.CodeInternalServerError},
		{"a filter that is not there", func(ctx CallCtx) any { ctx.AddXferPipe(250); return 1 }, message.CodeInternalServerError},
		{"too much metadata", func(ctx CallCtx) any { ctx.SetMeta("k", strings.Repeat("v", 1<<25)); return 1 }, message.CodeInternalServerError},
	} {
		u := newUnit(t, callRoute{call: callHandler(func(ctx CallCtx, _ int) (any, *message.Status) { return c.do(ctx), nil })}, nil)
		u.accept(message.TypeCall, 4, "/h", 1)
		eventually(t, "the end", func() bool { return u.places.handlers.Load() == 0 })
		if all := u.sent(); len(all) != 1 || all[0].Seq() != 4 || all[0].Status().Code() != c.code || all[0].Meta().Len() != 0 {
			t.Errorf("%s: answered %v", c.name, all)
		}
	}
}

// TestEndThatCannotBePacked: the end of a stream, for which its other side waits, is
// sent whatever is in its way.
func TestEndThatCannotBePacked(t *testing.T) {
	for name, set := range map[string]message.Setting{
		"a filter that is not there": message.WithXferPipe(250),
		"too much metadata":          message.WithSetMeta("k", strings.Repeat("v", 1<<25)),
		"a status that is too long":  message.WithStatus(message.NewStatus(1001, strings.Repeat("v", 1<<25))),
	} {
		u := newUnit(t, callRoute{}, nil)
		m := message.New(set)
		m.SetMtype(message.TypeStreamEnd)
		m.SetSeq(-7)
		if err := (&Stream{conn: u.conn}).sendEnd(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		u.sock.StartFlush()
		if got := u.sentOne(); got.Mtype() != message.TypeStreamEnd || got.Seq() != -7 || got.Status().Code() != message.CodeInternalServerError {
			t.Errorf("%s: sent %v", name, got)
		}
	}
}

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("secret") }

// TestArgumentThatCannotBeDecoded: the call is refused before the handler runs.
func TestArgumentThatCannotBeDecoded(t *testing.T) {
	u := newUnit(t, callRoute{call: callHandler(func(CallCtx, int) (any, *message.Status) { t.Error("handled"); return 1, nil })}, nil)
	for _, c := range []struct {
		body  any
		codec byte
		code  int32
	}{
		{"text", 'j', message.CodeBadMessage},
		{1, 200, message.CodeBadMessage},
	} {
		u.accept(message.TypeCall, 4, "/h", c.body, message.WithBodyCodec(c.codec))
		eventually(t, "the end", func() bool { return u.places.handlers.Load() == 0 })
		if m := u.sentOne(); m.Status().Code() != c.code || NotExecuted(m.Status()) {
			t.Errorf("%v in codec %d: answered %v", c.body, c.codec, m)
		}
	}
}

// TestOnlyHooksRefuse: a refusal counts only if a hook before the handler returns
// it. The handler itself has run already.
func TestOnlyHooksRefuse(t *testing.T) {
	refusal := Refusal(newStatus(message.CodeExhausted, "full"))
	for _, phase := range []string{"call header", "route call header", "call pre body", "call body", "handler", "pre reply"} {
		for _, proven := range []bool{false, true} {
			u := traced(t, &tracer{at: phase, do: func() *message.Status { return refusal }})
			if proven {
				u.prove()
			}
			u.accept(message.TypeCall, 4, "/h", 1)
			eventually(t, "the end", func() bool { return u.places.handlers.Load() == 0 })
			m := u.sentOne()
			if marked, want := m.Meta().Has(metaRefused), proven && phase != "handler" && phase != "pre reply"; marked != want {
				t.Errorf("refused by %s, proven %v: marked is %v", phase, proven, marked)
			}
			if m.Status().Code() != message.CodeExhausted || m.Status().Cause().Error() != "full" {
				t.Errorf("refused by %s: %v", phase, m.Status())
			}
		}
	}
}

// TestHandlersCannotMark: metadata that only this package may set is removed from
// what a handler sets.
func TestHandlersCannotMark(t *testing.T) {
	u := newUnit(t, callRoute{call: callHandler(func(ctx CallCtx, _ int) (any, *message.Status) {
		ctx.SetMeta(metaRefused, "4")
		ctx.SetMeta(metaHello, "4")
		ctx.SetMeta("mine", "5")
		return nil, message.NewStatus(1001, "mine")
	})}, nil)
	u.prove()
	u.accept(message.TypeCall, 4, "/h", 1)
	eventually(t, "the end", func() bool { return u.places.handlers.Load() == 0 })
	if m := u.sentOne(); m.Meta().Has(metaRefused) || m.Meta().Has(metaHello) || m.Meta().Get("mine") != "5" {
		t.Errorf("answered with %v", m.Meta())
	}
}

// TestStatusOfTheReply: a handler may set one in place of returning it.
func TestStatusOfTheReply(t *testing.T) {
	u := newUnit(t, callRoute{call: callHandler(func(ctx CallCtx, _ int) (any, *message.Status) {
		ctx.Output().SetStatus(message.NewStatus(1001, "set"))
		return 1, nil
	})}, nil)
	u.accept(message.TypeCall, 4, "/h", 1)
	eventually(t, "the end", func() bool { return u.places.handlers.Load() == 0 })
	if m := u.sentOne(); m.Status().Code() != 1001 {
		t.Errorf("answered %v", m)
	}
}

// TestPhaseNames are those of the docs and logs.
func TestPhaseNames(t *testing.T) {
	var got []string
	for p := phaseRead; p <= phaseDone; p++ {
		got = append(got, p.String())
	}
	if want := []string{"read", "handling", "replying", "replied", "done"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestCauseOfATypeError: it names the type and the method of the message.
func TestCauseOfATypeError(t *testing.T) {
	err := error(&mtypeError{message.TypePush, "/m"})
	if !errors.Is(err, ErrMtype) || !strings.Contains(err.Error(), "PUSH") || !strings.Contains(err.Error(), `"/m"`) {
		t.Errorf("%v", err)
	}
}
