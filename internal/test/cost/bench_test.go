package cost

import (
	"context"
	"log/slog"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

type echo struct{ erpc.CallCtx }

func (*echo) Text(arg *wrapperspb.StringValue) (*wrapperspb.StringValue, *erpc.Status) {
	return arg, nil
}

// benchPair returns a client's session with a server of its own, in one process.
func benchPair(b testing.TB) (srv erpc.Peer, sess erpc.Session) {
	quiet := slog.New(slog.DiscardHandler)
	srv = erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", DefaultBodyCodec: "protobuf", Logger: quiet})
	erpc.HandleCall(srv, "/bytes", func(_ context.Context, arg *[]byte) (*[]byte, error) { return arg, nil })
	erpc.HandleCall(srv, "/typed", func(_ context.Context, arg *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
		return arg, nil
	})
	erpc.HandlePush(srv, "/push", func(context.Context, *[]byte) error { return nil })
	srv.RouteCall(new(echo))
	lis, err := srv.Listen()
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	cli := erpc.NewPeer(erpc.PeerConfig{DefaultBodyCodec: "protobuf", Logger: quiet})
	b.Cleanup(func() {
		_ = cli.Close()
		_ = srv.Close()
		<-served
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		b.Fatal(st)
	}
	return srv, sess
}

func benchCalls(b *testing.B, callers int, call func(erpc.Session) *erpc.Status) {
	_, sess := benchPair(b)
	if st := call(sess); !st.OK() {
		b.Fatal(st)
	}
	b.ReportAllocs()
	b.SetParallelism(callers)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if st := call(sess); !st.OK() {
				b.Error(st)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

var body100 = make([]byte, 100)

func BenchmarkCallBytes(b *testing.B) {
	benchCalls(b, 50, func(s erpc.Session) *erpc.Status {
		var r []byte
		return s.Call("/bytes", body100, &r).Status()
	})
}

func BenchmarkCallTyped(b *testing.B) {
	arg := wrapperspb.String("hello, world")
	benchCalls(b, 50, func(s erpc.Session) *erpc.Status {
		_, err := erpc.Call[wrapperspb.StringValue](context.Background(), s, "/typed", arg)
		return erpc.StatusFromError(err)
	})
}

func BenchmarkCallStruct(b *testing.B) {
	arg := wrapperspb.String("hello, world")
	benchCalls(b, 50, func(s erpc.Session) *erpc.Status {
		return s.Call("/echo/text", arg, new(wrapperspb.StringValue)).Status()
	})
}

func BenchmarkCallDeadline(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	benchCalls(b, 50, func(s erpc.Session) *erpc.Status {
		var r []byte
		return s.Call("/bytes", body100, &r, erpc.WithContext(ctx)).Status()
	})
}

func BenchmarkCallJSON(b *testing.B) {
	benchCalls(b, 50, func(s erpc.Session) *erpc.Status {
		var r []byte
		return s.Call("/bytes", body100, &r, erpc.WithBodyCodec(codec.ID_JSON)).Status()
	})
}

func BenchmarkPush(b *testing.B) {
	benchCalls(b, 50, func(s erpc.Session) *erpc.Status { return s.Push("/push", body100) })
}
