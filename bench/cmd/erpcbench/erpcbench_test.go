package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/bench/report"
	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/internal/test/wait"
)

// The test program is also the peer that the tests measure: with this in its
// environment it is a server or a client.
const asPeer = "ERPCBENCH_TEST_PEER"

func TestMain(m *testing.M) {
	if os.Getenv(asPeer) != "" {
		rig.Main(good, bad, silent, dumb, environment)
		return
	}
	wait.Main(m)
}

var (
	serveNothing = func(rig.Config) (*rig.Server, error) { return &rig.Server{}, nil }

	good = rig.Variant{Name: "good", Serve: serveNothing, Dial: caller(func() error {
		time.Sleep(time.Millisecond)
		return nil
	})}
	bad    = rig.Variant{Name: "bad", Serve: serveNothing, Dial: caller(func() error { return errors.New("wrong reply") })}
	silent = rig.Variant{Name: "silent", Serve: serveNothing, Dial: caller(func() error {
		time.Sleep(300 * time.Millisecond)
		return nil
	})}
	dumb = rig.Variant{Name: "dumb", Serve: func(rig.Config) (*rig.Server, error) { return nil, errors.New("no port for me") }}

	environment = rig.Variant{Name: "environment", Serve: func(rig.Config) (*rig.Server, error) {
		return nil, errors.New("GOMAXPROCS is " + os.Getenv("GOMAXPROCS"))
	}}
)

func caller(call func() error) func(rig.Config) (*rig.Client, error) {
	return func(rig.Config) (*rig.Client, error) {
		return &rig.Client{NewCaller: func(int) func() error { return call }}, nil
	}
}

// testJob returns a job for a variant of the test program.
func testJob(t *testing.T, variant string) (*job, string) {
	t.Helper()
	t.Setenv(asPeer, "1")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := peer{Peer: report.Peer{Name: variant}, binary: filepath.Base(exe), variant: variant}
	return &job{cell: &report.Cell{Test: report.Call, Peer: variant, X: 4}, peer: p, callers: 4, conns: 1, run: 100 * time.Millisecond}, filepath.Dir(exe)
}

