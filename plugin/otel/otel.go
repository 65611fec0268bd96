package otel

import (
	"context"
	"net"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/rpcconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/otel/internal/track"
)

const scope = "github.com/goerpc/erpc/plugin/otel"

// Config adjusts the plugin. The zero value uses the global providers.
type Config struct {
	TracerProvider trace.TracerProvider          `yaml:"-" ini:"-"`
	MeterProvider  metric.MeterProvider          `yaml:"-" ini:"-"`
	Propagator     propagation.TextMapPropagator `yaml:"-" ini:"-"` // nil: W3C trace context
	// Filter reports whether to observe a method; nil means all but heartbeats.
	Filter func(method string) bool `yaml:"-" ini:"-"`
}

// Plugin is the plugin. It may serve several peers. All methods may be called
// concurrently.
type Plugin struct {
	*track.Tracker
}

var (
	_ erpc.PostRegPlugin             = (*Plugin)(nil)
	_ erpc.PreWriteCallPlugin        = (*Plugin)(nil)
	_ erpc.PostReadReplyHeaderPlugin = (*Plugin)(nil)
	_ erpc.PreWritePushPlugin        = (*Plugin)(nil)
	_ erpc.PostReadCallHeaderPlugin  = (*Plugin)(nil)
	_ erpc.PostReadPushHeaderPlugin  = (*Plugin)(nil)
	_ erpc.PostHandlePlugin          = (*Plugin)(nil)
	_ erpc.PostEndStreamPlugin       = (*Plugin)(nil)
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
	meter := cfg.MeterProvider.Meter(scope)
	client, err := rpcconv.NewClientCallDuration(meter)
	if err != nil {
		return nil, err
	}
	server, err := rpcconv.NewServerCallDuration(meter)
	if err != nil {
		return nil, err
	}
	messages, err := meter.Int64Counter("erpc.stream.messages", metric.WithUnit("{message}"), metric.WithDescription("Messages of streams that have ended."))
	if err != nil {
		return nil, err
	}
	o := &observer{
		tracer: cfg.TracerProvider.Tracer(scope), propagator: cfg.Propagator,
		client: client.Inst(), server: server.Inst(), messages: messages,
	}
	return &Plugin{&track.Tracker{Observer: o, Filter: cfg.Filter}}, nil
}

// Name returns the name of the plugin.
func (*Plugin) Name() string { return "otel" }

// Context returns ctx.
//
// Deprecated: the context of a handler already contains the span.
func (*Plugin) Context(ctx context.Context) context.Context { return ctx }

// carrier adapts metadata to a propagator.
type carrier struct{ *erpc.Meta }

func (c carrier) Set(key, value string) { c.Meta.Set(key, value) }
func (c carrier) Keys() (keys []string) {
	for k := range c.All {
		keys = append(keys, k)
	}
	return keys
}

// observer records spans and durations.
type observer struct {
	tracer         trace.Tracer
	propagator     propagation.TextMapPropagator
	client, server metric.Float64Histogram
	messages       metric.Int64Counter
}

var spanKinds = map[track.Kind]trace.SpanKind{
	track.Call: trace.SpanKindClient, track.HandledCall: trace.SpanKindServer,
	track.Push: trace.SpanKindProducer, track.HandledPush: trace.SpanKindConsumer,
}

// Begin implements [track.Observer].
func (o *observer) Begin(op *track.Op, meta *erpc.Meta) {
	attrs := append(attributes(op), addresses(op)...)
	if op.Name != op.Method {
		attrs = append(attrs, semconv.RPCMethodOriginalKey.String(op.Name))
	}
	parent := op.Context
	if op.Kind.Handled() {
		parent = o.propagator.Extract(parent, carrier{meta})
	}
	ctx, span := o.tracer.Start(parent, op.Method, trace.WithSpanKind(spanKinds[op.Kind]), trace.WithAttributes(attrs...), trace.WithTimestamp(op.Begin))
	if !op.Kind.Handled() {
		o.propagator.Inject(ctx, carrier{meta})
	}
	op.Context, op.Data = ctx, span
}

// Again implements [track.Observer].
func (o *observer) Again(op *track.Op, meta *erpc.Meta) {
	o.propagator.Inject(op.Context, carrier{meta})
}

// End implements [track.Observer].
func (o *observer) End(op *track.Op, st *erpc.Status) {
	span := op.Data.(trace.Span)
	outcome := []attribute.KeyValue{semconv.RPCResponseStatusCodeKey.String(strconv.Itoa(int(st.Code())))}
	if isError(op.Kind, st) {
		outcome = append(outcome, semconv.ErrorTypeKey.String(strconv.Itoa(int(st.Code()))))
		span.SetStatus(codes.Error, st.Msg())
	}
	span.SetAttributes(outcome...)
	if op.Stream {
		span.SetAttributes(attribute.Int64("erpc.messages.sent", int64(op.Messages.Sent)), attribute.Int64("erpc.messages.received", int64(op.Messages.Received)))
		o.count(op, "sent", op.Messages.Sent)
		o.count(op, "received", op.Messages.Received)
	}
	set := metric.WithAttributes(append(attributes(op), outcome...)...)
	seconds := time.Since(op.Begin).Seconds()
	switch op.Kind {
	case track.Call:
		o.client.Record(op.Context, seconds, set)
	case track.HandledCall, track.HandledPush:
		o.server.Record(op.Context, seconds, set)
	}
	span.End() // last, so that an ended span has been counted
}

// count adds n messages of a stream.
func (o *observer) count(op *track.Op, direction string, n uint64) {
	if n > 0 {
		o.messages.Add(op.Context, int64(n), metric.WithAttributes(append(attributes(op), attribute.String("erpc.direction", direction))...))
	}
}

// attributes returns the attributes of a metric, which must be few.
func attributes(op *track.Op) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.RPCSystemNameKey.String("erpc"), semconv.RPCMethodKey.String(op.Method), attribute.String("erpc.kind", op.Kind.String()),
	}
}

// addresses returns the attributes for the other side's address: the server's
// on the calling side, else the client's.
func addresses(op *track.Op) []attribute.KeyValue {
	text := op.Session.RemoteAddr().String()
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host = text
	}
	if op.Kind.Handled() {
		return []attribute.KeyValue{semconv.ClientAddressKey.String(host)}
	}
	attrs := []attribute.KeyValue{semconv.ServerAddressKey.String(host)}
	if n, err := strconv.Atoi(port); err == nil {
		attrs = append(attrs, semconv.ServerPortKey.Int(n))
	}
	return attrs
}

// isError reports whether the span of an operation is an error. A handler that
// reports its caller's mistake has not failed.
func isError(k track.Kind, st *erpc.Status) bool {
	if k.Handled() {
		return st.Code() >= 500 && st.Code() < 600 || erpc.IsConnError(st)
	}
	return !st.OK()
}
