package otel_test

import (
	"context"
	"errors"
	"io"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/otel"
)

// A stream is one span at each end, the second a child of the first, with its
// status and its messages, however it ends.
func TestStreams(t *testing.T) {
	for _, c := range []struct {
		name, method   string
		end            func(*erpc.Stream[int, int]) error
		code           string
		sent, received string // by the opener
		messages       int64
	}{
		{"it ends well", "/echo", (*erpc.Stream[int, int]).CloseSend, "0", "2", "2", 8},
		{"the opener closes it", "/echo", (*erpc.Stream[int, int]).Close, "499", "2", "2", 8},
		{"the handler fails", "/fail", func(*erpc.Stream[int, int]) error { return nil }, "1001", "0", "0", 0},
		{"the session ends", "/echo", func(s *erpc.Stream[int, int]) error { return s.Session().Close() }, "102", "2", "2", 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
			p, err := otel.New(otel.Config{
				TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec)),
				MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
			})
			if err != nil {
				t.Fatal(err)
			}
			inHandler := make(chan trace.SpanContext, 1)
			sess := serve(t, p, func(srv erpc.Peer) {
				erpc.HandleStream(srv, "/echo", func(ctx context.Context, s *erpc.Stream[int, int]) error {
					inHandler <- trace.SpanContextFromContext(ctx)
					for n, err := range s.All() {
						if err != nil {
							return err
						}
						if err := s.Send(n); err != nil {
							return err
						}
					}
					return nil
				})
				erpc.HandleStream(srv, "/fail", func(context.Context, *erpc.Stream[int, int]) error { return erpc.NewStatus(1001, "no").Err() })
			})
			s, err := erpc.OpenStream[int, int](t.Context(), sess, c.method)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				if c.method == "/fail" {
					break
				}
				if err := s.Send(&i); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.end(s); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recv(); (c.code == "0") != errors.Is(err, io.EOF) {
				t.Error(err)
			}
			var client, server sdktrace.ReadOnlySpan
			for _, span := range recorded(t, rec, 2) {
				if span.SpanKind() == trace.SpanKindClient {
					client = span
				} else {
					server = span
				}
			}
			if client == nil || server == nil || server.Parent().SpanID() != client.SpanContext().SpanID() {
				t.Fatalf("%+v is not below %+v", server, client)
			}
			if c.method == "/echo" && (<-inHandler).SpanID() != server.SpanContext().SpanID() {
				t.Error("the span is not in the context of the handler")
			}
			for _, want := range []struct {
				span       sdktrace.ReadOnlySpan
				key, value string
			}{
				{client, "rpc.response.status_code", c.code}, {server, "rpc.response.status_code", c.code},
				{client, "erpc.messages.sent", c.sent}, {client, "erpc.messages.received", c.received},
				{server, "erpc.messages.sent", c.received}, {server, "erpc.messages.received", c.sent},
			} {
				if got := attribute(want.span, want.key); got != want.value {
					t.Errorf("%v: %s is %s, want %s", want.span.SpanKind(), want.key, got, want.value)
				}
			}
			var got metricdata.ResourceMetrics
			if err := reader.Collect(t.Context(), &got); err != nil {
				t.Fatal(err)
			}
			messages, durations := int64(0), 0
			for _, m := range got.ScopeMetrics[0].Metrics {
				switch data := m.Data.(type) {
				case metricdata.Sum[int64]:
					for _, point := range data.DataPoints {
						messages += point.Value
					}
				case metricdata.Histogram[float64]:
					durations += len(data.DataPoints)
				}
			}
			if messages != c.messages || durations != 2 {
				t.Errorf("%d messages and %d durations, want %d and 2", messages, durations, c.messages)
			}
		})
	}
}
