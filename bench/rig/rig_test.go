package rig

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script runs args with the given lines of input and returns the lines of
// output.
func script(t *testing.T, v Variant, args string, lines ...string) ([]string, error) {
	t.Helper()
	var out strings.Builder
	err := run(strings.Fields(args), []Variant{v}, strings.NewReader(strings.Join(lines, "\n")), &out)
	return strings.Split(strings.TrimSpace(out.String()), "\n"), err
}

func decode[T any](t *testing.T, line string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	return v
}

func TestServerCommands(t *testing.T) {
	var served Config
	var pushed [][]byte
	v := Variant{Name: "x", Serve: func(c Config) (*Server, error) {
		served = c
		return &Server{Push: func(b []byte) (int, error) {
			pushed = append(pushed, b)
			return 3, nil
		}}, nil
	}}
	out, err := script(t, v, "x server -workload push -size 99 -meta 8 -plugins 5 -filter s2", "mark", "push 0.01", "stat", "rss")
	if err != nil || len(out) != 5 {
		t.Fatalf("%v, %q", err, out)
	}
	if want := (Config{Workload: Push, Addr: decode[Hello](t, out[0]).Addr, Conns: 1, Size: 99, Meta: 8, Plugins: 5, Filter: "s2"}); served.Addr == "" ||
		served.Workload != want.Workload || served.Addr != want.Addr || served.Size != 99 || served.Meta != 8 || served.Plugins != 5 || served.Filter != "s2" {
		t.Errorf("served %+v, want %+v", served, want)
	}
	if p := decode[Pushed](t, out[2]); p.Sent == 0 || p.Sent != 3*uint64(len(pushed)) || p.Seconds < 0.01 || len(pushed[0]) != 99 {
		t.Errorf("%+v after %d rounds of %d bytes", p, len(pushed), len(pushed[0]))
	}
	mark, used := decode[Usage](t, out[1]), decode[Usage](t, out[3])
	if used.CPU <= 0 || used.Mallocs == 0 || used.Mallocs > mark.Mallocs+uint64(len(pushed))*10 || used.PeakRSS < 1<<20 {
		t.Errorf("used %+v since %+v", used, mark)
	}
	if m := decode[Memory](t, out[4]); m.Bytes < 1<<20 {
		t.Errorf("resident: %d bytes", m.Bytes)
	}
}

func TestClientCommands(t *testing.T) {
	var calls [3]atomic.Uint64
	v := Variant{Name: "x", Dial: func(Config) (*Client, error) {
		return &Client{NewCaller: func(i int) func() error {
			return func() error {
				calls[i].Add(1)
				time.Sleep(time.Millisecond) // what a call takes
				return nil
			}
		}}, nil
	}}
	out, err := script(t, v, "x client -callers 3", "once", "run 0.1")
	if err != nil || len(out) != 3 {
		t.Fatalf("%v, %q", err, out)
	}
	r := decode[Result](t, out[2])
	made := calls[0].Load() + calls[1].Load() + calls[2].Load() - 3 // once
	if r.Total != made || r.Calls > r.Total || r.Calls+3 < r.Total || r.Calls == 0 || r.Errors != 0 {
		t.Errorf("%+v, %d calls were made", r, made)
	}
	if r.Seconds < 0.1 || r.P50 < 1000 || r.P99 < r.P50 || r.Max < 0.98*r.P99 {
		t.Errorf("%+v: a call takes a millisecond", r)
	}
}

// A caller that fails is counted as such and does not spoil the times.
func TestErrorsAreReported(t *testing.T) {
	v := Variant{Name: "x", Dial: func(Config) (*Client, error) {
		return &Client{NewCaller: func(int) func() error {
			return func() error { return errors.New("wrong reply") }
		}}, nil
	}}
	out, err := script(t, v, "x client", "run 0.02")
	if err != nil {
		t.Fatal(err)
	}
	if r := decode[Result](t, out[1]); r.Calls != 0 || r.Errors == 0 || r.Error != "wrong reply" || r.P99 != 0 {
		t.Errorf("%+v", r)
	}
	if _, err := script(t, v, "x client", "once"); err == nil || !strings.Contains(err.Error(), "wrong reply") {
		t.Errorf("once: %v", err)
	}
}

