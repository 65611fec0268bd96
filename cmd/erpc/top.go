package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/stats"
)

// topOptions holds the flags of top.
type topOptions struct {
	interval time.Duration
	sort     string
	rows     int
}

func topFlags(o *options, fs *flag.FlagSet) {
	formatFlags(o, fs)
	fs.DurationVar(&o.top.interval, "interval", time.Second, "time between two readings")
	fs.StringVar(&o.top.sort, "sort", "rate", "`column` to sort by: rate, errors, p99, total or name")
	fs.IntVar(&o.top.rows, "rows", 20, "methods to show")
	fs.IntVar(&o.count, "count", 0, "end after this many tables; 0 is never")
}

// A pace holds the activity of a peer between two readings.
type pace struct {
	Time     time.Time     `json:"time"`
	Uptime   time.Duration `json:"uptime"`
	Sessions int           `json:"sessions"`
	Handlers int           `json:"handlers"`
	Streams  int           `json:"streams"`
	Queued   int           `json:"queued"`
	In       float64       `json:"in"`  // bytes per second
	Out      float64       `json:"out"` // bytes per second
	Methods  []methodPace  `json:"methods"`
}

// A methodPace holds the activity of a method. Times are in nanoseconds.
type methodPace struct {
	Name   string        `json:"name"`
	Kind   string        `json:"kind"`
	Rate   float64       `json:"rate"`   // ended calls per second
	Errors float64       `json:"errors"` // failed calls per second
	Work   uint64        `json:"work"`   // begun but not ended
	P50    time.Duration `json:"p50"`
	P99    time.Duration `json:"p99"`
	Total  uint64        `json:"total"` // since the peer started
}

// paceOf compares two readings. If the peer has restarted, its counts are taken
// from the restart.
func paceOf(before, now *stats.Reading) pace {
	took := now.Time.Sub(before.Time)
	if now.Uptime < before.Uptime || took <= 0 {
		before, took = &stats.Reading{}, max(now.Uptime, 1)
	}
	p := pace{
		Time: now.Time, Uptime: now.Uptime, Sessions: now.Sessions, Handlers: now.Handlers, Streams: now.Streams, Queued: now.Queued,
		In: rate(before.BytesIn, now.BytesIn, took), Out: rate(before.BytesOut, now.BytesOut, took), Methods: []methodPace{},
	}
	type key struct{ kind, name string }
	old := map[key]stats.MethodReading{}
	for _, m := range before.Methods {
		old[key{m.Kind, m.Name}] = m
	}
	for _, m := range now.Methods {
		was := old[key{m.Kind, m.Name}]
		buckets := slices.Clone(m.Buckets)
		for i, n := range was.Buckets {
			if i < len(buckets) {
				buckets[i] -= min(n, buckets[i])
			}
		}
		p.Methods = append(p.Methods, methodPace{
			Name: m.Name, Kind: m.Kind, Rate: rate(was.Ended, m.Ended, took), Errors: rate(was.Errors, m.Errors, took),
			Work: m.Started - min(m.Started, m.Ended), P50: quantile(buckets, now.Bounds, 0.5), P99: quantile(buckets, now.Bounds, 0.99), Total: m.Ended,
		})
	}
	return p
}

func rate(before, now uint64, took time.Duration) float64 {
	return float64(now-min(before, now)) / took.Seconds()
}

// quantile returns the bound of the bucket that contains the quantile q.
func quantile(buckets []uint64, bounds []time.Duration, q float64) time.Duration {
	var of stats.Histogram
	for i, n := range buckets {
		b := stats.Bucket{Count: n}
		if i < len(bounds) {
			b.Bound = bounds[i]
		}
		of.Buckets = append(of.Buckets, b)
		of.Count += n
	}
	return of.Quantile(q)
}

// arrange sorts the methods and keeps those to show.
func (p *pace) arrange(by string, rows int) error {
	columns := map[string]func(a, b methodPace) int{
		"rate":   func(a, b methodPace) int { return cmp.Compare(b.Rate, a.Rate) },
		"errors": func(a, b methodPace) int { return cmp.Compare(b.Errors, a.Errors) },
		"p99":    func(a, b methodPace) int { return cmp.Compare(b.P99, a.P99) },
		"total":  func(a, b methodPace) int { return cmp.Compare(b.Total, a.Total) },
		"name":   func(a, b methodPace) int { return 0 },
	}
	column, ok := columns[by]
	if !ok {
		return usagef("-sort must be rate, errors, p99, total or name")
	}
	slices.SortFunc(p.Methods, func(a, b methodPace) int {
		return cmp.Or(column(a, b), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	p.Methods = p.Methods[:min(len(p.Methods), rows)]
	return nil
}

// table formats the pace as text.
func (p *pace) table(o *options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  up %v  %d sessions  %d handlers  %d streams  in %s/s  out %s/s  queued %s\n",
		p.Time.Local().Format(time.TimeOnly), p.Uptime.Round(time.Second), p.Sessions, p.Handlers, p.Streams, size(p.In), size(p.Out), size(float64(p.Queued)))
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tMETHOD\tPER SECOND\tERRORS\tAT WORK\tP50\tP99\tTOTAL")
	for _, m := range p.Methods {
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%d\t%v\t%v\t%d\n", harmless(m.Kind), harmless(clip(m.Name)), m.Rate, m.Errors, m.Work, m.P50, m.P99, m.Total)
	}
	_ = w.Flush() // writes to memory
	head, rest, _ := strings.Cut(b.String(), "\n")
	columns, rest, _ := strings.Cut(rest, "\n")
	return o.paint(bold, head) + "\n" + o.paint(dim, columns) + "\n" + rest
}

// size formats a number of bytes.
func size(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 1000 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.3g TB", n)
}

// runTop shows the activity of a peer until the program is interrupted.
func runTop(ctx context.Context, o *options, args []string) error {
	switch {
	case len(args) != 1:
		return usagef("top takes TARGET")
	case o.top.interval <= 0 || o.top.rows < 1:
		return usagef("-interval and -rows must be positive")
	}
	if err := new(pace).arrange(o.top.sort, 0); err != nil {
		return err
	}
	p, sess, err := o.dial(ctx, args[0], nil)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }() // an error does not change the outcome
	before, err := o.reading(ctx, sess)
	if err != nil {
		return err
	}
	for n := 1; sleep(ctx, o.top.interval); n++ {
		now, err := o.reading(ctx, sess)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case !now.Time.After(before.Time) && now.Uptime >= before.Uptime:
			n-- // the peer has not made a new reading yet
			continue
		}
		pace := paceOf(before, now)
		if err := pace.arrange(o.top.sort, o.top.rows); err != nil {
			return err
		}
		if err := o.show(pace); err != nil || n == o.count {
			return err
		}
		before = now
	}
	return nil
}

// show prints a pace; on a terminal it replaces the last one.
func (o *options) show(p pace) error {
	if o.format == "json" {
		return o.line(p)
	}
	text := p.table(o)
	if terminal(o.std.out) {
		text = "\x1b[H\x1b[J" + text
	} else {
		text += "\n"
	}
	_, err := fmt.Fprint(o.std.out, text)
	return err
}

// reading asks the peer for its counts.
func (o *options) reading(ctx context.Context, sess erpc.Session) (*stats.Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	return askFor[stats.Reading](ctx, o, sess, stats.ReadMethod, nil, "the peer does not serve its counts; it needs plugin/stats with Config.Allow")
}
