package main

import (
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/goerpc/erpc/bench/report"
	"github.com/goerpc/erpc/bench/rig"
)

// A job is one cell of the results and how to measure it.
type job struct {
	cell    *report.Cell
	peer    peer
	kind    kind
	callers int
	args    []string // of both processes
	conns   int
	size    int           // of a body, 0 for the benchmark message
	run     time.Duration // of a sample

	serverEnv []string // of the server process, besides that of the runner
	guests    string   // variant of a second client, whose sessions come and go while others are pushed to; empty: none
}

// A kind is a way to measure.
type kind int

const (
	calls  kind = iota // a closed loop
	pushes             // deliveries
	memory             // of idle sessions
	open               // an open loop
	hot                // quiet sessions beside a hot one
)

// Parameters of the tests.
const (
	pushSessions = 1000
	pushSize     = 128
	idleSessions = 5000
	largeSize    = 16 << 20
	growCallers  = 100
)

var (
	callLevels    = []int{1, 100, 1000, 5000, 10}
	largeCallers  = []int{1, 4}
	metaEntries   = []int{0, 8, 64}
	pluginCounts  = []int{0, 5, 20}
	filters       = []string{"none", "gzip", "s2"}
	bodySizes     = []int{64, 1 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 16 << 20}
	sessionCounts = []int{1, 10, 100, 1000, 5000, 20_000}
)

// A plan says what to run: the jobs in groups whose samples are compared with
// one another, and therefore taken in turns.
type plan [][]*job

// newPlan returns the plan for the peers and tests that are wanted. Growth
// runs for half the time of the others: only erpc is in it, and no bar.
func newPlan(all []peer, wanted func(test string) bool, run time.Duration) plan {
	var p plan
	b := planner{all: all, wanted: wanted, run: run}
	slices.Sort(callLevels)
	for _, n := range callLevels {
		p = append(p, b.group(report.Call, n, func(j *job) { j.callers = n }))
	}
	p = append(p, b.group(report.Bytes, 100, func(j *job) { j.callers, j.size = 100, messageSize }))
	p = append(p, b.group(report.Push, pushSessions, func(j *job) {
		j.kind, j.conns, j.size = pushes, pushSessions, pushSize
		if j.peer.Name == report.ChurnPeer {
			j.guests = "guests"
		}
	}))
	p = append(p, b.group(report.Idle, idleSessions, func(j *job) { j.kind, j.conns, j.callers = memory, idleSessions, idleSessions }))
	b.run = max(run, leastLarge)
	for _, n := range largeCallers {
		p = append(p, b.group(report.Large, n, func(j *job) { j.callers, j.size = n, largeSize }))
	}
	b.run = max(run/2, leastGrowth)
	for _, n := range metaEntries {
		p = append(p, b.grow(report.Meta, n, func(j *job) { j.args = []string{"-meta", strconv.Itoa(n)} }))
	}
	for _, n := range pluginCounts {
		p = append(p, b.grow(report.Plugins, n, func(j *job) { j.args = []string{"-plugins", strconv.Itoa(n)} }))
	}
	for i, f := range filters {
		p = append(p, b.grow(report.Filter, i, func(j *job) {
			j.cell.Label = f
			if f != "none" {
				j.args = []string{"-filter", f}
			}
		}))
	}
	for _, n := range bodySizes {
		p = append(p, b.grow(report.Size, n, func(j *job) {
			j.size = n
			j.callers = max(1, min(growCallers, 4<<20/n)) // not gigabytes in flight
		}))
	}
	for _, n := range sessionCounts {
		n = min(n, mostSessions())
		p = append(p, b.grow(report.Sessions, n, func(j *job) { j.conns = n }))
	}
	return slices.DeleteFunc(p, func(g []*job) bool { return len(g) == 0 })
}

// The least that samples of large bodies and of growing work take, so that
// enough calls end.
const (
	leastLarge  = time.Second
	leastGrowth = 300 * time.Millisecond
)

// mostSessions is how many a process may have, with something to spare for
// what else it opens. It is what a process without privileges can raise its
// limit to.
func mostSessions() int {
	const spare = 100
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 1000 // any system allows that
	}
	return int(min(l.Max, 1<<20)) - spare
}

// messageSize is that of the benchmark message, so that []byte bodies are
// comparable with it.
const messageSize = 581

type planner struct {
	all    []peer
	wanted func(test string) bool
	run    time.Duration
}

// group returns a job for each peer that takes part in a test.
func (b *planner) group(test string, x int, set func(*job)) (g []*job) {
	if !b.wanted(test) {
		return nil
	}
	for _, p := range b.all {
		if !slices.Contains(p.tests, test) {
			continue
		}
		j := &job{cell: &report.Cell{Test: test, Peer: p.Name, X: x}, peer: p, conns: 1, callers: 1, run: b.run}
		set(j)
		g = append(g, j)
	}
	return g
}

// grow is group for the tests of growing work.
func (b *planner) grow(test string, x int, set func(*job)) []*job {
	return b.group(test, x, func(j *job) {
		j.callers, j.size = growCallers, messageSize
		set(j)
	})
}

// workload returns the name that the rig has for what the job does.
func (j *job) workload() string {
	switch {
	case j.kind == pushes:
		return rig.Push
	case j.size > 0:
		return rig.Bytes
	}
	return rig.Call
}

// arguments returns what both processes are told; the client is told more.
func (j *job) arguments() []string {
	return append([]string{"-workload", j.workload(), "-size", strconv.Itoa(j.size)}, j.args...)
}
