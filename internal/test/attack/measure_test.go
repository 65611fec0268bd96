//go:build linux

package attack

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/kit"
)

// A child is the process of a victim, as seen by the test.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
	idle int64 // bytes in memory before the attack
	log  countingLog
}

// start runs a victim; env is added to its environment.
func start(t *testing.T, door string, env ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), doorKey+"="+door, "GOMEMLIMIT=48MiB", "GOMAXPROCS=2")
	c.cmd.Env = append(c.cmd.Env, env...)
	c.cmd.Stderr = &c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it may have ended
		_ = c.cmd.Wait()
	})
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the victim serves nothing: %v; its log:\n%s", err, c.log.head())
	}
	c.addr = strings.TrimSpace(line)
	c.idle = c.memory(t, "VmRSS")
	return c
}

// numbers asks the victim how many handlers were called, how many ran at the same
// time at most, and how many sessions there are.
func (c *child) numbers(t *testing.T) (executed, highest, sessions int) {
	t.Helper()
	executed, highest, sessions, _ = c.ask(t)
	return executed, highest, sessions
}

// goroutines asks the victim how many it has.
func (c *child) goroutines(t *testing.T) int {
	t.Helper()
	_, _, _, n := c.ask(t)
	return n
}

func (c *child) ask(t *testing.T) (executed, highest, sessions, goroutines int) {
	t.Helper()
	_, err := io.WriteString(c.in, "numbers\n")
	if err == nil {
		_, err = fmt.Fscanln(c.out, &executed, &highest, &sessions, &goroutines)
	}
	if err != nil {
		t.Fatalf("the victim has ended: %v; its log:\n%s", err, c.log.head())
	}
	return executed, highest, sessions, goroutines
}

// memory returns a figure of /proc/PID/status, in bytes.
func (c *child) memory(t *testing.T, key string) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var n int64
		if _, err := fmt.Sscanf(line, key+": %d kB", &n); err == nil {
			return n << 10
		}
	}
	t.Fatalf("the victim has ended; its log:\n%s", c.log.head())
	return 0
}

// A cost is what an attack costs its victim.
type cost struct {
	memory int64 // peak, in bytes above the idle process
	cpu    time.Duration
	log    int64 // bytes
}

// end ends the victim and returns what the attack has cost.
func (c *child) end(t *testing.T) cost {
	t.Helper()
	c.numbers(t) // it is alive
	peak := c.memory(t, "VmHWM") - c.idle
	_ = c.in.Close() // ends the victim; otherwise the test kills it
	done := make(chan error, 1)
	go func() { done <- c.cmd.Wait() }()
	if err := kit.AwaitIn(t, patience, "end of the victim", done); err != nil {
		t.Errorf("the victim ended with %v; its log:\n%s", err, c.log.head())
	}
	return cost{peak, c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime(), c.log.len()}
}

// A countingLog keeps the beginning of a log, and its length.
type countingLog struct {
	mu    sync.Mutex // guards the following
	n     int64
	first bytes.Buffer
}

func (l *countingLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n += int64(len(b))
	l.first.Write(b[:max(0, min(len(b), 2000-l.first.Len()))])
	return len(b), nil
}

func (l *countingLog) head() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first.String()
}

func (l *countingLog) len() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}
