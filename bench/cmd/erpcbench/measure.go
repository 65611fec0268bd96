package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/goerpc/erpc/bench/report"
	"github.com/goerpc/erpc/bench/rig"
)

// measure takes one sample of a job, with new processes.
func measure(j *job, binaries string, warmup time.Duration) (s report.Sample, err error) {
	binary := filepath.Join(binaries, j.peer.binary)
	server, err := start(binary, j.peer.variant, "server", j.arguments(), j.serverEnv...)
	if err != nil {
		return s, err
	}
	defer server.stop()

	var before rig.Memory
	if j.kind == memory {
		before, err = withoutSessions(j, binary, server)
		if err != nil {
			return s, err
		}
	}
	args := append(j.arguments(), "-addr", server.addr, "-callers", strconv.Itoa(j.callers), "-conns", strconv.Itoa(j.conns))
	client, err := start(binary, j.peer.variant, "client", args)
	if err != nil {
		return s, err
	}
	defer client.stop()
	switch j.kind {
	case memory:
		return idle(j, server, client, before)
	case pushes:
		return pushBesideGuests(j, binary, server, client, warmup)
	case open:
		return openLoop(j, server, client, warmup)
	case hot:
		return quiet(j, server, client, warmup)
	}
	return call(j, server, client, warmup)
}

func call(j *job, server, client *process, warmup time.Duration) (s report.Sample, err error) {
	var r rig.Result
	if err := client.do(&r, warmup, "run %g", warmup.Seconds()); err != nil {
		return s, err
	}
	return timed(j, server, client, "run")
}

// timed runs a command of the client for the time of a sample.
func timed(j *job, server, client *process, command string) (s report.Sample, err error) {
	var r rig.Result
	var used rig.Usage
	if err := server.do(&used, 0, "mark"); err != nil {
		return s, err
	}
	if err := client.do(&r, j.run, command+" %g", j.run.Seconds()); err != nil {
		return s, err
	}
	if err := server.do(&used, 0, "stat"); err != nil {
		return s, err
	}
	return sample(r, used)
}

// openLoop measures the capacity of the peer, and then requests a share of it.
func openLoop(j *job, server, client *process, warmup time.Duration) (s report.Sample, err error) {
	var r rig.Result
	for _, d := range []time.Duration{warmup, j.run} {
		if err := client.do(&r, d, "run %g", d.Seconds()); err != nil {
			return s, err
		}
	}
	if r.Calls == 0 || r.Seconds <= 0 {
		return s, errors.New("no call ended")
	}
	rate := float64(r.Calls) / r.Seconds * float64(j.cell.X) / 100
	return atRate(j, server, client, "open", rate)
}

// quiet measures each session but the first at one call a second.
func quiet(j *job, server, client *process, warmup time.Duration) (s report.Sample, err error) {
	var done rig.Hello
	if err := client.do(&done, warmup, "once"); err != nil {
		return s, err
	}
	return atRate(j, server, client, "quiet", float64(j.conns-1))
}

// atRate runs a command that makes rate calls a second.
func atRate(j *job, server, client *process, command string, rate float64) (s report.Sample, err error) {
	var done rig.Hello
	if err := client.do(&done, 0, "rate %g", rate); err != nil {
		return s, err
	}
	return timed(j, server, client, command)
}

// doors is how many guests may be joining at a time.
const doors = 20

// pushBesideGuests is push while the guests of the job, if it has any, come and go.
func pushBesideGuests(j *job, binary string, server, client *process, warmup time.Duration) (s report.Sample, err error) {
	if j.guests == "" {
		return push(j, server, client, nil, warmup)
	}
	guests, err := start(binary, j.guests, "client", append(j.arguments(), "-addr", server.addr, "-conns", strconv.Itoa(doors)))
	if err != nil {
		return s, err
	}
	defer guests.stop()
	return push(j, server, client, guests, warmup)
}

