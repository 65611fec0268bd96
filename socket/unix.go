package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

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
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, network, path)
	if err == nil {
		_ = conn.Close() // only opened to see whether it can be
		return fmt.Errorf("socket: listen %s %s: %w", network, path, syscall.EADDRINUSE)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("socket: listen %s %s: cannot tell whether the socket file is stale: %w", network, path, err)
	}
	return os.Remove(path)
}
