package main

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// median returns the median of the values that f returns.
func median(all []sample, f func(sample) float64) float64 {
	v := make([]float64, len(all))
	for i, s := range all {
		v[i] = f(s)
	}
	slices.SortFunc(v, cmp.Compare)
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func rate(s sample) float64 { return s.perSecond }
func cost(s sample) float64 { return s.cpu }

// ratios returns the ratio of a to b in each round. Within a round, both ran
// under the same load of the machine.
func ratios(a, b []sample, f func(sample) float64) []sample {
	var r []sample
	for i := range min(len(a), len(b)) {
		if f(b[i]) > 0 {
			r = append(r, sample{perSecond: f(a[i]) / f(b[i])})
		}
	}
	return r
}

// write returns the page.
func write(samples map[key][]sample, command string, rounds int, run time.Duration) string {
	var w strings.Builder
	fmt.Fprintf(&w, "# Performance of streams\n\n")
	fmt.Fprintf(&w, "Written by `%s`; do not edit it.\n\n", command)
	fmt.Fprintf(&w, "- Machine: %d × %s, %s\n", runtime.NumCPU(), runtime.GOARCH, runtime.Version())
	fmt.Fprintf(&w, "- Rounds: %d of %v for each figure, in random order; each figure is the median. Both ends are in one process, so CPU is the sum of both.\n", rounds, run)
	fmt.Fprintf(&w, "- One stream on one connection, TCP over loopback, no TLS. The other frameworks and \"erpc, protobuf\" send a protobuf message with a field of bytes; \"erpc\" sends the bytes and receives with `RecvInto`; \"io.Copy\" is a connection that `io.Copy` empties.\n\n")
	fmt.Fprintf(&w, "| |")
	for _, t := range tests {
		fmt.Fprintf(&w, " %s /s | CPU µs |", t.name)
	}
	fmt.Fprintf(&w, "\n|---|%s\n", strings.Repeat("---:|", 2*len(tests)))
	for _, p := range peers {
		fmt.Fprintf(&w, "| %s |", p.name)
		for _, t := range tests {
			s := samples[key{p.name, t.name}]
			if len(s) == 0 {
				fmt.Fprintf(&w, " – | – |")
				continue
			}
			fmt.Fprintf(&w, " %.0f | %.1f |", median(s, rate), median(s, cost))
		}
		fmt.Fprintf(&w, "\n")
	}
	fmt.Fprintf(&w, "\nerpc relative to the others, as the median of the ratios of each round; above 1, erpc is faster or uses less CPU:\n\n| | messages a second | CPU |\n|---|---:|---:|\n")
	for _, t := range tests {
		ours := samples[key{erpcBytes, t.name}]
		for _, p := range peers {
			theirs := samples[key{p.name, t.name}]
			if p.name == erpcBytes || len(theirs) == 0 || len(ours) == 0 {
				continue
			}
			fmt.Fprintf(&w, "| %s, to %s | %.2f | %.2f |\n", t.name, p.name, median(ratios(ours, theirs, rate), rate), median(ratios(theirs, ours, cost), rate))
		}
	}
	return w.String()
}
