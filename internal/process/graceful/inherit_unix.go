//go:build unix

package graceful

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
)

// environment is the variable that holds a handover, as JSON.
const environment = "ERPC_INHERITED"

// A handover is the data that a process passes to its successor.
type handover struct {
	Ready     int          `json:"ready"` // descriptor of a pipe: one byte means that every listener is served
	Listeners []handedDown `json:"listeners"`
}

// A handedDown is a listener with the network and address that its transport was
// asked to listen on.
type handedDown struct {
	Network string `json:"network"`
	Addr    string `json:"addr"`
	FD      int    `json:"fd"`
	Own     bool   `json:"own"` // it was not a peer's
}

// An inheritance is the receiving side of a handover. The zero value has not
// been read. All methods may be called concurrently.
type inheritance struct {
	mu       sync.Mutex // guards the following
	isRead   bool
	any      bool
	left     []handedDown // not taken yet
	unserved int          // listeners not served yet; at 0 this process takes over
	ready    *os.File
	files    []*net.UnixListener // whose socket files this process owns once it has taken over
	over     chan struct{}       // closed when this process has taken over
}

// read reads the environment, once, and reports whether anything was handed down.
// It removes the variable, so that a child of this process does not misread it.
func (in *inheritance) read(log *slog.Logger) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.isRead {
		return in.any
	}
	in.isRead = true
	text, ok := os.LookupEnv(environment)
	if !ok {
		return false
	}
	_ = os.Unsetenv(environment) // fails only for invalid names
	var h handover
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		log.Error("inherited listeners not understood; this process listens itself", "variable", environment, "err", err)
		return false
	}
	syscall.CloseOnExec(h.Ready)
	for _, l := range h.Listeners {
		syscall.CloseOnExec(l.FD)
	}
	in.any = true
	in.left, in.unserved = h.Listeners, len(h.Listeners)
	in.ready = os.NewFile(uintptr(h.Ready), "ready")
	in.over = make(chan struct{})
	in.takeOverLocked()
	return true
}

// take returns the first listener handed down for an address that is not taken yet, or
// nil. With port 0 there may be several; with own, one that was not a peer's comes first.
func (in *inheritance) take(network, addr string, own bool) (net.Listener, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	fits := func(l handedDown) bool { return l.Network == network && l.Addr == addr }
	i := slices.IndexFunc(in.left, func(l handedDown) bool { return fits(l) && l.Own == own })
	if i < 0 {
		i = slices.IndexFunc(in.left, fits)
	}
	if i < 0 {
		return nil, nil
	}
	l := in.left[i]
	in.left = slices.Delete(in.left, i, i+1)
	f := os.NewFile(uintptr(l.FD), addr)
	if f == nil {
		return nil, fmt.Errorf("graceful: inherited listener %s %s: descriptor %d is none", network, addr, l.FD)
	}
	lis, err := net.FileListener(f)
	err = errors.Join(err, f.Close()) // lis has a copy of it
	if err != nil {
		return nil, fmt.Errorf("graceful: inherited listener %s %s: %w", network, addr, err)
	}
	if u, ok := lis.(*net.UnixListener); ok {
		in.files = append(in.files, u)
	}
	return &inherited{Listener: lis, from: in, closed: make(chan struct{})}, nil
}

// serving counts one more listener that is being accepted from.
func (in *inheritance) serving() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.unserved--
	in.takeOverLocked()
}

// takeOverLocked tells the parent that this process serves, once it does.
func (in *inheritance) takeOverLocked() {
	if in.unserved > 0 {
		return
	}
	for _, u := range in.files {
		u.SetUnlinkOnClose(true)
	}
	_, _ = in.ready.Write([]byte{1}) // the parent may be gone
	_ = in.ready.Close()
	close(in.over)
}

// An inherited listener accepts nothing before its process has taken over.
// Otherwise the connections accepted by a process that then fails to start would
// be lost.
type inherited struct {
	net.Listener
	from   *inheritance
	once   sync.Once
	end    sync.Once
	closed chan struct{}
}

// Accept implements [net.Listener].
func (l *inherited) Accept() (net.Conn, error) {
	l.once.Do(l.from.serving)
	select {
	case <-l.from.over:
		return l.Listener.Accept()
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *inherited) Close() error {
	l.end.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// Unwrap returns the listener of the system.
func (l *inherited) Unwrap() net.Listener { return l.Listener }
