package socket

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"
)

// How often, and how far apart, a socket file must refuse connections to be taken
// for a stale one.
const (
	staleLooks = 3
	stalePause = 10 * time.Millisecond
)

// listens returns nil if somebody listens on the socket file at path.
func listens(ctx context.Context, network, path string) error {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, network, path)
	if err == nil {
		_ = conn.Close() // only opened to see whether it can be
	}
	return err
}

// removeStale removes the socket file at path if nobody listens on it.
func removeStale(ctx context.Context, network, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&os.ModeSocket == 0:
		return fmt.Errorf("socket: listen %s %s: the file is not a socket; give another path or remove it: %w", network, path, os.ErrExist)
	}
	for range staleLooks {
		err = listens(ctx, network, path)
		if err == nil {
			return fmt.Errorf("socket: listen %s %s: %w", network, path, syscall.EADDRINUSE)
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("socket: listen %s %s: cannot tell whether the socket file is stale: %w", network, path, err)
		}
		time.Sleep(stalePause) // a process that has bound its socket is about to listen
	}
	return removeSame(network, path, info)
}

// removeSame removes the socket file at path if it is the one that info is about.
// Since info was read, another process may have removed the file and made its own,
// whose clients would find nothing. So the file is moved aside, compared, and put
// back if it is another one.
func removeSame(network, path string, info os.FileInfo) error {
	aside := fmt.Sprintf("%s.stale-%d-%08x", path, os.Getpid(), rand.Uint32())
	err := os.Rename(path, aside)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := os.Lstat(aside)
	if err == nil && os.SameFile(info, now) && now.ModTime().Equal(info.ModTime()) { // inodes are reused at once
		return os.Remove(aside)
	}
	if err := os.Link(aside, path); err != nil { // unlike Rename it replaces nothing
		return fmt.Errorf("socket: listen %s %s: another process listens there, and its socket is now called %s: %w", network, path, aside, err)
	}
	return errors.Join(fmt.Errorf("socket: listen %s %s: %w", network, path, syscall.EADDRINUSE), os.Remove(aside))
}
