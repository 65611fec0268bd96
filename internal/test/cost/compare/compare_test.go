package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const output = `goos: linux
pkg: example.com/cost
cpu: some processor
BenchmarkOneCaller-2      	    5744	     24337 ns/op	         2.000 reads/call	     459 B/op	       4 allocs/op
BenchmarkOneCaller-2      	    8304	     20961 ns/op	         2.100 reads/call	     456 B/op	       5 allocs/op
BenchmarkPush-2           	  160000	      2213 ns/op	     222 B/op	       2 allocs/op
PASS
ok  	example.com/cost	9.869s
pkg: example.com/codec
BenchmarkJSON/append-x    	  354132	       678.5 ns/op	 648.50 MB/s	       0 B/op	       0 allocs/op
BenchmarkJSON/append-x-16 	  354132	       678.5 ns/op	 648.50 MB/s	       0 B/op	       0 allocs/op
`

func TestParseKeepsTheLowestFigures(t *testing.T) {
	got, err := parse(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	want := figures{
		"example.com/cost.BenchmarkOneCaller":      {"ns/op": 20961, "reads/call": 2, "B/op": 456, "allocs/op": 4},
		"example.com/cost.BenchmarkPush":           {"ns/op": 2213, "B/op": 222, "allocs/op": 2},
		"example.com/codec.BenchmarkJSON/append-x": {"ns/op": 678.5, "MB/s": 648.5, "B/op": 0, "allocs/op": 0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("parsed %v, want %v", got, want)
	}
}

func TestParseSaysWhatFailed(t *testing.T) {
	for _, bad := range []string{
		"--- FAIL: BenchmarkX\n",
		"FAIL\texample.com/cost [build failed]\n",
		"BenchmarkX-2 100 many ns/op\n",
	} {
		if got, err := parse(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q is %v, %v", bad, got, err)
		}
	}
}

func TestLoadWantsBenchmarks(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("PASS\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, filepath.Join(dir, "missing")} {
		if figs, err := load(path); err == nil {
			t.Errorf("%s has %v", path, figs)
		}
	}
}

func TestCompare(t *testing.T) {
	const name, push, call = "p.BenchmarkX", "p.BenchmarkPush", "p.BenchmarkCallBytes"
	for _, c := range []struct {
		about         string
		was, is       figures
		want          string // the only complaint has it; empty: none
		wantsCompared int
	}{
		{"the same", figures{name: {"B/op": 600, "allocs/op": 6}}, figures{name: {"B/op": 600, "allocs/op": 6}}, "", 2},
		{"less", figures{name: {"allocs/op": 6}}, figures{name: {"allocs/op": 5}}, "", 1},
		{"slower", figures{name: {"ns/op": 10, "allocs/op": 1}}, figures{name: {"ns/op": 1e6, "allocs/op": 1}}, "", 1},
		{"one allocation more", figures{name: {"allocs/op": 6}}, figures{name: {"allocs/op": 7}}, "7 allocs/op, committed are 6", 1},
		{"the first allocation", figures{name: {"allocs/op": 0}}, figures{name: {"allocs/op": 1}}, "1 allocs/op, committed are 0", 1},
		{"one of many more", figures{name: {"allocs/op": 909}}, figures{name: {"allocs/op": 910}}, "", 1},
		{"one each of many more", figures{name: {"allocs/op": 909}}, figures{name: {"allocs/op": 1009}}, "1009 allocs/op", 1},
		{"pools emptied", figures{name: {"B/op": 600}}, figures{name: {"B/op": 610}}, "", 1},
		{"the next size class", figures{name: {"B/op": 600}}, figures{name: {"B/op": 632}}, "632 B/op", 1},
		{"a write more", figures{name: {"writes/call": 2}}, figures{name: {"writes/call": 3}}, "3 writes/call", 1},
		{"a write in a hundred calls more", figures{name: {"writes/call": 0.02}}, figures{name: {"writes/call": 0.04}}, "0.04 writes/call", 1},
		{"metadata more", figures{name: {"wire-B/call": 250}}, figures{name: {"wire-B/call": 272}}, "272 wire-B/call", 1},
		{"a longer queue", figures{push: {"B/op": 200}}, figures{push: {"B/op": 500}}, "", 1},
		{"an allocation of a push", figures{push: {"allocs/op": 2}}, figures{push: {"allocs/op": 3}}, "3 allocs/op", 1},
		{"less sharing", figures{call: {"writes/call": 0.05}}, figures{call: {"writes/call": 0.1}}, "", 1},
		{"no sharing", figures{call: {"writes/call": 0.05}}, figures{call: {"writes/call": 2}}, "2 writes/call", 1},
		{"not measured", figures{name: {"allocs/op": 6}}, figures{}, "was not measured", 0},
		{"a unit not measured", figures{name: {"allocs/op": 6}}, figures{name: {}}, "allocs/op is committed and was not measured", 1},
		{"a unit not committed", figures{name: {"allocs/op": 6}}, figures{name: {"allocs/op": 6, "writes/call": 2}}, "writes/call is measured and was not committed", 1},
		{"a time not committed", figures{name: {"allocs/op": 6}}, figures{name: {"allocs/op": 6, "ns/op": 2}}, "", 1},
		{"not committed", figures{}, figures{name: {"allocs/op": 6}}, "no committed figures", 0},
	} {
		compared, complaints := compare(c.was, c.is)
		if compared != c.wantsCompared {
			t.Errorf("%s: compared %d figures, want %d", c.about, compared, c.wantsCompared)
		}
		switch got := strings.Join(complaints, "; "); {
		case c.want == "" && got != "":
			t.Errorf("%s: %s", c.about, got)
		case c.want != "" && (len(complaints) != 1 || !strings.Contains(got, c.want)):
			t.Errorf("%s: complains %q, want one with %q", c.about, got, c.want)
		}
	}
}