// Deliveries are counted while the clock runs, and in all.
func TestDeliveries(t *testing.T) {
	in, send := io.Pipe()
	recv, out := io.Pipe()
	got := make(chan func([]byte), 1)
	v := Variant{Name: "x", Dial: func(c Config) (*Client, error) {
		got <- c.OnPush
		var joined uint64
		return &Client{Joined: func() uint64 { joined += 5; return joined }}, nil
	}}
	ended := make(chan error, 1)
	go func() {
		ended <- run(strings.Fields("x client -workload push -size 4"), []Variant{v}, in, out)
		out.Close()
	}()
	lines := bufio.NewScanner(recv)
	lines.Scan()
	push := <-got
	push([]byte("1234")) // before the clock runs
	if _, err := io.WriteString(send, "run 0.15\n"); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		push([]byte("1234"))
		time.Sleep(time.Millisecond) // spread over the run
	}
	lines.Scan()
	if r := decode[Result](t, lines.Text()); r.Calls == 0 || r.Calls > 20 || r.Joined != 5 || r.Errors != 0 {
		t.Errorf("%+v", r)
	}
	push([]byte("wrong length"))
	if _, err := io.WriteString(send, "total\nrun 0.01\n"); err != nil {
		t.Fatal(err)
	}
	lines.Scan()
	if r := decode[Result](t, lines.Text()); r.Total != 21 {
		t.Errorf("in all %+v", r)
	}
	lines.Scan()
	if r := decode[Result](t, lines.Text()); r.Errors != 1 || r.Error == "" {
		t.Errorf("with a wrong one %+v", r)
	}
	send.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestMistakes(t *testing.T) {
	v := Variant{
		Name:  "x",
		Serve: func(Config) (*Server, error) { return &Server{}, nil },
		Dial:  func(Config) (*Client, error) { return nil, errors.New("refused") },
	}
	for _, c := range []struct{ args, line, want string }{
		{"", "", "VARIANT"},
		{"y server", "", `no variant "y"`},
		{"x both", "", "neither"},
		{"x server -nonsense", "", "nonsense"},
		{"x server", "fly", "unknown command"},
		{"x server", "push often", "often"},
		{"x server", "push 1", "no push"},
		{"x client", "", "refused"},
	} {
		_, err := script(t, v, c.args, c.line)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: %v, want %q", c.args, c.line, err, c.want)
		}
	}
}

func TestProfiles(t *testing.T) {
	v := Variant{Name: "x", Serve: func(Config) (*Server, error) { return &Server{}, nil }}
	dir := t.TempDir()
	if _, err := script(t, v, "x server -cpuprofile "+dir+"/cpu -memprofile "+dir+"/mem", "rss"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cpu", "mem"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || len(b) < 100 || b[0] != 0x1f {
			t.Errorf("%s: %d bytes of a compressed profile, %v", name, len(b), err)
		}
	}
	if _, err := script(t, v, "x server -cpuprofile "+dir+"/no/cpu"); err == nil {
		t.Error("a profile in a directory that is not there")
	}
}

func TestList(t *testing.T) {
	if out, err := script(t, Variant{Name: "x"}, "list"); err != nil || len(out) != 1 || out[0] != "x" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestBody(t *testing.T) {
	for _, n := range []int{0, 1, 581, 4096, 4097, 100_000} {
		b := NewBody(n)
		if err := CheckBody(b, n); err != nil {
			t.Errorf("%d: %v", n, err)
		}
		if CheckBody(append(b, 0), n) == nil {
			t.Errorf("%d: a longer body passed", n)
		}
		if n > 0 {
			b[n-1]++
			if CheckBody(b, n) == nil {
				t.Errorf("%d: a changed body passed", n)
			}
		}
	}
	// A page that is missing or in the wrong place is found.
	b := NewBody(100_000)
	copy(b[8192:], b[12288:])
	if CheckBody(b, len(b)) == nil {
		t.Error("shifted pages passed")
	}
}
