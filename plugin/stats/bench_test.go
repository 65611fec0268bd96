package stats

import (
	"testing"
	"time"

	"github.com/goerpc/erpc"
)

type fakeCtx struct {
	erpc.ReadCtx
	seq int32
}

func (c *fakeCtx) Seq() int32          { return c.seq }
func (*fakeCtx) Session() erpc.Session { return fakeSession{} }
func (*fakeCtx) Status() *erpc.Status  { return nil }
func (*fakeCtx) ServiceMethod() string { return "/m" }

// BenchmarkAtWork measures entering a call into the running ones and removing it.
func BenchmarkAtWork(b *testing.B) {
	s := New(Config{})
	m := &method{name: "/m"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx := &fakeCtx{}
		for pb.Next() {
			ctx.seq++
			k := &mark{m: m, begin: time.Unix(0, 0)}
			s.running.enter(k, HandledCall, ctx)
			s.running.leave(k)
		}
	})
}

// BenchmarkNotSlow measures deciding that a call is not one of the slowest.
func BenchmarkNotSlow(b *testing.B) {
	s := New(Config{})
	begin := time.Now()
	window := begin.UnixNano() / int64(slowWindow)
	for range maxSlow {
		s.slowest.add(window, SlowCall{Took: time.Second})
	}
	ctx := &fakeCtx{}
	b.ReportAllocs()
	for b.Loop() {
		s.slowest.observe(ctx, begin, time.Millisecond, HandledCall)
	}
}
