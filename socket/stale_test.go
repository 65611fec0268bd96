//go:build unix

package socket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// stale leaves a socket file that nobody listens on.
func stale(t *testing.T, path string) os.FileInfo {
	t.Helper()
	lis, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	lis.SetUnlinkOnClose(false)
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// onlyFile checks that path is the only file of its folder, or that the folder is
// empty.
func onlyFile(t *testing.T, path string, there bool) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 1 || (len(entries) == 1) != there || there && entries[0].Name() != filepath.Base(path) {
		t.Errorf("the folder has %v", entries)
	}
}

// A socket that another process has put in place of a stale one stays, and can be
// reached.
func TestStaleSocketThatWasReplacedStays(t *testing.T) {
	path := socketPath(t)
	info := stale(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	lis, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	if err := removeSame("unix", path, info); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("removing the socket of another process: %v", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	onlyFile(t, path, true)
}

func TestStaleSocketIsRemoved(t *testing.T) {
	path := socketPath(t)
	info := stale(t, path)
	for range 2 { // the second time it is gone
		if err := removeSame("unix", path, info); err != nil {
			t.Error(err)
		}
	}
	onlyFile(t, path, false)
}

// If two servers find the same stale socket, one of them listens and can be
// reached.
func TestTwoServersFindAStaleSocket(t *testing.T) {
	for range 30 {
		path := socketPath(t)
		stale(t, path)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var listeners []net.Listener
		for range 2 {
			wg.Go(func() {
				lis, err := Stream{}.Listen(t.Context(), "unix", path, &Options{})
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					listeners = append(listeners, lis)
				}
			})
		}
		wg.Wait()
		if len(listeners) != 1 {
			t.Fatalf("%d servers listen", len(listeners))
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Close(), listeners[0].Close()
	}
}
