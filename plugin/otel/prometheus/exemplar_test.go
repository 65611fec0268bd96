package prometheus_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/otel"
	erpcprom "github.com/goerpc/erpc/plugin/otel/prometheus"
)

// The histograms of call durations, at both ends, name a trace that is sampled.
func TestExemplars(t *testing.T) {
	for _, sampled := range []bool{true, false} {
		sampler := sdktrace.NeverSample()
		if sampled {
			sampler = sdktrace.AlwaysSample()
		}
		traces := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler))
		spans, err := otel.New(otel.Config{TracerProvider: traces})
		if err != nil {
			t.Fatal(err)
		}
		reg := prometheus.NewRegistry()
		quiet := slog.New(slog.DiscardHandler)
		plugins := func(name string) []erpc.Plugin {
			p, err := erpcprom.New(erpcprom.Config{Peer: name, Registerer: reg})
			if err != nil {
				t.Fatal(err)
			}
			return []erpc.Plugin{spans, p}
		}
		srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet}, plugins("server")...)
		defer srv.Close()
		erpc.HandleCall(srv, "/ok", func(_ context.Context, n *int) (*int, error) { return n, nil })
		lis, err := srv.Listen()
		if err != nil {
			t.Fatal(err)
		}
		go srv.Serve(lis) // ends with the peer
		cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, plugins("client")...)
		defer cli.Close()
		sess, st := cli.Dial(lis.Addr().String())
		if !st.OK() {
			t.Fatal(st)
		}
		ctx, span := traces.Tracer("test").Start(t.Context(), "request")
		if _, err := erpc.Call[int](ctx, sess, "/ok", 1); err != nil {
			t.Fatal(err)
		}
		span.End()
		want := 0 // kinds with an exemplar
		if sampled {
			want = 2
		}
		var found map[string]string
		for end := time.Now().Add(10 * time.Second); len(found) < 2 && time.Now().Before(end); time.Sleep(time.Millisecond) { // the handler ends after its reply
			found = exemplars(t, reg)
		}
		n := 0
		for kind, trace := range found {
			if trace == span.SpanContext().TraceID().String() {
				n++
			} else if trace != "" {
				t.Errorf("the exemplar of %s names the trace %s, want %s", kind, trace, span.SpanContext().TraceID())
			}
		}
		if len(found) != 2 || n != want {
			t.Errorf("sampled %v: exemplars %v, want %d", sampled, found, want)
		}
	}
}

// exemplars returns the traces that the histograms name, by kind; "" for a histogram
// without one.
func exemplars(t *testing.T, reg *prometheus.Registry) map[string]string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, f := range families {
		if f.GetName() != "erpc_operation_duration_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			kind, trace := "", ""
			for _, l := range m.GetLabel() {
				if l.GetName() == "kind" {
					kind = l.GetValue()
				}
			}
			for _, b := range m.GetHistogram().GetBucket() {
				for _, l := range b.GetExemplar().GetLabel() {
					if l.GetName() == "trace_id" {
						trace = l.GetValue()
					}
				}
			}
			found[kind] = trace
		}
	}
	return found
}
