package netfault

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/socket/sockettest"
)

// Environment variables of the test binary when it is one of the two sides.
const (
	roleEnv    = "ERPC_NETFAULT_ROLE"
	networkEnv = "ERPC_NETFAULT_NETWORK"
	pauseEnv   = "ERPC_NETFAULT_PAUSE" // of the client between two calls, as a Go duration
)

// The addresses of the two sides.
const (
	serverIP = "10.231.7.1"
	clientIP = "10.231.7.2"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, role+":", err)
			os.Exit(1)
		}
		return
	}
	sockettest.VerifyMain(m)
}

// A lab is two network namespaces and the cable between them.
type lab struct{ server, client string }

// newLab builds a lab, which is removed when the test ends. It skips the test if
// ERPC_NETFAULT is not set or namespaces are not permitted.
func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Getenv("ERPC_NETFAULT") != "1" {
		t.Skip("faults of the network are tested with ERPC_NETFAULT=1, as root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there is no program ip; it is in the package iproute2")
	}
	l := &lab{server: fmt.Sprintf("erpc-s-%d", os.Getpid()), client: fmt.Sprintf("erpc-c-%d", os.Getpid())}
	if out, err := exec.Command("ip", "netns", "add", l.server).CombinedOutput(); err != nil {
		t.Skipf("network namespaces are not permitted here: %v: %s", err, out)
	}
	t.Cleanup(func() { run(t, "ip", "netns", "del", l.server) })
	run(t, "ip", "netns", "add", l.client)
	t.Cleanup(func() { run(t, "ip", "netns", "del", l.client) })
	if out, err := exec.Command("ip", "link", "add", "v0", "netns", l.server, "type", "veth", "peer", "name", "v0", "netns", l.client).CombinedOutput(); err != nil {
		t.Skipf("this kernel has no veth: %v: %s", err, out)
	}
	for ns, ip := range map[string]string{l.server: serverIP, l.client: clientIP} {
		run(t, "ip", "-n", ns, "addr", "add", ip+"/24", "dev", "v0")
		run(t, "ip", "-n", ns, "link", "set", "lo", "up")
		run(t, "ip", "-n", ns, "link", "set", "v0", "up")
	}
	return l
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// pull unplugs the cable: the frames of both sides are lost from now on, and
// neither kernel reports it, because routes and interfaces stay as they are.
func (l *lab) pull(t *testing.T) {
	t.Helper()
	for _, ns := range []string{l.server, l.client} {
		run(t, "ip", "-n", ns, "neigh", "replace", other(ns, l), "lladdr", "02:00:00:00:00:99", "dev", "v0", "nud", "permanent")
	}
}

// plug undoes pull.
func (l *lab) plug(t *testing.T) {
	t.Helper()
	for _, ns := range []string{l.server, l.client} {
		run(t, "ip", "-n", ns, "neigh", "del", other(ns, l), "dev", "v0")
	}
}

func other(ns string, l *lab) string {
	if ns == l.server {
		return clientIP
	}
	return serverIP
}

// shape sets how both sides send, with the arguments of `tc qdisc`. It skips the
// test if the kernel cannot do that.
func (l *lab) shape(t *testing.T, qdisc ...string) {
	t.Helper()
	if _, err := exec.LookPath("tc"); err != nil {
		t.Skip("there is no program tc; it is in the package iproute2")
	}
	for _, ns := range []string{l.server, l.client} {
		args := append([]string{"-n", ns, "qdisc", "replace", "dev", "v0", "root"}, qdisc...)
		if out, err := exec.Command("tc", args...).CombinedOutput(); err != nil {
			t.Skipf("this kernel has no tc %s: %v: %s", qdisc[0], err, out)
		}
	}
}

// A side is a process in one of the namespaces. It writes a line for each event.
type side struct {
	name  string
	lines chan line
}

// A line is an event and when it was read.
type line struct {
	text string
	at   time.Time
}

// start runs the test binary in a namespace, in a role. It ends with the test.
func (l *lab) start(t *testing.T, ns, role, network string, pause time.Duration) *side {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", ns, self)
	cmd.Env = append(os.Environ(), roleEnv+"="+role, networkEnv+"="+network, pauseEnv+"="+pause.String())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &side{name: role, lines: make(chan line, 10_000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.lines <- line{lines.Text(), time.Now()}
		}
	}()
	t.Cleanup(func() {
		_ = in.Close() // ends the side
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("the %s: %v", role, err)
		}
	})
	return s
}

// says waits until the side has written a line that begins with want, and returns
// the rest of the line and its time.
func (s *side) says(t *testing.T, within time.Duration, want string) (string, time.Time) {
	t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		select {
		case l := <-s.lines:
			if rest, ok := strings.CutPrefix(l.text, want); ok {
				return strings.TrimSpace(rest), l.at
			}
		case <-timer.C:
			t.Fatalf("the %s has not said %q after %v", s.name, want, within)
		}
	}
}

// quiet discards the lines so far.
func (s *side) quiet() {
	for {
		select {
		case <-s.lines:
		default:
			return
		}
	}
}
