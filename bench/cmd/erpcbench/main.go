// Command erpcbench measures erpc beside its peers and writes the report.
//
// It expects the programs of bench/peers in the directory -bin, which the
// Makefile builds; a peer whose program is not there is left out. It exits
// with 1, and leaves the report alone, if a reply was wrong, a call failed or
// nothing was measured.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goerpc/erpc/bench/report"
)

type options struct {
	bin, docs, readme, raw, from, command string
	peers, tests                          string
	shapes                                bool
	rounds                                int
	run, warmup                           time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "directory of the peers' programs")
	flag.StringVar(&o.docs, "docs", "", "directory for performance.md and its charts; none: only print the bars")
	flag.StringVar(&o.readme, "readme", "", "file whose summary between its marks is rewritten; none: leave it")
	flag.StringVar(&o.raw, "raw", "", "file for all samples, as JSON")
	flag.StringVar(&o.from, "from", "", "measure nothing, report what an earlier run wrote with -raw")
	flag.StringVar(&o.command, "command", "make bench", "the command to name in the report")
	flag.StringVar(&o.peers, "peers", "", "comma-separated names of peers; none: all")
	flag.StringVar(&o.tests, "tests", "", "comma-separated names of tests; none: all")
	flag.BoolVar(&o.shapes, "shapes", false, "measure the shapes, for performance/shapes.md")
	flag.IntVar(&o.rounds, "rounds", 3, "samples of each cell")
	flag.DurationVar(&o.run, "run", 600*time.Millisecond, "length of a sample")
	flag.DurationVar(&o.warmup, "warmup", 150*time.Millisecond, "what precedes it")
	flag.Parse()
	if err := bench(o); err != nil {
		fmt.Fprintln(os.Stderr, "erpcbench:", err)
		os.Exit(1)
	}
}

func bench(o options) error {
	var r *report.Results
	var err error
	if o.from != "" {
		r, err = load(o.from)
	} else {
		r, err = measureAll(o)
	}
	if err != nil {
		return err
	}
	if o.raw != "" {
		if err := save(o.raw, r); err != nil {
			return err
		}
	}
	bars := report.Bars
	if o.shapes {
		bars = report.ShapeBars
	}
	for _, b := range bars(r) {
		fmt.Println(b)
	}
	if len(r.Failures) > 0 {
		return fmt.Errorf("the run is invalid:\n%s", strings.Join(r.Failures, "\n"))
	}
	if o.docs == "" {
		return nil
	}
	if o.shapes {
		return report.SaveShapes(r, o.docs)
	}
	if err := report.Write(r).Save(o.docs); err != nil {
		return err
	}
	if o.readme == "" {
		return nil
	}
	return report.UpdateReadme(o.readme, r)
}

// measureAll runs the plan: each round goes through all groups, and through the
// peers of a group in random order.
func measureAll(o options) (*report.Results, error) {
	chosen, missing, err := choose(o.peers, o.bin)
	if err != nil {
		return nil, err
	}
	if o.rounds < 1 || o.run <= 0 {
		return nil, errors.New("-rounds and -run must be above 0")
	}
	tests := list(o.tests)
	makePlan := newPlan
	if o.shapes {
		makePlan = newShapes
	}
	p := makePlan(chosen, func(test string) bool { return len(tests) == 0 || slices.Contains(tests, test) }, o.run)
	if len(p) == 0 {
		return nil, errors.New("there is nothing to measure")
	}
	r := &report.Results{Date: time.Now(), Command: o.command, Machine: machine(), Rounds: o.rounds, Seconds: o.run.Seconds()}
	for _, pe := range chosen {
		r.Peers = append(r.Peers, pe.Peer)
	}
	for _, name := range missing {
		fmt.Fprintf(os.Stderr, "no program for %s: left out\n", name)
	}
	for _, g := range p {
		for _, j := range g {
			r.Cells = append(r.Cells, j.cell)
		}
	}
	for round := range o.rounds {
		for _, g := range p {
			order := slices.Clone(g)
			rand.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
			for _, j := range order {
				s, err := measure(j, o.bin, o.warmup)
				what := fmt.Sprintf("round %d, %s of %s, %d", round+1, j.cell.Test, j.cell.Peer, j.cell.X)
				if err != nil {
					r.Failures = append(r.Failures, fmt.Sprintf("%s: %v", what, err))
					fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
					continue
				}
				j.cell.Samples = append(j.cell.Samples, s)
				fmt.Fprintf(os.Stderr, "%s %s: %.0f/s, %.1f µs, %.0f B\n", what, j.cell.Label, s.Rate, report.CPU(s), s.SessionBytes)
			}
		}
	}
	return r, nil
}

// choose returns the peers with the given names, or all if no names are given.
// It also returns the names of peers whose program is missing or lacks their
// variant.
func choose(names, bin string) (chosen []peer, missing []string, err error) {
	want := list(names)
	for _, p := range peers {
		if i := slices.Index(want, p.Name); i >= 0 {
			want = slices.Delete(want, i, i+1)
		} else if names != "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(bin, p.binary)); err != nil {
			missing = append(missing, p.Name)
			continue
		}
		variants, err := exec.Command(filepath.Join(bin, p.binary), "list").Output()
		if err != nil {
			return nil, nil, fmt.Errorf("%s does not name its variants: %w", p.binary, err)
		}
		if !slices.Contains(strings.Fields(string(variants)), p.variant) {
			missing = append(missing, p.Name)
			continue
		}
		chosen = append(chosen, p)
	}
	if len(want) > 0 {
		return nil, nil, fmt.Errorf("no peers are called %s", strings.Join(want, ", "))
	}
	return chosen, missing, nil
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' })
}

func save(file string, r *report.Results) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func load(file string) (*report.Results, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(report.Results)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
