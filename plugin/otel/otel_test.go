package otel_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/heartbeat"
	"github.com/goerpc/erpc/plugin/otel"
)

// TestSpans: a call, its handler, the push that the handler sends back, and the
// handler of that push belong to one trace.
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
		return n, back.Push("/push", 1, erpc.WithContext(ctx)).Err()
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
	points := map[string]int{}
	for _, m := range got.ScopeMetrics[0].Metrics {
		points[m.Name] = len(m.Data.(metricdata.Histogram[float64]).DataPoints)
		if m.Unit != "s" {
			t.Errorf("%s is in %q, want seconds", m.Name, m.Unit)
		}
	}
	if points["rpc.client.call.duration"] != 1 || points["rpc.server.call.duration"] != 2 || len(points) != 2 {
		t.Errorf("measured %v, want the call, and the handling of the call and the push", points)
	}
}

// TestNoReply: the span of a call without a reply ends with its context.
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

// serve returns a session with a server, both with the plugin.
func serve(t *testing.T, p *otel.Plugin, register func(erpc.Peer)) erpc.Session {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet}, p, heartbeat.NewPong())
	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, p)
	register(srv)
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(lis) // says that the peer was closed
	}()
	t.Cleanup(func() {
		_ = cli.Close()
		_ = srv.Close()
		<-served
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	return sess
}

// recorded waits for n spans and returns them.
func recorded(t *testing.T, rec *tracetest.SpanRecorder, n int) []sdktrace.ReadOnlySpan {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(rec.Ended()) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d spans, want %d", len(rec.Ended()), n)
		}
	}
	return rec.Ended()
}

func attribute(s sdktrace.ReadOnlySpan, key string) string {
	for _, a := range s.Attributes() {
		if string(a.Key) == key {
			return a.Value.Emit()
		}
	}
	return ""
}

// The span of a handler is in its context, and has the attributes of the semantic
// conventions, on success and on failure.
func TestAttributesAndTheSpanInTheContext(t *testing.T) {
	rec := tracetest.NewSpanRecorder()
	p, err := otel.New(otel.Config{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec))})
	if err != nil {
		t.Fatal(err)
	}
	inContext := make(chan trace.SpanID, 1)
	sess := serve(t, p, func(srv erpc.Peer) {
		erpc.HandleCall(srv, "/refuse", func(ctx context.Context, _ *int) (*int, error) {
			inContext <- trace.SpanFromContext(ctx).SpanContext().SpanID()
			return nil, erpc.NewStatus(1001, "no").Err()
		})
		erpc.HandleCall(srv, "/panic", func(context.Context, *int) (*int, error) { panic("boom") })
	})
	for _, tc := range []struct {
		method, code          string
		failedThere, failHere bool
	}{
		{"/refuse", "1001", false, true},
		{"/panic", "500", true, true},
	} {
		rec.Reset()
		sess.Call(tc.method, 1, nil)
		for _, s := range recorded(t, rec, 2) {
			server := s.SpanKind() == trace.SpanKindServer
			if s.Name() != tc.method || attribute(s, "rpc.system.name") != "erpc" || attribute(s, "rpc.method") != tc.method ||
				attribute(s, "rpc.response.status_code") != tc.code {
				t.Errorf("%s %s: %v", s.SpanKind(), s.Name(), s.Attributes())
			}
			failed := tc.failHere
			if server {
				failed = tc.failedThere
			}
			if got := s.Status().Code == codes.Error; got != failed || (attribute(s, "error.type") == tc.code) != failed {
				t.Errorf("%s %s is an error: %t, want %t", s.SpanKind(), tc.method, got, failed)
			}
			address := map[bool]string{true: "client.address", false: "server.address"}[server]
			if attribute(s, address) != "127.0.0.1" {
				t.Errorf("%s: %v, want %s", s.SpanKind(), s.Attributes(), address)
			}
			if tc.method == "/refuse" && server && <-inContext != s.SpanContext().SpanID() {
				t.Error("the context of the handler has another span")
			}
		}
	}
}

// Heartbeats leave no spans, unless the filter takes them.
func TestFilter(t *testing.T) {
	for name, filter := range map[string]func(string) bool{
		"default": nil,
		"all":     func(string) bool { return true },
	} {
		t.Run(name, func(t *testing.T) {
			rec := tracetest.NewSpanRecorder()
			p, err := otel.New(otel.Config{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec)), Filter: filter})
			if err != nil {
				t.Fatal(err)
			}
			sess := serve(t, p, func(srv erpc.Peer) {
				erpc.HandleCall(srv, "/x", func(context.Context, *int) (*int, error) { return nil, nil })
			})
			for _, method := range []string{heartbeat.ServiceMethod, "/x"} {
				if st := sess.Call(method, nil, nil).Status(); !st.OK() {
					t.Fatal(st)
				}
			}
			want := 2
			if filter != nil {
				want = 4
			}
			if got := recorded(t, rec, want); len(got) != want {
				t.Errorf("%d spans, want %d", len(got), want)
			}
		})
	}
}

// Strangers choose the names of unknown methods, so all of these share one name in
// the counts.
func TestUnregisteredMethodsCountTogether(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	p, err := otel.New(otel.Config{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	if err != nil {
		t.Fatal(err)
	}
	const methods = 2000
	sess := serve(t, p, func(srv erpc.Peer) {
		srv.SetUnknownCall(func(erpc.UnknownCallCtx) (any, *erpc.Status) { return nil, nil })
	})
	for i := range methods {
		if st := sess.Call(fmt.Sprint("/no/such/", i), nil, nil).Status(); !st.OK() {
			t.Fatal(st)
		}
	}
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	for _, m := range got.ScopeMetrics[0].Metrics {
		points := len(m.Data.(metricdata.Histogram[float64]).DataPoints)
		if most := map[string]int{"rpc.server.call.duration": 1, "rpc.client.call.duration": 1001}[m.Name]; points > most {
			t.Errorf("%s has %d series, want at most %d", m.Name, points, most)
		}
	}
}