// push lets the server push from before the client starts counting until after
// it stops. guests may be nil. What they get does not count as delivered, nor as lost.
func push(j *job, server, client, guests *process, warmup time.Duration) (s report.Sample, err error) {
	var (
		used   rig.Usage
		pushed rig.Pushed
	)
	if err := server.do(&used, 0, "mark"); err != nil {
		return s, err
	}
	whole := j.run + 2*warmup
	if err := server.send("push %g", whole.Seconds()); err != nil {
		return s, err
	}
	time.Sleep(warmup)
	r, met, err := count(client, guests, j.run, fmt.Sprintf("run %g", j.run.Seconds()))
	if err != nil {
		return s, err
	}
	if err := server.answer(&pushed, whole); err != nil {
		return s, err
	}
	all, allMet, err := count(client, guests, 0, "total")
	if err != nil {
		return s, err
	}
	if err := server.do(&used, 0, "stat"); err != nil {
		return s, err
	}
	s, err = sample(r, used)
	if err != nil {
		return s, err
	}
	s.Server = cost(used, pushed.Sent) // the server was marked before the client counted
	s.Lost = float64(pushed.Sent) - float64(all.Total+allMet.Total)
	if guests != nil {
		s.Joins = float64(met.Joined) / met.Seconds
	}
	return s, nil
}

// count gives the client and the guests, if there are any, a command that takes about
// d, and returns what each counted.
func count(client, guests *process, d time.Duration, command string) (r, met rig.Result, err error) {
	if guests != nil {
		if err := guests.send("%s", command); err != nil {
			return r, met, err
		}
	}
	if err := client.do(&r, d, "%s", command); err != nil || guests == nil {
		return r, met, err
	}
	err = guests.answer(&met, d)
	if err == nil && met.Errors > 0 {
		err = fmt.Errorf("guests: %s", met.Error)
	}
	return r, met, err
}

// withoutSessions returns what the server holds when its first session has come, made
// a call and gone: the code for that is in memory.
func withoutSessions(j *job, binary string, server *process) (m rig.Memory, err error) {
	client, err := start(binary, j.peer.variant, "client", append(j.arguments(), "-addr", server.addr, "-callers", "1", "-conns", "1"))
	if err != nil {
		return m, err
	}
	var done rig.Hello
	err = client.do(&done, 0, "once")
	client.stop()
	if err != nil {
		return m, err
	}
	time.Sleep(untilIdle)
	err = server.do(&m, 0, "rss")
	return m, err
}

// untilIdle is how long the sessions are left alone before they count as idle: some
// peers put away what they used when nothing has come for a while.
const untilIdle = time.Second

func idle(j *job, server, client *process, before rig.Memory) (s report.Sample, err error) {
	var done rig.Hello
	if err := client.do(&done, 0, "once"); err != nil {
		return s, err
	}
	time.Sleep(untilIdle)
	var after rig.Memory
	if err := server.do(&after, 0, "rss"); err != nil {
		return s, err
	}
	s.SessionBytes = (float64(after.Bytes) - float64(before.Bytes)) / float64(j.conns)
	if s.SessionBytes <= 0 {
		return s, fmt.Errorf("%d sessions took no memory", j.conns)
	}
	return s, nil
}

// sample converts the reports of both sides to figures per call. It returns an
// error if the run is invalid.
func sample(r rig.Result, server rig.Usage) (s report.Sample, err error) {
	switch {
	case r.Errors > 0:
		return s, fmt.Errorf("%d calls failed: %s", r.Errors, r.Error)
	case r.Calls == 0 || r.Seconds <= 0:
		return s, errors.New("no call ended")
	}
	return report.Sample{
		Rate: float64(r.Calls) / r.Seconds,
		P50:  r.P50, P99: r.P99, P999: r.P999, Max: r.Max,
		Client: cost(r.Usage, r.Total),
		Server: cost(server, r.Total),
	}, nil
}

func cost(u rig.Usage, n uint64) report.Cost {
	if n == 0 {
		return report.Cost{}
	}
	per := 1 / float64(n)
	return report.Cost{
		CPU: u.CPU * per, Allocs: float64(u.Mallocs) * per, AllocBytes: float64(u.AllocBytes) * per,
		Reads: float64(u.Reads) * per, Writes: float64(u.Writes) * per,
		PeakRSS: float64(u.PeakRSS),
	}
}
