package wiretest

import "runtime/metrics"

// Allocated returns how many bytes were allocated while f ran, by all goroutines,
// accurate to some kilobytes that the runtime counts late.
func Allocated(f func()) uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	before := s[0].Value.Uint64()
	f()
	metrics.Read(s)
	return s[0].Value.Uint64() - before
}
