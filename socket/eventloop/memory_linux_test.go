package eventloop_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/eventloop"
	"github.com/goerpc/erpc/socket/sockettest"
)

// Environment variables.
const (
	idleEnv      = "ERPC_IDLE_SESSIONS"        // how many the tests open, such as 20000; unset: 1000, too few for the limits
	clientEnv    = "ERPC_EVENTLOOP_CLIENT"     // the addresses to dial, for the client process
	clientNumEnv = "ERPC_EVENTLOOP_CLIENT_NUM" // sessions
	clientTLSEnv = "ERPC_EVENTLOOP_CLIENT_TLS" // not empty: over TLS
)

// The limits, in resident bytes of the server for each idle session. With TLS it
// includes what crypto/tls keeps; tcp is the default transport, which has a
// goroutine for each session.
const (
	idleBar    = 2200
	idleBarTLS = 11000
	idleBarTCP = 5200
)

// enough is how many sessions a measurement needs to be compared with its limit.
const enough = 5000

// TestIdleMemory opens sessions, makes one call over each, and measures what they
// take in the server. The client is another process: a process may have too few
// descriptors for both ends. make test runs plain and tcp with many sessions, each
// in a process of its own, because one could use memory that the other has left.
func TestIdleMemory(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("the memory of many sessions")
	}
	n := idleSessions(t)
	for _, c := range []struct {
		name, network string
		n             int
		tls           bool
		bar           int
	}{
		{"plain", eventloop.Network, n, false, idleBar},
		{"tls", eventloop.Network, n, true, idleBarTLS},
		{"tcp", "tcp", min(n, enough), false, idleBarTCP},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := idleMemory(t, c.network, c.n, c.tls)
			t.Logf("%d idle sessions: %d bytes each", c.n, got)
			if c.n >= enough && got > c.bar { // with fewer, what the process has only once counts for too much
				t.Errorf("an idle session takes %d bytes, the limit is %d", got, c.bar)
			}
		})
	}
}

func idleMemory(t *testing.T, network string, n int, secure bool) int {
	before := openIdle(t, network, n, secure)
	return (resident(t) - before) / n
}

// openIdle serves n sessions of another process that have made one call each, until
// the end of the test. It returns what resident was without them.
func openIdle(t *testing.T, network string, n int, secure bool) (before int) {
	t.Helper()
	srv := newPeer(erpc.PeerConfig{LocalIP: "127.0.0.1"})
	t.Cleanup(func() { srv.Close() })
	if secure {
		server, _ := sockettest.TLS(t)
		srv.SetTLSConfig(server)
	}
	erpc.HandleCall(srv, "/echo", echo)
	var addrs []string
	for i := range 4 { // one address has too few ports for it
		lis, err := srv.ListenOn(network, fmt.Sprintf("127.0.0.%d:0", i+1))
		if err != nil {
			t.Fatal(err)
		}
		go srv.Serve(lis) // ends with the peer
		addrs = append(addrs, lis.Addr().String())
	}
	before = resident(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), clientEnv+"="+strings.Join(addrs, ","), clientNumEnv+"="+strconv.Itoa(n), clientTLSEnv+"="+map[bool]string{true: "yes"}[secure])
	cmd.Stderr = os.Stderr
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
	kill := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() }) // bounds the waits below
	t.Cleanup(func() {
		_ = stdin.Close() // tells the client to end; Wait says whether it did
		if err := cmd.Wait(); err != nil {
			t.Errorf("client: %v", err)
		}
		kill.Stop()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("the client says %q, %v", line, err)
	}
	if got := srv.CountSession(); got != n {
		t.Errorf("%d sessions, want %d", got, n)
	}
	for end := time.Now().Add(10 * time.Second); network == eventloop.Network && runtime.NumGoroutine() > 50; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d idle sessions have %d goroutines", n, runtime.NumGoroutine())
		}
	}
	return before
}

// Idle sessions take no processor time: of a core less than a thousandth, whatever
// the number of sessions.
func TestIdleCPU(t *testing.T) {
	if os.Getenv(idleEnv) == "" || raceEnabled {
		t.Skip("ten seconds of many idle sessions; set " + idleEnv)
	}
	for _, network := range []string{"tcp", eventloop.Network} {
		t.Run(network, func(t *testing.T) {
			n := idleSessions(t)
			openIdle(t, network, n, false)
			resident(t)                 // collects, so that nothing is left to do
			time.Sleep(2 * time.Second) // the last have become idle; the runtime has given memory back
			const idle = 10 * time.Second
			before := processorTime(t)
			time.Sleep(idle)
			used := processorTime(t) - before
			t.Logf("%d idle sessions: %v in %v", n, used, idle)
			if used > idle/1000 {
				t.Errorf("%d idle sessions use %v of processor time in %v", n, used, idle)
			}
		})
	}
}

// processorTime returns what the process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// idleSessions returns how many sessions the tests have.
func idleSessions(t *testing.T) int {
	t.Helper()
	n := 1000
	if s := os.Getenv(idleEnv); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", idleEnv, err)
		}
	}
	return atMost(t, n) // the runtime has raised the limit as far as the system lets it
}

// idleClient opens the sessions and calls once over each.
func idleClient(addrs []string) error {
	n, err := strconv.Atoi(os.Getenv(clientNumEnv))
	if err != nil {
		return err
	}
	cli := newPeer(erpc.PeerConfig{})
	if os.Getenv(clientTLSEnv) != "" {
		cli.SetTLSConfig(&tls.Config{InsecureSkipVerify: true})
	}
	for i := range n {
		sess, st := cli.Dial(addrs[i%len(addrs)])
		if !st.OK() {
			return st.Err()
		}
		arg, reply := "hello", ""
		if st := sess.Call("/echo", &arg, &reply).Status(); !st.OK() || reply != arg {
			return fmt.Errorf("call %d: %q, %v", i, reply, st)
		}
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// resident returns the bytes of memory that the process keeps.
func resident(t *testing.T) int {
	runtime.GC() // twice, because what a sync.Pool holds survives one
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == "VmRSS:" {
			kib, err := strconv.Atoi(string(f[1]))
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmRSS in /proc/self/status")
	return 0
}

// atMost returns n, or as many sessions as the process has descriptors for.
func atMost(t *testing.T, n int) int {
	const others = 100 // descriptors that are not sessions
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(min(uint64(n), limit.Cur-others))
}
