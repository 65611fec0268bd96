//go:build unix

package graceful_test

import (
	"syscall"
	"testing"

	"github.com/goerpc/erpc"
)

// hung starts a server with a handler that does not end, and tells it to stop.
func hung(t *testing.T, main string) (*family, int) {
	t.Helper()
	f := startFamily(t, plan{Network: "tcp", Addrs: []string{"127.0.0.1:0"}, Dir: t.TempDir(), Main: main})
	pid, addrs := f.expectServing()
	sess := dial(t, newClient(t, "tcp", false), addrs[0])
	work(t, sess) // it serves
	ms := 60_000
	sess.AsyncCall("/work", &ms, nil, make(chan erpc.CallCmd, 1))
	f.expect("hanging")
	f.insist(pid, syscall.SIGTERM, "a second signal ends the process")
	return f, pid
}

// The first signal of these tests is SIGTERM, which the server process survives
// even before it waits for signals; the second is SIGINT, for which nothing else
// there waits.

// A server whose handler hangs logs what it waits for, and a second Ctrl-C ends it
// at once.
func TestSecondSignalEndsTheProcess(t *testing.T) {
	t.Parallel()
	f, pid := hung(t, "")
	if !f.logs("handlers=1 sessions=1", patience) {
		t.Error("it does not say what it waits for")
	}
	f.signal(pid, syscall.SIGINT)
	f.ended()
}

// A program of v7 that ends main with select {} and leaves the exit to GraceSignal
// gets a warning, and ends with the second signal.
func TestMainThatNeverReturnsIsTold(t *testing.T) {
	t.Parallel()
	f := startFamily(t, plan{Network: "tcp", Addrs: []string{"127.0.0.1:0"}, Dir: t.TempDir(), Main: "select"})
	pid, _ := f.expectServing()
	f.insist(pid, syscall.SIGTERM, "a second signal ends the process")
	if !f.logs("call erpc.GraceExit", patience) {
		t.Error("it does not say why the process still runs")
	}
	f.signal(pid, syscall.SIGINT)
	f.ended()
}

// GraceExit ends the process although main never returns.
func TestGraceExit(t *testing.T) {
	t.Parallel()
	f := startFamily(t, plan{Network: "tcp", Addrs: []string{"127.0.0.1:0"}, Dir: t.TempDir(), Main: "exit"})
	pid, _ := f.expectServing()
	f.insist(pid, syscall.SIGTERM, "a second signal ends the process")
	f.expect("swept")
	f.ended()
}
