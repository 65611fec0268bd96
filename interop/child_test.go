package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// limit bounds everything that a test waits for.
const limit = 30 * time.Second

// peerBinary is v7peer, built once by TestMain.
var peerBinary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		panic(err)
	}
	peerBinary = filepath.Join(dir, "v7peer")
	if out, err := exec.Command("go", "build", "-o", peerBinary, "./v7peer").CombinedOutput(); err != nil {
		panic("build v7peer: " + err.Error() + "\n" + string(out))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir) // a temporary directory may stay
		os.Exit(code)
	}))
}

// server is a running "v7peer serve".
type server struct {
	addr string

	mu     sync.Mutex
	lines  []string      // guarded by mu: what it printed after READY
	more   chan struct{} // guarded by mu: closed and replaced at each new line
	closed chan struct{} // closed when stdout ended
}

// serve starts a server and stops it with the test, when it has to end by
// itself because stdin does.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*limit)
	cmd := exec.CommandContext(ctx, peerBinary, append([]string{"serve"}, args...)...)
	cmd.WaitDelay = time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{more: make(chan struct{}), closed: make(chan struct{})}
	ready := make(chan string, 1)
	go s.read(stdout, ready)
	t.Cleanup(func() {
		defer cancel()
		if err := stdin.Close(); err != nil {
			t.Errorf("close the server's stdin: %v", err)
		}
		select {
		case <-s.closed: // all is read; Wait may close the pipe
		case <-time.After(limit):
			t.Error("the server still runs long after its stdin ended")
			cancel()
			<-s.closed
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve %v: %v\n%s", args, err, stderr.String())
		}
	})
	select {
	case s.addr = <-ready:
	case <-s.closed:
		t.Fatalf("serve %v ended before it was ready\n%s", args, stderr.String())
	case <-time.After(limit):
		t.Fatalf("serve %v is not ready after %s", args, limit)
	}
	return s
}

func (s *server) read(stdout io.Reader, ready chan<- string) {
	defer close(s.closed)
	in := bufio.NewScanner(stdout)
	for in.Scan() {
		if addr, ok := strings.CutPrefix(in.Text(), "READY "); ok {
			ready <- addr
			continue
		}
		s.mu.Lock()
		s.lines = append(s.lines, in.Text())
		close(s.more)
		s.more = make(chan struct{})
		s.mu.Unlock()
	}
}

// wantLine waits until the server has printed the line.
func (s *server) wantLine(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(limit)
	for {
		s.mu.Lock()
		lines, more := slices.Clone(s.lines), s.more
		s.mu.Unlock()
		if slices.Contains(lines, want) {
			return
		}
		select {
		case <-more:
		case <-s.closed:
			t.Fatalf("server ended without the line %s; it printed %q", want, lines)
		case <-deadline:
			t.Fatalf("server has no line %s; it printed %q", want, lines)
		}
	}
}

// checked is one line of "v7peer call".
type checked struct {
	Check  string          `json:"check"`
	OK     bool            `json:"ok"`
	Got    json.RawMessage `json:"got"`
	Status *struct {
		Code  int    `json:"code"`
		Msg   string `json:"msg"`
		Cause string `json:"cause"`
	} `json:"status"`
	Error string `json:"error"`
}

// report is what "v7peer call" said: its checks by name, and its exit status.
type report struct {
	checks map[string]checked
	exit   int
	stderr string
}

func call(t *testing.T, args ...string) report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, peerBinary, append([]string{"call"}, args...)...)
	cmd.WaitDelay = time.Second
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("call %v: %v", args, err)
	}
	r := report{checks: map[string]checked{}, exit: cmd.ProcessState.ExitCode(), stderr: stderr.String()}
	for line := range strings.Lines(stdout.String()) {
		var c checked
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("call %v printed %q: %v", args, line, err)
		}
		if _, twice := r.checks[c.Check]; twice {
			t.Errorf("call %v reports %s twice", args, c.Check)
		}
		r.checks[c.Check] = c
	}
	return r
}

// passed wants every check to have passed, and those named to have run.
func (r report) passed(t *testing.T, names ...string) {
	t.Helper()
	for _, c := range r.checks {
		if !c.OK {
			t.Errorf("check %s: %s (got %s, status %+v)", c.Check, c.Error, c.Got, c.Status)
		}
	}
	for _, name := range names {
		if _, ran := r.checks[name]; !ran {
			t.Errorf("check %s did not run", name)
		}
	}
	if r.exit != 0 {
		t.Errorf("exit status %d\n%s", r.exit, r.stderr)
	}
}
