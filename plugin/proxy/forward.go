package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/goerpc/erpc"
)

var (
	errNoBackend = errors.New("proxy: no backend was chosen")
	errBusy      = errors.New("proxy: too many messages of this client are in flight; the call was not forwarded")
	errAbsolute  = errors.New("proxy: the service method is an absolute URL; a client may not choose the host")
)

// forwardCall is the handler of unknown calls.
func (p *proxy) forwardCall(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
	c := p.client(ctx.Session())
	if !c.enter(ctx.Context(), p.cfg.MaxWait) {
		return nil, gaveUp(ctx.Context())
	}
	defer c.leave()
	label, settings, st := p.prepare(ctx, ctx.Context())
	if !st.OK() {
		return nil, p.outcome(c, ctx, st)
	}
	to := p.call(label)
	if to == nil {
		return nil, p.outcome(c, ctx, erpc.NewStatus(erpc.CodeBadGateway, "", errNoBackend))
	}
	var result []byte
	cmd := to.Call(label.ServiceMethod, ctx.InputBodyBytes(), &result, settings...)
	st = cmd.Status()
	for k, v := range cmd.InputMeta().All {
		if !isErpcs(k) {
			ctx.AddMeta(k, v)
		}
	}
	if !st.OK() {
		return nil, p.outcome(c, ctx, st)
	}
	ctx.SetBodyCodec(cmd.InputBodyCodec())
	return result, nil
}

// forwardPush is the handler of unknown pushes. A push that was read is
// forwarded even if its client disconnects meanwhile, because nothing would
// report its loss.
func (p *proxy) forwardPush(ctx erpc.UnknownPushCtx) *erpc.Status {
	c := p.client(ctx.Session())
	detached := context.WithoutCancel(ctx.Context())
	if !c.enter(detached, 0) {
		return gaveUp(detached)
	}
	defer c.leave()
	label, settings, st := p.prepare(ctx, detached)
	if !st.OK() {
		return p.outcome(c, ctx, st)
	}
	to := p.push(label)
	if to == nil {
		return p.outcome(c, ctx, erpc.NewStatus(erpc.CodeBadGateway, "", errNoBackend))
	}
	return p.outcome(c, ctx, to.Push(label.ServiceMethod, ctx.InputBodyBytes(), settings...))
}

// gaveUp returns the status of a message that got no turn.
func gaveUp(ctx context.Context) *erpc.Status {
	switch err := ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		return erpc.NewStatusByCodeText(erpc.CodeHandleTimeout, err, false)
	case err != nil:
		return erpc.NewStatusByCodeText(erpc.CodeCanceled, err, false)
	}
	return erpc.NewStatusByCodeText(erpc.CodeExhausted, errBusy, false)
}

// prepare returns the label and the settings to forward a message with. The
// context send bounds the sending.
func (p *proxy) prepare(ctx erpc.PushCtx, send context.Context) (*Label, []erpc.MessageSetting, *erpc.Status) {
	label := &Label{SessionID: ctx.Session().ID(), RealIP: ctx.IP(), ServiceMethod: ctx.ServiceMethod()}
	if isAbsolute(label.ServiceMethod) {
		return nil, nil, erpc.NewStatusByCodeText(erpc.CodeBadMessage, errAbsolute, false)
	}
	settings := []erpc.MessageSetting{
		erpc.WithContext(send),
		erpc.WithBodyCodec(ctx.GetBodyCodec()),
	}
	// The context interfaces of unknown methods don't expose the filters, but the
	// same value also implements that of read hooks, which does.
	if read, ok := ctx.(interface{ Input() erpc.Message }); ok && read.Input().XferPipe().Len() > 0 {
		settings = append(settings, erpc.WithXferPipe(read.Input().XferPipe().IDs()...))
	}
	f := p.filter(ctx)
	if f.hops >= p.cfg.MaxHops {
		return nil, nil, erpc.NewStatus(erpc.CodeBadGateway, "", fmt.Errorf("%w: %d of them", errHops, f.hops))
	}
	label.RealIP = f.realIP
	return label, append(settings, f.settings...), nil
}

// outcome returns the status that the client of a message gets. A failure
// between the proxy and its backend is only logged, because its text may reveal
// addresses behind the proxy. That includes a backend that shuts down: the
// client would think that the proxy does.
func (p *proxy) outcome(c *client, ctx erpc.PushCtx, st *erpc.Status) *erpc.Status {
	if !between(st) {
		return st
	}
	c.failures.Do(func(skipped uint64) {
		ctx.Log(slog.LevelWarn, "proxy: not forwarded", slog.Any("status", st), slog.Uint64("others", skipped))
	})
	return erpc.NewStatus(erpc.CodeBadGateway, erpc.CodeText(erpc.CodeBadGateway))
}

// between reports whether st concerns the connection between proxy and backend,
// or the choice of a backend.
func between(st *erpc.Status) bool {
	c := st.Code()
	return c >= 100 && c < 200 || c == erpc.CodeShuttingDown ||
		c == erpc.CodeBadGateway && (errors.Is(st.Cause(), errNoBackend) || errors.Is(st.Cause(), errHops))
}
