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

// A pair is a client's session with its own server in the same process.
type pair struct {
	srv, cli erpc.Peer
	sess     erpc.Session
}

func newPair(b testing.TB) pair { return newPairOver(b, erpc.PeerConfig{Network: "tcp"}) }

// newPairOver returns a pair over the network and transports of cfg.
func newPairOver(b testing.TB, cfg erpc.PeerConfig) pair {
	cfg.LocalIP, cfg.DefaultBodyCodec, cfg.Logger = "127.0.0.1", "protobuf", slog.New(slog.DiscardHandler)
	srv, cli := erpc.NewPeer(cfg), erpc.NewPeer(cfg)
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
	b.Cleanup(func() {
		_ = cli.Close()
		_ = srv.Close()
		<-served
	})
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		b.Fatal(st)
	}
	return pair{srv, cli, sess}
}

// traffic returns the counters of both ends together.
func (p pair) traffic() erpc.PeerStats {
	sum, c := p.srv.Stats(), p.cli.Stats()
	sum.Reads += c.Reads
	sum.Writes += c.Writes
	sum.BytesOut += c.BytesOut
	return sum
}

// report adds the system calls of both ends and their bytes on the wire, divided
// by n, to the figures of b. With one caller that waits for each reply, they do
// not depend on the machine; with many callers, they tell how well writes are
// shared.
func (p pair) report(b *testing.B, before erpc.PeerStats, n int) {
	after := p.traffic()
	per := func(after, before uint64) float64 { return float64(after-before) / float64(n) }
	b.ReportMetric(per(after.Writes, before.Writes), "writes/call")
	b.ReportMetric(per(after.Reads, before.Reads), "reads/call")
	b.ReportMetric(per(after.BytesOut, before.BytesOut), "wire-B/call")
}

func benchCalls(b *testing.B, callers int, call func(erpc.Session) *erpc.Status) {
	p := newPair(b)
	for range 100 { // fill pools, and let the handler run inline
		if st := call(p.sess); !st.OK() {
			b.Fatal(st)
		}
	}
	before := p.traffic()
	b.ReportAllocs()
	b.SetParallelism(callers)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if st := call(p.sess); !st.OK() {
				b.Error(st)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	p.report(b, before, b.N)
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

// One caller: each call is a write of the client and one of the server.
func BenchmarkOneCaller(b *testing.B) {
	p := newPair(b)
	result := make([]byte, 0, 200)
	call := func() {
		if st := p.sess.Call("/bytes", body100, &result).Status(); !st.OK() {
			b.Fatal(st)
		}
	}
	for range 100 {
		call()
	}
	before := p.traffic()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		call()
	}
	p.report(b, before, b.N)
}

// A batch of a hundred calls is one write, and so are its replies.
func BenchmarkBatch100(b *testing.B) {
	const size = 100
	p := newPair(b)
	var results [size][]byte
	do := func() {
		batch := erpc.NewBatch(p.sess)
		for i := range results {
			batch.Call("/bytes", body100, &results[i])
		}
		if st := batch.Do(context.Background()); !st.OK() {
			b.Fatal(st)
		}
	}
	for range 10 {
		do()
	}
	before := p.traffic()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		do()
	}
	p.report(b, before, b.N*size)
}
