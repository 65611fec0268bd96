package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/goerpc/erpc/bench/report"
	"github.com/goerpc/erpc/bench/rig"
)

// Parameters of the shapes.
const (
	shapeCallers  = 100
	shapeConns    = 1000
	bodyCallers   = 10
	body64        = 64 << 10
	blockCallers  = 1000
	openCallers   = 200
	quietSessions = 1000
)

var (
	openShares = []int{30, 70}
	blockTimes = []int{1000, 10_000} // µs
	procCounts = []int{1, 8}
	hotCallers = []int{0, 100}
)

// leastOpen is the least that a sample of an open loop or of quiet sessions
// takes, so that its p99.9 stands on some calls.
const leastOpen = 2 * time.Second

// newShapes returns the plan of the shapes: calls of other kinds than those
// that [newPlan] has in detail.
func newShapes(all []peer, wanted func(test string) bool, run time.Duration) plan {
	var p plan
	b := planner{all: all, wanted: wanted, run: run}
	p = append(p, b.group(report.Conns, shapeConns, func(j *job) { j.conns, j.callers = shapeConns, shapeConns }))
	for _, over := range []struct{ test, transport string }{{report.OverTLS, rig.TLS}, {report.OverUnix, rig.Unix}, {report.OverQUIC, rig.QUIC}} {
		p = append(p, b.group(over.test, shapeCallers, func(j *job) {
			j.callers, j.args = shapeCallers, []string{"-transport", over.transport}
		}))
	}
	p = append(p,
		b.group(report.OverWS, shapeCallers, func(j *job) {
			j.conns, j.callers, j.args = shapeCallers, shapeCallers, []string{"-transport", rig.WebSocket}
		}),
		b.group(report.Body64, bodyCallers, func(j *job) {
			j.callers, j.args = bodyCallers, []string{"-pad", strconv.Itoa(body64)}
		}),
		b.group(report.JSON, shapeCallers, func(j *job) { j.callers, j.args = shapeCallers, []string{"-codec", "json"} }),
	)
	for _, n := range procCounts {
		p = append(p, b.group(report.Procs, n, func(j *job) {
			j.callers, j.serverEnv = shapeCallers, []string{fmt.Sprintf("GOMAXPROCS=%d", n)}
		}))
	}
	for _, n := range blockTimes {
		p = append(p, b.group(report.Blocking, n, func(j *job) {
			j.callers, j.args = blockCallers, []string{"-block", (time.Duration(n) * time.Microsecond).String()}
		}))
	}
	b.run = max(run, leastOpen)
	for _, n := range openShares {
		p = append(p, b.group(report.Open, n, func(j *job) { j.kind, j.callers = open, openCallers }))
	}
	for _, n := range hotCallers {
		p = append(p, b.group(report.Hot, n, func(j *job) {
			j.kind, j.conns, j.callers = hot, quietSessions+1, quietSessions+1
			j.args = []string{"-hot", strconv.Itoa(n)}
		}))
	}
	return slices.DeleteFunc(p, func(g []*job) bool { return len(g) == 0 })
}
