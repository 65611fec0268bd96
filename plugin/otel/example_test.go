package otel_test

import (
	"context"
	"fmt"
	"log/slog"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/otel"
)

// The plugin uses the providers of the program, or the global ones if the
// configuration names none. A real program exports its spans; this one prints them.
func ExampleNew() {
	spans := tracetest.NewInMemoryExporter()
	tracing, err := otel.New(otel.Config{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	quiet := slog.New(slog.DiscardHandler)
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", Logger: quiet})
	defer srv.Close()
	erpc.HandleCall(srv, "/double", func(_ context.Context, n *int) (*int, error) { *n *= 2; return n, nil })
	lis, err := srv.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()

	cli := erpc.NewPeer(erpc.PeerConfig{Logger: quiet}, tracing)
	sess, st := cli.Dial(lis.Addr().String())
	if st.OK() {
		n, err := erpc.Call[int](context.Background(), sess, "/double", 21)
		fmt.Println(*n, err)
	}
	for _, span := range spans.GetSpans() {
		fmt.Println(span.SpanKind, span.Name)
	}
	_ = cli.Close()
	_ = srv.Close()
	<-served
	// Output:
	// 42 <nil>
	// client /double
}
