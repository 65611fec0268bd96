//go:build unix

package graceful_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goerpc/erpc"
)

func newClient(t *testing.T, network string, tls bool) erpc.Peer {
	t.Helper()
	cli := erpc.NewPeer(erpc.PeerConfig{Network: network, RedialTimes: -1, RedialInterval: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if tls {
		cli.SetTLSConfig(erpc.GenerateTLSConfigForClient())
	}
	t.Cleanup(func() {
		if err := cli.Close(); err != nil {
			t.Error(err)
		}
	})
	return cli
}

func dial(t *testing.T, cli erpc.Peer, addr string) erpc.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sess, st := cli.DialContext(ctx, addr)
	if !st.OK() {
		t.Fatal(st)
	}
	return sess
}

// Case 35: no call fails while the server is restarted again and again, and no
// connection is refused.
func TestRebootUnderLoad(t *testing.T) {
	for _, c := range []struct {
		name, network string
		tls, mux      bool
	}{
		{name: "tcp", network: "tcp"}, {name: "unix", network: "unix"}, {name: "unixpacket", network: "unixpacket"},
		{name: "tls", network: "tcp", tls: true}, {name: "mux", network: "tcp", mux: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.network == "unixpacket" && !packets() {
				t.Skip("no unixpacket sockets on this system")
			}
			addr := "127.0.0.1:0"
			dir := t.TempDir()
			if c.network != "tcp" {
				addr = filepath.Join(dir, "s")
			}
			f := startFamily(t, plan{Network: c.network, Addrs: []string{addr}, TLS: c.tls, Mux: c.mux, Dir: dir})
			pid, addrs := f.expectServing()

			l := &load{t: t, addr: addrs[0], network: c.network, tls: c.tls, stop: make(chan struct{}), pids: map[int]int{}}
			l.start()
			began := time.Now()
			const reboots = 3
			for range reboots {
				time.Sleep(500 * time.Millisecond) // time under load between restarts
				f.reboot(pid)
				next, _ := f.expectServing()
				f.expect("swept")
				f.expect("done")
				if next == pid {
					t.Fatal("the same process serves on")
				}
				pid = next
			}
			if rest := 2*time.Second - time.Since(began); rest > 0 {
				time.Sleep(rest)
			}
			l.end()
			t.Logf("%d calls, %d connections; by process: %v", l.calls.Load(), l.dials.Load(), l.pids)
			if len(l.pids) != reboots+1 {
				t.Errorf("calls were answered by %d processes, want %d", len(l.pids), reboots+1)
			}
			f.stop(pid)
			if c.network != "tcp" {
				if _, err := os.Lstat(addr); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the socket file is left: %v", err)
				}
			}
		})
	}
}

func packets() bool {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_SEQPACKET, 0)
	if err != nil {
		return false
	}
	_ = syscall.Close(fd)
	return true
}

// A load calls a server from 20 goroutines over a few sessions in several ways,
// and keeps opening sessions.
type load struct {
	t             *testing.T
	addr, network string
	tls           bool
	stop          chan struct{}
	done          sync.WaitGroup
	calls, dials  atomic.Int64

	mu   sync.Mutex // guards the following
	pids map[int]int
}

func (l *load) start() {
	cli := newClient(l.t, l.network, l.tls)
	for range 4 {
		sess := dial(l.t, cli, l.addr)
		for i := range 5 {
			l.done.Go(func() {
				for n := 0; !l.stopped(); n++ {
					l.call(sess, i, n)
				}
			})
		}
	}
	l.done.Go(func() {
		for !l.stopped() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			sess, st := cli.DialContext(ctx, l.addr)
			cancel()
			if !st.OK() {
				l.t.Errorf("dial: %v", st)
				return
			}
			l.dials.Add(1)
			l.call(sess, 0, 0)
			_ = sess.Close() // it is no longer used
		}
	})
	l.done.Go(func() { // without redial, which would hide a refusal
		for !l.stopped() {
			network := l.network
			conn, err := net.Dial(network, l.addr)
			if err != nil {
				l.t.Errorf("dial: %v", err)
				return
			}
			_ = conn.Close() // it only had to be accepted
			time.Sleep(time.Millisecond)
		}
	})
}