func TestMeasure(t *testing.T) {
	j, bin := testJob(t, "good")
	s, err := measure(j, bin, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if s.Rate < 50 || s.Rate > 4000 || s.P50 < 1000 || s.Client.CPU <= 0 || s.Server.CPU <= 0 || s.Client.PeakRSS < 1<<20 {
		t.Errorf("%+v of 4 callers of a call of a millisecond", s)
	}
}

// What is worth nothing is an error, and says why.
func TestMeasureRefuses(t *testing.T) {
	for variant, want := range map[string]string{"bad": "wrong reply", "silent": "no call ended", "dumb": "no port for me", "none": "no variant"} {
		j, bin := testJob(t, variant)
		if s, err := measure(j, bin, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v", variant, s, err)
		}
	}
	j, _ := testJob(t, "good")
	if _, err := measure(j, t.TempDir(), 0); err == nil {
		t.Error("a program that is not there was measured")
	}
}

func TestPlan(t *testing.T) {
	all := func(string) bool { return true }
	p := newPlan(peers, all, 600*time.Millisecond)
	seen := map[string]bool{}
	for _, g := range p {
		for _, j := range g {
			key := strings.Join([]string{j.cell.Test, j.cell.Peer, j.cell.Label, strconv.Itoa(j.cell.X)}, "/")
			if seen[key] {
				t.Errorf("%s is there twice", key)
			}
			seen[key] = true
			if j.cell.Test != g[0].cell.Test || j.cell.X != g[0].cell.X {
				t.Errorf("%s is in a group of %s %d", key, g[0].cell.Test, g[0].cell.X)
			}
			if j.cell.Test == report.Sessions && j.conns > mostSessions() || j.conns > 20_000 {
				t.Errorf("%s: more sessions than a process may have", key)
			}
			if j.callers < 1 || j.conns < 1 || j.run <= 0 || j.peer.binary == "" {
				t.Errorf("%s: %+v", key, j)
			}
		}
	}
	for _, want := range []string{
		"call/limit//1", "call/v7//5000", "call/erpc//10", "call/kitex//100", "bytes/erpc-bytes//100", "push/limit//1000",
		"push/erpc-broadcast//1000", "idle/erpc-loop//5000", "idle/rpcx//5000", "large/copy//1", "meta/erpc-bytes//64",
		"plugins/erpc-bytes//20", "filter/erpc-bytes/s2/2", "size/erpc-bytes//16777216", "sessions/erpc-bytes//5000",
	} {
		if !seen[want] {
			t.Errorf("no %s", want)
		}
	}
	for _, g := range newPlan(peers, func(test string) bool { return test == report.Push }, time.Second) {
		for _, j := range g {
			if j.cell.Test != report.Push || j.workload() != rig.Push || j.kind != pushes {
				t.Errorf("%+v", j)
			}
		}
	}
}

// The plan of the shapes has erpc in each, and for each somebody to compare it
// with.
func TestShapes(t *testing.T) {
	others := map[string]int{}
	ours := map[string]bool{}
	for _, g := range newShapes(peers, func(string) bool { return true }, 600*time.Millisecond) {
		for _, j := range g {
			key := j.cell.Test + "/" + strconv.Itoa(j.cell.X)
			if j.peer.Name == report.Typed {
				ours[key] = true
			} else {
				others[key]++
			}
			if j.callers < 1 || j.conns < 1 || j.run <= 0 || (j.kind == open || j.kind == hot) && j.run < leastOpen {
				t.Errorf("%s of %s: %+v", key, j.peer.Name, j)
			}
		}
	}
	for _, want := range []string{
		"conns/1000", "tls/100", "unix/100", "ws/100", "quic/100", "body64/10", "json/100", "procs/1", "procs/8",
		"block/1000", "block/10000", "open/30", "open/70", "hot/0", "hot/100",
	} {
		if !ours[want] || others[want] == 0 {
			t.Errorf("%s: erpc %v, and %d others", want, ours[want], others[want])
		}
	}
	if len(ours) != 15 {
		t.Errorf("shapes that the test does not know: %v", ours)
	}
}

// An open loop asks for the share of what the closed loop did, and the quiet
// sessions for one call a second each.
func TestMeasureOpenAndHot(t *testing.T) {
	j, bin := testJob(t, "good") // 4 callers of a call of a millisecond
	j.kind, j.cell.X, j.run = open, 25, 500*time.Millisecond
	s, err := measure(j, bin, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if s.Rate <= 0 || s.Rate > 2000 || s.P50 < 1000 || s.P999 < s.P99 || s.P99 < s.P50 {
		t.Errorf("%+v of a quarter of what 4 callers of a millisecond can do", s)
	}
	j, bin = testJob(t, "good")
	j.kind, j.conns, j.callers, j.args = hot, 101, 101, []string{"-hot", "2"}
	if s, err = measure(j, bin, 0); err != nil {
		t.Fatal(err)
	}
	if s.Rate <= 0 || s.Rate > 400 {
		t.Errorf("%+v of 100 calls a second", s)
	}
}

// The server gets the environment of the job.
func TestServerEnvironment(t *testing.T) {
	j, bin := testJob(t, "environment")
	j.serverEnv = []string{"GOMAXPROCS=7"}
	if _, err := measure(j, bin, 0); err == nil || !strings.Contains(err.Error(), "GOMAXPROCS is 7") {
		t.Error(err)
	}
}

// What a process says behind the end of its output is in the error.
func TestLastWordsOfAProcess(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec >&-\nsleep 0.1\necho no port for me >&2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := start(program, "mute", "server", nil); err == nil || !strings.Contains(err.Error(), "no port for me") {
		t.Error(err)
	}
}

func TestArguments(t *testing.T) {
	j := &job{size: 64, args: []string{"-filter", "s2"}}
	if got := j.arguments(); !slices.Equal(got, []string{"-workload", "bytes", "-size", "64", "-filter", "s2"}) {
		t.Errorf("%q", got)
	}
	if (&job{}).workload() != rig.Call {
		t.Error("the benchmark message is not the default")
	}
}

func TestChoose(t *testing.T) {
	bin := t.TempDir()
	program := func(name, script string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program("limit", "echo limit; echo copy")
	chosen, missing, err := choose("limit, store, v7", bin)
	if err != nil || len(chosen) != 1 || chosen[0].Name != "limit" || !slices.Equal(missing, []string{"v7", "store"}) {
		t.Errorf("%v, %v, %v", chosen, missing, err)
	}
	if all, missing, err := choose("", bin); err != nil || len(all)+len(missing) != len(peers) {
		t.Errorf("%d chosen and %d missing of %d, %v", len(all), len(missing), len(peers), err)
	}
	program("v7", "exit 3")
	if _, _, err := choose("v7", bin); err == nil || !strings.Contains(err.Error(), "v7") {
		t.Errorf("a broken program: %v", err)
	}
	if _, _, err := choose("limit,nobody", bin); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("%v", err)
	}
}

// What is saved comes back, and makes the same report.
func TestSaveAndLoad(t *testing.T) {
	r := &report.Results{Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Command: "c", Rounds: 1, Peers: []report.Peer{{Name: "limit", Limit: true}},
		Cells: []*report.Cell{{Test: report.Call, Peer: "limit", X: 1, Samples: []report.Sample{{Rate: 5, P99: 7}}}}}
	file := filepath.Join(t.TempDir(), "samples.json")
	if err := save(file, r); err != nil {
		t.Fatal(err)
	}
	got, err := load(file)
	if err != nil || report.Write(got).Markdown != report.Write(r).Markdown || got.Find(report.Call, "limit", 1).Median(report.P99) != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	docs := filepath.Join(t.TempDir(), "docs")
	if err := bench(options{from: file, docs: docs}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(docs, report.PageName)); err != nil {
		t.Error(err)
	}
	// A run that counts for nothing writes no report.
	r.Failures = []string{"a wrong reply"}
	if err := save(file, r); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "docs")
	if err := bench(options{from: file, docs: bad}); err == nil || !strings.Contains(err.Error(), "a wrong reply") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(bad); err == nil {
		t.Error("a report of a bad run")
	}
}

func TestTail(t *testing.T) {
	var l tail
	for range 1000 {
		if n, err := l.Write([]byte("nothing to see\n")); n != 15 || err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := l.Write([]byte("the end\n")); err != nil {
		t.Fatal(err)
	}
	if s := l.String(); len(s) > tailSize || !strings.HasSuffix(s, "the end") {
		t.Errorf("%d bytes, ending in %q", len(s), s[max(0, len(s)-20):])
	}
}

func TestMachine(t *testing.T) {
	if m := machine(); !strings.Contains(m, "go1.") || !strings.Contains(m, "Linux") {
		t.Errorf("%q", m)
	}
}
