//go:build unix

package graceful

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var (
	stopSignals   = []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	rebootSignals = []os.Signal{syscall.SIGUSR2}
)

// A bundle holds the listeners that a process hands down.
type bundle struct {
	handover
	files  []*os.File          // copies of the descriptors
	seen   []net.Listener      // of the system: several listeners may share one, like those of a mux
	system []*net.UnixListener // those with a file in the file system
}

// Reboot starts the program again, with the same arguments, and hands down the listeners
// that this process serves, those of [Group.Listen] included. It waits until the new
// process serves, for at most the timeout, by default [DefaultStart], and then does what
// [Group.Shutdown] does. If the new process ends or does not serve in time, it is killed
// and the error is [ErrRebootFailed]. A listener that can't be handed down is logged and
// named in the error; the others are still handed down.
func (g *Group) Reboot(timeout ...time.Duration) error {
	g.mu.Lock()
	if g.rebooting {
		g.mu.Unlock()
		return fmt.Errorf("%w, for now: another reboot is in progress", ErrRebootFailed)
	}
	g.rebooting = true
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.rebooting = false
	}()

	g.logger().Info("reboot: the program is started again")
	b, without := g.bundle()
	if without != nil {
		g.logger().Warn("reboot: not everything can be handed down", "err", without)
	}
	defer b.close()
	if without != nil && len(b.files) == 0 {
		return fmt.Errorf("%w: there is no listener that can be handed down: %w", ErrRebootFailed, without)
	}
	limit := DefaultStart
	if len(timeout) > 0 && timeout[0] > 0 {
		limit = timeout[0]
	}
	pid, err := b.start(limit)
	if err != nil {
		err = errors.Join(fmt.Errorf("%w: %w", ErrRebootFailed, err), without)
		g.logger().Error("reboot", "err", err)
		return err
	}
	g.logger().Info("reboot: the new process serves", "pid", pid)
	for _, u := range b.system {
		u.SetUnlinkOnClose(false) // the file belongs to the new process now
	}
	return errors.Join(without, g.Shutdown(timeout...))
}

// bundle collects the listeners. The error names those that can't be handed
// down.
func (g *Group) bundle() (*bundle, error) {
	b := new(bundle)
	g.mu.Lock()
	listeners := slices.Clone(g.own)
	peers := slices.Clone(g.peers)
	g.mu.Unlock()
	for _, p := range peers {
		listeners = append(listeners, p.Listeners()...)
	}
	var errs []error
	for _, lis := range listeners {
		if err := b.add(lis); err != nil {
			errs = append(errs, fmt.Errorf("graceful: the listener on %s %v can't be handed to a new process, which must listen itself: %w",
				lis.Addr().Network(), lis.Addr(), err))
		}
	}
	return b, errors.Join(errs...)
}

// firstFD is the descriptor of the first file beyond the standard three.
const firstFD = 3

func (b *bundle) add(lis net.Listener) error {
	_, own := lis.(*ownListener)
	a, ok := lis.(asked)
	if !ok {
		return errors.New("its transport can't do that, or it was not made by the peer's Listen")
	}
	for {
		u, ok := lis.(interface{ Unwrap() net.Listener })
		if !ok {
			break
		}
		lis = u.Unwrap()
	}
	if reflect.TypeOf(lis).Comparable() && slices.Contains(b.seen, lis) {
		return nil
	}
	f, err := descriptor(lis)
	if err != nil {
		return err
	}
	if u, ok := lis.(*net.UnixListener); ok {
		b.system = append(b.system, u)
	}
	b.seen = append(b.seen, lis)
	network, addr := a.Asked()
	b.Listeners = append(b.Listeners, handedDown{network, addr, firstFD + len(b.files), own})
	b.files = append(b.files, f)
	return nil
}

// descriptor returns a copy of the descriptor of lis. Its own method File is not
// used: its result becomes blocking when a process is started with it, and all
// copies share that mode, so Accept in this process could no longer be
// interrupted.
func descriptor(lis net.Listener) (*os.File, error) {
	c, ok := lis.(syscall.Conn)
	if !ok {
		return nil, errors.New("it has no file descriptor")
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var dupErr error
	err = raw.Control(func(own uintptr) { fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, dupErr); err != nil {
		return nil, fmt.Errorf("copy the descriptor: %w", err)
	}
	return os.NewFile(uintptr(fd), lis.Addr().String()), nil
}

func (b *bundle) close() {
	for _, f := range b.files {
		_ = f.Close() // a copy
	}
}

// start starts the new process and returns once it serves.
func (b *bundle) start(limit time.Duration) (pid int, err error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("graceful: no program to start: %w", err)
	}
	ready, w, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("graceful: pipe to the new process: %w", err)
	}
	defer ready.Close()
	b.Ready = firstFD + len(b.files)
	text, err := json.Marshal(&b.handover)
	if err != nil {
		_ = w.Close()
		return 0, fmt.Errorf("graceful: handover: %w", err)
	}
	files := append([]*os.File{os.Stdin, os.Stdout, os.Stderr}, b.files...)
	child, err := os.StartProcess(exe, os.Args, &os.ProcAttr{
		Env:   append(without(os.Environ(), environment), environment+"="+string(text)),
		Files: append(files, w),
	})
	_ = w.Close() // so that the pipe ends with the child
	if err != nil {
		return 0, fmt.Errorf("graceful: start %s: %w", exe, err)
	}
	if err := awaitReady(ready, limit); err != nil {
		_ = child.Kill() // unless it has ended
		state, waitErr := child.Wait()
		if waitErr == nil {
			err = fmt.Errorf("%w (%v)", err, state)
		}
		return 0, err
	}
	pid = child.Pid
	_ = child.Release() // it outlives this process
	return pid, nil
}

func awaitReady(ready *os.File, limit time.Duration) error {
	if err := ready.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return fmt.Errorf("graceful: pipe to the new process: %w", err)
	}
	_, err := ready.Read(make([]byte, 1))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("graceful: the new process did not serve all inherited listeners within %v; it must listen on the same networks and addresses", limit)
	}
	return errors.New("graceful: the new process ended before it served all inherited listeners")
}

// without returns env without a variable.
func without(env []string, name string) []string {
	kept := make([]string, 0, len(env)+1)
	for _, v := range env {
		if !strings.HasPrefix(v, name+"=") {
			kept = append(kept, v)
		}
	}
	return kept
}