// call calls: mostly without a deadline, some with one, some asynchronously, some
// to a slow handler.
func (l *load) call(sess erpc.Session, caller, n int) {
	ms, pid := 0, 0
	switch {
	case caller == 1:
		ms = n % 8
	case caller == 2 && n%5 == 0:
		ms = 60
	}
	limit := time.AfterFunc(patience, func() { l.t.Errorf("caller %d: call %d hangs", caller, n) })
	defer limit.Stop()
	var st *erpc.Status
	switch caller {
	case 3:
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		st = sess.Call("/work", &ms, &pid, erpc.WithContext(ctx)).Status()
		cancel()
	case 4:
		st = sess.AsyncCall("/work", &ms, &pid, nil).Status()
	default:
		st = sess.Call("/work", &ms, &pid).Status()
	}
	if !st.OK() {
		l.t.Errorf("caller %d: call %d: %v", caller, n, st)
		return
	}
	l.calls.Add(1)
	l.mu.Lock()
	l.pids[pid]++
	l.mu.Unlock()
}

func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return l.t.Failed()
	}
}

func (l *load) end() {
	close(l.stop)
	l.done.Wait()
}

// A reboot whose process dies, or does not take every listener, changes
// nothing; the next one works.
func TestRebootFails(t *testing.T) {
	for _, c := range []struct {
		file  string
		limit time.Duration
		want  string
	}{
		{"die", patience, "ended before it served all inherited listeners (exit status 3)"},
		{"forget", 300 * time.Millisecond, "did not serve all inherited listeners within 300ms"},
	} {
		t.Run(c.file, func(t *testing.T) {
			dir := t.TempDir()
			addrs := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
			bad := filepath.Join(dir, c.file)
			if err := os.WriteFile(bad, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			f := startFamily(t, plan{Network: "unix", Addrs: addrs, Dir: dir})
			pid, _ := f.expectServing()
			cli := newClient(t, "unix", false)
			var sessions []erpc.Session
			for _, addr := range addrs {
				sessions = append(sessions, dial(t, cli, addr))
				work(t, sessions[len(sessions)-1]) // wait until it is served: only then can it be handed down
			}
			var said string
			if st := sessions[0].Call("/reboot", &c.limit, &said).Status(); !st.OK() {
				t.Fatal(st)
			}
			if !strings.Contains(said, c.want) || !strings.Contains(said, erpc.ErrRebootFailed.Error()) {
				t.Errorf("Reboot returned %q, want %q; the servers said %q", said, c.want, f.said())
			}
			for _, sess := range append(sessions, dial(t, cli, addrs[0]), dial(t, cli, addrs[1])) {
				if got := work(t, sess); got != pid {
					t.Errorf("served by process %d, want %d still", got, pid)
				}
			}

			if err := os.Remove(bad); err != nil {
				t.Fatal(err)
			}
			f.reboot(pid)
			next, _ := f.expectServing()
			f.expect("done")
			for _, sess := range sessions {
				if got := work(t, sess); got != next {
					t.Errorf("served by process %d, want %d", got, next)
				}
			}
			f.stop(next)
		})
	}
}

func work(t *testing.T, sess erpc.Session) (pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ms := 0
	if st := sess.Call("/work", &ms, &pid, erpc.WithContext(ctx)).Status(); !st.OK() {
		t.Fatal(st)
	}
	return pid
}

// Several listeners on the same network and address, with port 0, are all handed
// down and keep their ports.
func TestRebootKeepsPorts(t *testing.T) {
	f := startFamily(t, plan{Network: "tcp", Addrs: []string{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"}, Dir: t.TempDir()})
	pid, before := f.expectServing()
	cli := newClient(t, "tcp", false)
	for _, addr := range before { // the server reports addresses before it serves, and only listeners that are served are handed down
		if got := work(t, dial(t, cli, addr)); got != pid {
			t.Errorf("%s: served by %d, want %d", addr, got, pid)
		}
	}
	f.reboot(pid)
	next, after := f.expectServing()
	f.expect("done")
	slices.Sort(before)
	slices.Sort(after)
	if !slices.Equal(before, after) || len(slices.Compact(after)) != 3 {
		t.Errorf("listening on %v, want %v", after, before)
	}
	for _, addr := range after {
		if got := work(t, dial(t, cli, addr)); got != next {
			t.Errorf("%s: served by %d, want %d", addr, got, next)
		}
	}
	f.stop(next)
}
