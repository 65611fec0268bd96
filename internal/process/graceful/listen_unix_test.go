//go:build unix

package graceful_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/process/graceful"
)

// A listener of a server that is not a peer is handed down, too: no request fails while
// the program is restarted. With peers beside it the new process has to serve both.
func TestRebootHandsDownOwnListeners(t *testing.T) {
	for _, peers := range [][]string{nil, {"127.0.0.1:0"}} {
		t.Run(fmt.Sprintf("%d peers", len(peers)), func(t *testing.T) {
			f := startFamily(t, plan{Network: "tcp", Addrs: peers, Web: "127.0.0.1:0", Dir: t.TempDir()})
			pid, addrs := f.expectServing()
			url := "http://" + addrs[len(addrs)-1]
			stop := make(chan struct{})
			var asking sync.WaitGroup
			var mu sync.Mutex
			answered := map[int]int{} // by process
			for range 4 {
				asking.Go(func() {
					client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
					for {
						select {
						case <-stop:
							return
						default:
						}
						by, err := whoAnswers(client, url)
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						answered[by]++
						mu.Unlock()
					}
				})
			}
			awaitAnswers := func() { // of the present process
				for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
					mu.Lock()
					n := answered[pid]
					mu.Unlock()
					if n >= 50 {
						return
					}
					if time.Now().After(end) {
						t.Fatalf("process %d has answered %d requests", pid, n)
					}
				}
			}
			const reboots = 2
			for range reboots {
				awaitAnswers()
				f.reboot(pid)
				next, again := f.expectServing()
				f.expect("done")
				if next == pid || again[len(again)-1] != addrs[len(addrs)-1] {
					t.Fatalf("process %d at %q follows %d at %q", next, again, pid, addrs)
				}
				pid = next
			}
			awaitAnswers()
			close(stop)
			asking.Wait()
			if len(answered) != reboots+1 {
				t.Errorf("requests were answered by %v, want %d processes", answered, reboots+1)
			}
			f.stop(pid)
		})
	}
}

func whoAnswers(client *http.Client, url string) (pid int, err error) {
	res, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(b))
}

// Without a process before it is an ordinary listener, and its file goes with it.
func TestListenInherited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for _, c := range []struct{ network, addr string }{{"tcp", "127.0.0.1:0"}, {"unix", path}} {
		lis, err := erpc.ListenInherited(c.network, c.addr)
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan error, 1)
		go func() {
			conn, err := lis.Accept()
			if err == nil {
				err = conn.Close()
			}
			accepted <- err
		}()
		conn, err := net.Dial(c.network, lis.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := <-accepted; err != nil {
			t.Error(err)
		}
		_ = conn.Close() // the other side has
		if err := lis.Close(); err != nil {
			t.Error(err)
		}
		if err := lis.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the second Close: %v", err)
		}
		if _, err := lis.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept behind Close: %v", err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket file is left: %v", err)
	}
	for _, network := range []string{"quic", ""} {
		if lis, err := erpc.ListenInherited(network, "127.0.0.1:0"); err == nil {
			t.Errorf("listens on network %q at %v", network, lis.Addr())
		}
	}
}

// One that is closed is not handed down: then there is nothing to hand down at all.
func TestClosedListenerIsNotHandedDown(t *testing.T) {
	var log strings.Builder
	g := &graceful.Group{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	lis, err := g.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if n := graceful.HandedDown(g); n != 1 {
		t.Errorf("%d listeners are handed down, want 1", n)
	}
	if err := lis.Close(); err != nil {
		t.Error(err)
	}
	if n := graceful.HandedDown(g); n != 0 {
		t.Errorf("%d listeners are handed down, want 0", n)
	}
}
