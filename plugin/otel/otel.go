package otel

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/goerpc/erpc"
)

const scope = "github.com/goerpc/erpc/plugin/otel"

// Config adjusts the plugin. The zero value takes the global providers.
type Config struct {
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Propagator     propagation.TextMapPropagator // nil: W3C trace context
}

// Plugin is the plugin. It may be given to several peers. All methods may be
// called concurrently.
type Plugin struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	durations  metric.Float64Histogram
}

var (
	_ erpc.PreWriteCallPlugin        = (*Plugin)(nil)
	_ erpc.PostReadReplyHeaderPlugin = (*Plugin)(nil)
	_ erpc.PreWritePushPlugin        = (*Plugin)(nil)
	_ erpc.PostReadCallHeaderPlugin  = (*Plugin)(nil)
	_ erpc.PostReadPushHeaderPlugin  = (*Plugin)(nil)
	_ erpc.PostHandlePlugin          = (*Plugin)(nil)
)

// New returns the plugin.
func New(cfg Config) (*Plugin, error) {
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = otel.GetTracerProvider()
	}
	if cfg.MeterProvider == nil {
		cfg.MeterProvider = otel.GetMeterProvider()
	}
	if cfg.Propagator == nil {
		cfg.Propagator = propagation.TraceContext{}
	}
	h, err := cfg.MeterProvider.Meter(scope).Float64Histogram("erpc.duration",
		metric.WithUnit("s"), metric.WithDescription("how long calls took, and the handling of calls and pushes"))
	if err != nil {
		return nil, err
	}
	return &Plugin{cfg.TracerProvider.Tracer(scope), cfg.Propagator, h}, nil
}

// Name returns the name of the plugin.
func (*Plugin) Name() string { return "otel" }

// carrier is metadata as a propagator sees it.
type carrier struct{ *erpc.Meta }

func (c carrier) Set(key, value string) { c.Meta.Set(key, value) }
func (c carrier) Keys() (keys []string) {
	for k := range c.All {
		keys = append(keys, k)
	}
	return keys
}

type spanKey struct {
	p       *Plugin
	handler bool
}

// An active is a span that has not ended.
type active struct {
	ctx   context.Context // with the span
	span  trace.Span
	begin time.Time
	attrs attribute.Set
	once  sync.Once
	stop  func() bool // of what waits for the end of a call's context
}

func (p *Plugin) start(ctx context.Context, method, what string, kind trace.SpanKind) *active {
	attrs := attribute.NewSet(attribute.String("rpc.system", "erpc"), attribute.String("rpc.method", method), attribute.String("erpc.kind", what))
	a := &active{begin: time.Now(), attrs: attrs}
	a.ctx, a.span = p.tracer.Start(ctx, method, trace.WithSpanKind(kind), trace.WithAttributes(attrs.ToSlice()...))
	return a
}

func (a *active) end(p *Plugin, st *erpc.Status) {
	a.once.Do(func() {
		if !st.OK() {
			a.span.SetStatus(codes.Error, st.Msg())
		}
		code := attribute.Int("erpc.status_code", int(st.Code()))
		a.span.SetAttributes(code)
		a.span.End()
		p.durations.Record(a.ctx, time.Since(a.begin).Seconds(), metric.WithAttributeSet(a.attrs), metric.WithAttributes(code))
	})
}

// PreWriteCall starts the span of a call and puts it into the metadata. It is
// ended by the reply, or with the context of the call. A call that gets no reply
// and whose context never ends, because its connection broke, leaves no span.
func (p *Plugin) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	m := ctx.Output()
	parent := m.Context()
	a := p.start(parent, m.ServiceMethod(), "call", trace.SpanKindClient)
	p.propagator.Inject(a.ctx, carrier{m.Meta()})
	a.stop = context.AfterFunc(parent, func() {
		a.end(p, erpc.NewStatus(erpc.CodeCanceled, context.Cause(parent).Error()))
	})
	ctx.Swap().Store(spanKey{p, false}, a)
	return nil
}

// PostReadReplyHeader ends the span of a call.
func (p *Plugin) PostReadReplyHeader(ctx erpc.ReadCtx) *erpc.Status {
	if v, ok := ctx.Swap().Load(spanKey{p, false}); ok {
		a := v.(*active)
		a.stop()
		a.end(p, ctx.Status())
	}
	return nil
}

// PreWritePush makes the span of a push and puts it into the metadata. As nobody
// answers, it is as long as a moment.
func (p *Plugin) PreWritePush(ctx erpc.WriteCtx) *erpc.Status {
	m := ctx.Output()
	_, span := p.tracer.Start(m.Context(), m.ServiceMethod(), trace.WithSpanKind(trace.SpanKindProducer))
	p.propagator.Inject(trace.ContextWithSpan(m.Context(), span), carrier{m.Meta()})
	span.End()
	return nil
}

// PostReadCallHeader starts the span of a handler, below that of the caller.
func (p *Plugin) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status {
	p.handle(ctx, "handled_call", trace.SpanKindServer)
	return nil
}

// PostReadPushHeader is PostReadCallHeader for a push.
func (p *Plugin) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status {
	p.handle(ctx, "handled_push", trace.SpanKindConsumer)
	return nil
}

func (p *Plugin) handle(ctx erpc.ReadCtx, what string, kind trace.SpanKind) {
	remote := p.propagator.Extract(ctx.Context(), carrier{ctx.Input().Meta()})
	ctx.Swap().Store(spanKey{p, true}, p.start(remote, ctx.ServiceMethod(), what, kind))
}

// PostHandle ends the span of a handler.
func (p *Plugin) PostHandle(ctx erpc.ReadCtx) {
	if v, ok := ctx.Swap().Load(spanKey{p, true}); ok {
		v.(*active).end(p, ctx.Status())
	}
}

// Context returns ctx, that of a typed handler, with the span of the handler in
// it: what is called with it is traced below that.
func (p *Plugin) Context(ctx context.Context) context.Context {
	c := erpc.PushCtxFrom(ctx)
	if c == nil {
		return ctx
	}
	if v, ok := c.Swap().Load(spanKey{p, true}); ok {
		return trace.ContextWithSpan(ctx, v.(*active).span)
	}
	return ctx
}
