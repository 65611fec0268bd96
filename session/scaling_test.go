package session

import (
	"sync/atomic"
	"testing"

	"github.com/goerpc/erpc/internal/workerpool"
)

// What all connections of a peer share, as the processors of a message touch it at
// the same time: docs/scaling.md says how often. Run with -cpu 1,2,4,8.
func BenchmarkShared(b *testing.B) {
	b.Run("counters", func(b *testing.B) { // of a message on a worker
		var handlers, working atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				handlers.Add(1)
				working.Add(1)
				working.Add(-1)
				handlers.Add(-1)
			}
		})
	})
	b.Run("workers", func(b *testing.B) {
		p := workerpool.Pool[chan struct{}]{Max: maxParked, Do: func(done chan struct{}) { done <- struct{}{} }}
		b.RunParallel(func(pb *testing.PB) {
			done := make(chan struct{}, 1)
			for pb.Next() {
				p.Run(done)
				<-done
			}
		})
	})
	b.Run("exchanges", func(b *testing.B) {
		c := &conn{shared: fakeShared(oneRoute{})}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				putExchange(getExchange(c, roleInbound))
			}
		})
	})
	b.Run("pace", func(b *testing.B) {
		var p pace
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if p.inline() {
					p.took(0)
				}
			}
		})
	})
	b.Run("decodes", func(b *testing.B) { // of bodies that count for the peer
		budget := decodeBudget{limit: 1 << 40}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if budget.TryTake(freeDecode + 1) {
					budget.Give(freeDecode + 1)
				}
			}
		})
	})
	b.Run("watchdog", func(b *testing.B) { // a connection becomes busy
		var d watchdog
		for i := range d.lists {
			d.lists[i].running = true // nobody looks
			// Lists that grow would cost more or less with the length of the benchmark.
			d.lists[i].conns = make([]watchedConn, 0, watchLists*watchSpread+b.N/8)
		}
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				d.add(new(handoff), nil)
			}
		})
	})
}
