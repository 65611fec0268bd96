package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// figures are the lowest measured values, by benchmark and unit. A benchmark is
// named by package and name, without the number of processors.
type figures map[string]map[string]float64

func load(path string) (figures, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	figs, err := parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(figs) == 0 {
		return nil, fmt.Errorf("%s has no benchmarks", path)
	}
	return figs, nil
}

// parse reads the output of go test -bench.
func parse(r io.Reader) (figures, error) {
	figs := figures{}
	pkg := ""
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 0:
			continue
		case f[0] == "pkg:" && len(f) == 2:
			pkg = f[1]
			continue
		case f[0] == "FAIL", f[0] == "---":
			return nil, fmt.Errorf("line %d: a benchmark failed: %s", n, lines.Text())
		case !strings.HasPrefix(f[0], "Benchmark"), len(f) < 4:
			continue // about the environment, or output of a test
		}
		name := pkg + "." + withoutProcs(f[0])
		if figs[name] == nil {
			figs[name] = map[string]float64{}
		}
		for i := 2; i+1 < len(f); i += 2 { // f[1] is how often it ran
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			if old, ok := figs[name][f[i+1]]; !ok || v < old {
				figs[name][f[i+1]] = v
			}
		}
	}
	return figs, lines.Err()
}

// withoutProcs removes the number of processors, which go test adds if it is not 1.
func withoutProcs(name string) string {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return name
	}
	if _, err := strconv.Atoi(name[i+1:]); err != nil {
		return name
	}
	return name[:i]
}
