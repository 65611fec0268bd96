package dashboard

import "runtime/metrics"

// measure takes a sample. Its cost is proportional to the number of sessions
// and methods.
func (d *Dashboard) measure() sample {
	m := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/sched/goroutines:goroutines"}}
	metrics.Read(m)
	return sample{
		peer:       d.peer.Stats(),
		methods:    d.stats.Methods(),
		heap:       number(m[0]),
		goroutines: number(m[1]),
	}
}

// number returns the value of a metric, or 0 if this version of Go does not
// have it.
func number(m metrics.Sample) uint64 {
	if m.Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return m.Value.Uint64()
}
