package proxy

import (
	"errors"

	"github.com/goerpc/erpc"
)

// metaTimeout carries the deadline of a call. It is not copied: the session with
// the backend says what is left then.
const metaTimeout = "X-Erpc-Timeout"

var errNoBackend = errors.New("proxy: no backend was chosen")

func (p *proxy) forwardCall(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
	defer p.traffic(ctx.Session()).begin()()
	label, settings := p.prepare(ctx)
	to := p.call(label)
	if to == nil {
		return nil, outcome(ctx, erpc.NewStatus(erpc.CodeBadGateway, "", errNoBackend))
	}
	var result []byte
	cmd := to.Call(label.ServiceMethod, ctx.InputBodyBytes(), &result, settings...)
	st := cmd.Status()
	cmd.InputMeta().VisitAll(func(k, v []byte) { ctx.AddMeta(string(k), string(v)) })
	if !st.OK() {
		return nil, outcome(ctx, st)
	}
	ctx.SetBodyCodec(cmd.InputBodyCodec())
	return result, nil
}

func (p *proxy) forwardPush(ctx erpc.UnknownPushCtx) *erpc.Status {
	defer p.traffic(ctx.Session()).begin()()
	label, settings := p.prepare(ctx)
	to := p.push(label)
	if to == nil {
		return outcome(ctx, erpc.NewStatus(erpc.CodeBadGateway, "", errNoBackend))
	}
	return outcome(ctx, to.Push(label.ServiceMethod, ctx.InputBodyBytes(), settings...))
}

// prepare returns what a message that was received is sent on with.
func (p *proxy) prepare(ctx erpc.PushCtx) (*Label, []erpc.MessageSetting) {
	settings := []erpc.MessageSetting{
		erpc.WithContext(ctx.Context()),
		erpc.WithBodyCodec(ctx.GetBodyCodec()),
	}
	// The contexts of unknown methods show no filters; those of read hooks do,
	// and it is the same one.
	if read, ok := ctx.(interface{ Input() erpc.Message }); ok && read.Input().XferPipe().Len() > 0 {
		settings = append(settings, erpc.WithXferPipe(read.Input().XferPipe().IDs()...))
	}
	ip := ctx.IP()
	if claim := ctx.PeekMeta(erpc.MetaRealIP); p.cfg.TrustRealIP && len(claim) > 0 {
		ip = string(claim)
	}
	named := false // the address, at the place where the client had it
	ctx.VisitMeta(func(key, value []byte) {
		k, v := string(key), string(value)
		switch k {
		case metaTimeout:
			return
		case erpc.MetaRealIP:
			if named {
				return
			}
			named, v = true, ip
		}
		settings = append(settings, erpc.WithAddMeta(k, v))
	})
	if !named {
		settings = append(settings, erpc.WithAddMeta(erpc.MetaRealIP, ip))
	}
	return &Label{SessionID: ctx.Session().ID(), RealIP: ip, ServiceMethod: ctx.ServiceMethod()}, settings
}

// outcome is the status of a backend as the client gets it. What went wrong
// between the proxy and its backend is for the log of the proxy alone: it would
// tell of addresses behind it. That the backend is shutting down is among that,
// or the client would take it for news of the proxy.
func outcome(ctx erpc.PushCtx, st *erpc.Status) *erpc.Status {
	if !between(st) {
		return st
	}
	ctx.Warnf("proxy: %s for session %s: %v", ctx.ServiceMethod(), ctx.Session().ID(), st)
	return erpc.NewStatus(erpc.CodeBadGateway, erpc.CodeText(erpc.CodeBadGateway))
}

// between reports whether st speaks of the connection of proxy and backend.
func between(st *erpc.Status) bool {
	c := st.Code()
	return c >= 100 && c < 200 || c == erpc.CodeShuttingDown || c == erpc.CodeBadGateway && errors.Is(st.Cause(), errNoBackend)
}
