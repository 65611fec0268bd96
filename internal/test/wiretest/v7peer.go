package wiretest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// BuildV7 builds interop/v7peer, the real erpc v7, for the duration of the test. It
// skips the test with -short, and if the module of interop can't be downloaded; in CI
// (CI=true) that is a failure.
func BuildV7(tb testing.TB) (v7peer string) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("not tested against erpc v7, because of -short")
	}
	v7peer = filepath.Join(tb.TempDir(), "v7peer")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", v7peer, "./v7peer")
	cmd.Dir = filepath.Join(Root(tb), "interop")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return v7peer
	case outOfReach(string(out)) && os.Getenv("CI") != "true":
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		tb.Skipf("not tested against erpc v7, because it can't be downloaded: %s", strings.TrimSpace(lines[len(lines)-1]))
	default:
		tb.Fatalf("build interop/v7peer: %v\n%s", err, out)
	}
	return ""
}

// outOfReach reports whether the go command failed because it could not download
// modules.
func outOfReach(out string) bool {
	for _, sign := range []string{
		"dial tcp", "dial udp", "no such host", "i/o timeout", "connection refused", "network is unreachable",
		"TLS handshake timeout", "module lookup disabled by GOPROXY=off", "proxyconnect", "502 Bad Gateway", "503 Service Unavailable",
	} {
		if strings.Contains(out, sign) {
			return true
		}
	}
	return false
}

// A V7Server is a running "v7peer serve".
type V7Server struct {
	Addr    string
	network string
	closed  chan struct{} // closed when it has no more to print

	mu    sync.Mutex // guards the following
	lines []string   // what it printed after READY
	more  chan struct{}
}

// ServeV7 starts a server of v7 with the service behind the vectors. It ends with
// the test.
func ServeV7(tb testing.TB, v7peer string, flags ...string) *V7Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*Limit)
	cmd := exec.CommandContext(ctx, v7peer, append([]string{"serve"}, flags...)...)
	cmd.WaitDelay = time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	s := &V7Server{closed: make(chan struct{}), more: make(chan struct{})}
	if i := slices.Index(flags, "-network"); i >= 0 && i+1 < len(flags) {
		s.network = flags[i+1]
	}
	ready := make(chan string, 1)
	go s.read(stdout, ready)
	tb.Cleanup(func() {
		defer cancel()
		_ = stdin.Close() // ends the server; if it has ended already, Wait reports it
		select {
		case <-s.closed: // everything is read; Wait may close the pipe
		case <-time.After(Limit):
			cancel()
			<-s.closed
		}
		if err := cmd.Wait(); err != nil {
			tb.Errorf("v7peer serve %v: %v\n%s", flags, err, stderr.String())
		}
	})
	select {
	case s.Addr = <-ready:
	case <-s.closed:
		tb.Fatalf("v7peer serve %v ended before it was ready", flags)
	case <-time.After(Limit):
		tb.Fatalf("v7peer serve %v is not ready after %s", flags, Limit)
	}
	return s
}

func (s *V7Server) read(stdout io.Reader, ready chan<- string) {
	defer close(s.closed)
	for in := bufio.NewScanner(stdout); in.Scan(); {
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

// AwaitLine waits until the server has printed the line.
func (s *V7Server) AwaitLine(want string) error {
	timeout := time.After(Limit)
	for {
		s.mu.Lock()
		lines, more := slices.Clone(s.lines), s.more
		s.mu.Unlock()
		if slices.Contains(lines, want) {
			return nil
		}
		select {
		case <-more:
		case <-s.closed:
			return fmt.Errorf("v7's server ended without the line %s; it printed %q", want, lines)
		case <-timeout:
			return fmt.Errorf("v7's server has not printed the line %s but %q", want, lines)
		}
	}
}

// A V7Check is the result of one check of "v7peer call".
type V7Check struct {
	Check  string          `json:"check"`
	OK     bool            `json:"ok"`
	Got    json.RawMessage `json:"got"`
	Status json.RawMessage `json:"status"`
	Error  string          `json:"error"`
}

// CallV7 runs the checks of v7's client and returns them by name. Failed checks
// fail the test.
func CallV7(tb testing.TB, v7peer string, flags ...string) map[string]V7Check {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, v7peer, append([]string{"call"}, flags...)...)
	cmd.WaitDelay = time.Second
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		tb.Fatalf("v7peer call %v: %v", flags, err)
	}
	checks := map[string]V7Check{}
	for line := range strings.Lines(stdout.String()) {
		var c V7Check
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			tb.Fatalf("v7peer call %v printed %q: %v", flags, line, err)
		}
		checks[c.Check] = c
		if !c.OK {
			tb.Errorf("v7's client: %s: %s (got %s, status %s)", c.Check, c.Error, c.Got, c.Status)
		}
	}
	if err != nil && !tb.Failed() || len(checks) == 0 {
		tb.Errorf("v7peer call %v: %v\n%s", flags, err, stderr.String())
	}
	return checks
}
