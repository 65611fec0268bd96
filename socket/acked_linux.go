package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How often AwaitAcked asks the kernel: first after ackedLook, then less and less often.
const (
	ackedLook    = time.Millisecond
	maxAckedLook = 20 * time.Millisecond
)

// AwaitAcked returns nil once the kernel of the other side has acknowledged what this
// one has taken so far. Before that, Close can lose it: if the other side sends
// something that is not read any more, the kernel resets the connection and drops what
// it has not sent. It returns nil at once if the connection is not TCP, alone or under
// TLS, and on other systems than Linux.
func (s *Socket) AwaitAcked(ctx context.Context) error {
	var line ackLine
	for look := ackedLook; ; look = min(2*look, maxAckedLook) {
		var done bool
		var asked error
		err := s.ControlFD(func(fd uintptr) { done, asked = line.look(int(fd)) })
		switch {
		case errors.Is(err, os.ErrInvalid): // it has no descriptor
			return nil
		case err == nil:
			err = asked
		}
		if err != nil {
			return fmt.Errorf("socket: the connection has ended before all was acknowledged: %w", err)
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
	}
}

// An ackLine is the number of acknowledged bytes to wait for: what is written later
// does not count. The zero value sets it at the first look.
type ackLine struct {
	set    bool
	target uint64
}

// look reports whether that many bytes are acknowledged, or the kernel does not know.
func (l *ackLine) look(fd int) (done bool, err error) {
	unacked, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return true, nil
	}
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return true, nil // it is not TCP
	}
	if !l.set {
		// Those acknowledged between the two questions count twice. If nothing is written
		// later, unacked gets to 0.
		l.set, l.target = true, info.Bytes_acked+uint64(unacked)
	}
	switch {
	case unacked == 0 || info.Bytes_acked >= l.target:
		return true, nil
	case info.State == unix.BPF_TCP_CLOSE:
		return false, syscall.ECONNRESET
	}
	return false, nil
}
