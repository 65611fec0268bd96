package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A tolerance is how much a figure may exceed the committed one: by a part of it
// plus an amount.
type tolerance struct{ part, amount float64 }

// tolerances has the units that are compared. The collector sometimes empties
// pools, which adds a little memory; a new object of one call adds at least one
// allocation.
var tolerances = map[string]tolerance{
	"allocs/op":   {0.005, 0.5},
	"B/op":        {0.02, 16},
	"reads/call":  {0.1, 0.01},
	"writes/call": {0.1, 0.01},
	"wire-B/call": {0.01, 0.5},
}

// loose are figures that depend on the machine, with larger tolerances.
var loose = []struct {
	benchmark, unit string
	tolerance
}{
	// The length of the queue, and so its buffers, depends on scheduling.
	{".BenchmarkPush", "B/op", tolerance{2, 0}},
	// How often a flusher finds nothing left, and another one begins, depends on
	// the processors.
	{".BenchmarkShared/flushers", "B/op", tolerance{2, 32}},
	// A writer of gzip has a megabyte. How often the collector takes it from its
	// pool depends on how long the benchmark runs.
	{"/xfer.BenchmarkPipe", "B/op", tolerance{1, 64}},
	// How many of a hundred callers share a write depends on the processors: 7 to 20
	// were seen. Callers that do not share need two writes.
	{".BenchmarkCall", "reads/call", tolerance{1, 0.2}},
	{".BenchmarkCall", "writes/call", tolerance{1, 0.2}},
	// How many goroutines a burst starts depends on when the first ones run.
	{"/workerpool.BenchmarkBurst", "B/op", tolerance{2, 1024}},
}

func allowed(benchmark, unit string) (tolerance, bool) {
	for _, l := range loose {
		if l.unit == unit && strings.Contains(benchmark, l.benchmark) {
			return l.tolerance, true
		}
	}
	t, ok := tolerances[unit]
	return t, ok
}

// compare returns how many figures it compared, and complaints. A benchmark or
// figure that only one side has is a complaint too, because it is not guarded.
func compare(committed, measured figures) (compared int, complaints []string) {
	for _, name := range slices.Sorted(maps.Keys(committed)) {
		now, ok := measured[name]
		if !ok {
			complaints = append(complaints, name+" is committed and was not measured")
			continue
		}
		for _, unit := range slices.Sorted(maps.Keys(committed[name])) {
			t, counts := allowed(name, unit)
			if !counts {
				continue
			}
			was := committed[name][unit]
			is, ok := now[unit]
			compared++
			switch most := was + was*t.part + t.amount; {
			case !ok:
				complaints = append(complaints, fmt.Sprintf("%s: %s is committed and was not measured", name, unit))
			case is > most:
				complaints = append(complaints, fmt.Sprintf("%s: %g %s, committed are %g, at most %.4g", name, is, unit, was, most))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(measured)) {
		if committed[name] == nil {
			complaints = append(complaints, name+" has no committed figures")
			continue
		}
		for _, unit := range slices.Sorted(maps.Keys(measured[name])) {
			_, counts := allowed(name, unit)
			if _, ok := committed[name][unit]; counts && !ok {
				complaints = append(complaints, fmt.Sprintf("%s: %s is measured and was not committed", name, unit))
			}
		}
	}
	return compared, complaints
}
