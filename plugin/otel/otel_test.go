package otel_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/otel"
)

// TestSpans wants one trace: a call, its handler, the push that this sends back,
// and the handler of that.
func TestSpans(t *testing.T) {
	rec := tracetest.NewSpanRecorder()
	reader := sdkmetric.NewManualReader()
	p, err := otel.New(otel.Config{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec)),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet}, p)
	defer srv.Close()
	erpc.HandleCall(srv, "/call", func(ctx context.Context, n *int) (*int, error) {
		back := erpc.CallCtxFrom(ctx).Session()
		return n, back.Push("/push", 1, erpc.WithContext(p.Context(ctx))).Err()
	})
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(lis)
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, p)
	defer cli.Close()
	erpc.HandlePush(cli, "/push", func(context.Context, *int) error { return nil })
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	if st := sess.Call("/call", 1, nil).Status(); !st.OK() {
		t.Fatal(st)
	}
	for deadline := time.Now().Add(10 * time.Second); len(rec.Ended()) < 4; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d spans", len(rec.Ended()))
		}
	}
	kinds := map[trace.SpanKind]sdktrace.ReadOnlySpan{}
	for _, s := range rec.Ended() {
		kinds[s.SpanKind()] = s
	}
	parent := trace.SpanID{}
	root := kinds[trace.SpanKindClient].SpanContext().TraceID()
	for _, k := range []trace.SpanKind{trace.SpanKindClient, trace.SpanKindServer, trace.SpanKindProducer, trace.SpanKindConsumer} {
		s := kinds[k]
		if s == nil || s.Parent().SpanID() != parent || s.SpanContext().TraceID() != root {
			t.Fatalf("%s: %+v, want it below %s", k, s, parent)
		}
		parent = s.SpanContext().SpanID()
	}
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil || len(got.ScopeMetrics) != 1 {
		t.Fatalf("%v %+v", err, got)
	}
	h := got.ScopeMetrics[0].Metrics[0].Data.(metricdata.Histogram[float64])
	if len(h.DataPoints) != 3 {
		t.Errorf("%d kinds were measured, want 3", len(h.DataPoints))
	}
}

// TestNoReply: the span of a call ends with its context.
func TestNoReply(t *testing.T) {
	rec := tracetest.NewSpanRecorder()
	p, err := otel.New(otel.Config{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec))})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet})
	defer srv.Close()
	erpc.HandleCall(srv, "/wait", func(ctx context.Context, _ *int) (*int, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(lis)
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, p)
	defer cli.Close()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if st := sess.Call("/wait", 1, nil, erpc.WithContext(ctx)).Status(); st.OK() {
		t.Fatal("it returned")
	}
	for deadline := time.Now().Add(10 * time.Second); len(rec.Ended()) < 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the span did not end")
		}
	}
}
