package eventloop

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// batch is how many events the loop takes at once. The sessions that it wakes run
// before it takes more. So if thousands wake together, a few goroutines serve all
// of them in turn, and few goroutines are kept for reuse.
const batch = 32

// A loop waits for connections to become readable. It reports each once; after
// that the connection must be watched again.
type loop struct {
	members int // connections that were watched and are not closed; the transport's mutex guards it
	epoll   *os.File
	raw     syscall.RawConn // of epoll
	fd      int             // of epoll, valid until it is closed; only for calls that the members make

	mu    sync.Mutex // guards the following
	conns []*conn    // by descriptor; nil: not watched
}

// join returns the loop and counts one more member.
func (t *Transport) join() (*loop, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.loop == nil {
		l, err := newLoop()
		if err != nil {
			return nil, err
		}
		t.loop = l
	}
	t.loop.members++
	return t.loop, nil
}

// leave removes a member of l, which ends with the last one.
func (t *Transport) leave(l *loop) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l.members--
	if l.members == 0 {
		t.loop = nil
		_ = l.epoll.Close() // ends run
	}
}

// newLoop starts a loop. Its descriptor is itself watched by the runtime, so
// that the loop takes no thread while it waits.
func newLoop() (*loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("eventloop: epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or the runtime would not watch it
		_ = unix.Close(fd) // discarded
		return nil, fmt.Errorf("eventloop: nonblocking epoll: %w", err)
	}
	l := &loop{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	l.raw, err = l.epoll.SyscallConn()
	if err != nil {
		_ = l.epoll.Close() // discarded
		return nil, fmt.Errorf("eventloop: %w", err)
	}
	go l.run()
	return l, nil
}

// run fires the connections that are ready, until the loop is closed.
func (l *loop) run() {
	events := make([]unix.EpollEvent, batch)
	var n int
	var err error
	wait := func(fd uintptr) bool {
		for {
			n, err = unix.EpollWait(int(fd), events, 0)
			if !errors.Is(err, unix.EINTR) {
				return n > 0 || err != nil
			}
		}
	}
	for l.raw.Read(wait) == nil {
		if err != nil {
			panic(fmt.Errorf("eventloop: epoll_wait: %w", err)) // its arguments are wrong: a mistake of this package
		}
		for _, e := range events[:n] {
			if c := l.watched(e.Fd); c != nil {
				c.fire()
			}
		}
		runtime.Gosched()
	}
}

func (l *loop) watched(fd int32) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int(fd) >= len(l.conns) {
		return nil
	}
	return l.conns[fd]
}

// watch asks for one event of c, whose mutex the caller holds and whose descriptor is
// valid.
func (l *loop) watch(c *conn, first bool) error {
	op := unix.EPOLL_CTL_MOD
	if first {
		op = unix.EPOLL_CTL_ADD
		l.mu.Lock()
		if more := int(c.fd) + 1 - len(l.conns); more > 0 {
			l.conns = append(l.conns, make([]*conn, more)...)
		}
		l.conns[c.fd] = c
		l.mu.Unlock()
	}
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: c.fd}
	if err := unix.EpollCtl(l.fd, op, int(c.fd), &e); err != nil {
		if first {
			l.forget(c.fd)
		}
		return fmt.Errorf("eventloop: epoll_ctl: %w", err)
	}
	return nil
}

// forget removes the member with that descriptor, which is being closed; the kernel
// forgets it with the descriptor.
func (l *loop) forget(fd int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[fd] = nil
}
