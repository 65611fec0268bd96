package socket

import "testing"

// What all sockets of a process or of a peer share: the list of flushers, to which
// each push adds its socket, and from which the flushers take it; and the buffers of
// what waits to be written above 256 KiB. docs/scaling.md says how often. Run with
// -cpu 1,2,4,8.
func BenchmarkShared(b *testing.B) {
	b.Run("flushers", func(b *testing.B) {
		var p flusherPool
		b.RunParallel(func(pb *testing.PB) {
			w := new(writer) // idle: somebody was faster than the flusher
			for pb.Next() {
				p.add(w)
			}
		})
	})
	b.Run("large buffers", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				putLarge(getLarge(largeChunk))
			}
		})
	})
}
