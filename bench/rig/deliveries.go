package rig

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// deliveries counts the pushes that a client process gets. The counters are
// spread at random, because a thousand sessions count at once.
type deliveries struct {
	size  int           // that each body must have
	wrong atomic.Uint64 // bodies that did not
	cells [8]struct {
		n atomic.Uint64
		_ [56]byte // no two counters share a cache line
	}
}

func (d *deliveries) add(body []byte) {
	if len(body) != d.size {
		d.wrong.Add(1)
		return
	}
	d.cells[rand.N(len(d.cells))].n.Add(1)
}

func (d *deliveries) total() (n uint64) {
	for i := range d.cells {
		n += d.cells[i].n.Load()
	}
	return n
}

// count returns how many came within about t, and how many sessions joined
// meanwhile as joined, which may be nil, counts them.
func (d *deliveries) count(t time.Duration, joined func() uint64) (r Result, err error) {
	if joined == nil {
		joined = func() uint64 { return 0 }
	}
	mark, err := ReadUsage()
	if err != nil {
		return r, err
	}
	before, members, start := d.total(), joined(), time.Now()
	time.Sleep(t)
	r.Calls = d.total() - before
	r.Joined = joined() - members
	r.Seconds = time.Since(start).Seconds()
	r.Total = r.Calls
	r.Errors = d.wrong.Load()
	if r.Errors > 0 {
		r.Error = fmt.Sprintf("rig: %d pushed bodies did not have %d bytes", r.Errors, d.size)
	}
	used, err := ReadUsage()
	r.Usage = used.Since(mark)
	return r, err
}

// drain waits until no more arrive, and returns how many arrived in all. A connection
// whose receive window was full is silent for 200 ms or more, until the kernel probes it.
func (d *deliveries) drain() (r Result) {
	const quiet = time.Second
	for last := d.total(); ; last = r.Total {
		time.Sleep(quiet)
		r.Total = d.total()
		if r.Total == last {
			return r
		}
	}
}
