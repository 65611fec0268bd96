//go:build linux

package attack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/socket/all"
)

// memoryCap is how much a victim may allocate before the system refuses: more than
// any attack may take, and little enough for the test machine.
const memoryCap = 1 << 30

// A victim is the state of a child process that serves one door.
type victim struct {
	peer     erpc.Peer     // its sessions are counted
	executed atomic.Int64  // calls and pushes that reached a handler
	working  atomic.Int64  // running handlers of /slow
	highest  atomic.Int64  // the maximum of working
	never    chan struct{} // is never closed
}

// serveDoor opens a door, says where it is on standard output, and answers each
// line on standard input with the numbers of the victim, until the input ends.
func serveDoor(name string) {
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: memoryCap, Max: memoryCap}); err != nil {
		fail(err)
	}
	open, ok := doors[name]
	if !ok {
		fail(fmt.Errorf("attack: no door %q", name))
	}
	v := &victim{never: make(chan struct{})}
	addr, err := open(v)
	if err != nil {
		fail(err)
	}
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak is measured from here
		fail(err)
	}
	fmt.Println(addr)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		sessions := 0
		if v.peer != nil {
			sessions = v.peer.CountSession()
		}
		fmt.Println(v.executed.Load(), v.highest.Load(), sessions, runtime.NumGoroutine())
	}
	os.Exit(0)
}

// fail ends a child process that can't serve; the parent gets no address.
func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// listen serves a peer on a free port of the loopback address.
func (v *victim) listen(cfg erpc.PeerConfig, plugins ...erpc.Plugin) (addr string, err error) {
	cfg.ListenAddress = "127.0.0.1:0"
	v.peer = v.newPeer(cfg, plugins...)
	lis, err := v.peer.Listen()
	if err != nil {
		return "", err
	}
	v.serve(lis)
	return lis.Addr().String(), nil
}

// listenTLS is listen with TLS.
func (v *victim) listenTLS(cfg erpc.PeerConfig) (addr string, err error) {
	cfg.ListenAddress = "127.0.0.1:0"
	v.peer = v.newPeer(cfg)
	v.peer.SetTLSConfig(erpc.GenerateTLSConfigForServer())
	lis, err := v.peer.Listen()
	if err != nil {
		return "", err
	}
	v.serve(lis)
	return lis.Addr().String(), nil
}

func (v *victim) serve(lis net.Listener) {
	go func() {
		if err := v.peer.Serve(lis); err != nil && !errors.Is(err, erpc.ErrClosed) {
			fail(err)
		}
	}()
}

// newPeer returns a peer that logs to standard error, with the handlers that
// strangers call.
func (v *victim) newPeer(cfg erpc.PeerConfig, plugins ...erpc.Plugin) erpc.Peer {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	cfg.Transports = append(all.Transports(), cfg.Transports...)
	p := erpc.NewPeer(cfg, plugins...)
	erpc.HandleCall(p, "/add", kit.Add)
	erpc.HandleCall(p, "/echo", kit.Same)
	erpc.HandleCall(p, "/doc", swallow[document](v))
	erpc.HandleCall(p, "/map", swallow[map[string]any](v))
	erpc.HandleCall(p, "/list", swallow[structpb.ListValue](v))
	erpc.HandleCall(p, "/thrift", swallow[rows](v))
	erpc.HandleCall(p, "/panic", func(context.Context, *[]byte) (*[]byte, error) { panic("a mistake of the handler") })
	erpc.HandleCall(p, "/change", func(context.Context, *[]byte) (*[]byte, error) { v.executed.Add(1); return nil, nil })
	erpc.HandleCall(p, "/slow", v.slow)
	erpc.HandleCall(p, "/ordered", v.slow, ordered)
	erpc.HandleCall(p, "/slow/doc", func(ctx context.Context, d *document) (*int, error) {
		_, err := v.slow(ctx, nil)
		return new(len(d.Rows)), err
	})
	return p
}

// ordered lets the messages of a session be handled one after another.
var ordered = limit.Ordered()

// swallow returns a handler that takes an A and drops it.
func swallow[A any](v *victim) func(context.Context, *A) (*int, error) {
	return func(context.Context, *A) (*int, error) { v.executed.Add(1); return new(int), nil }
}

// slow runs until its context ends.
func (v *victim) slow(ctx context.Context, _ *[]byte) (*[]byte, error) {
	n := v.working.Add(1)
	defer v.working.Add(-1)
	for {
		h := v.highest.Load()
		if n <= h || v.highest.CompareAndSwap(h, n) {
			break
		}
	}
	select {
	case <-v.never:
	case <-ctx.Done():
	case <-time.After(time.Minute):
	}
	return nil, ctx.Err()
}

type row struct {
	Name string
	Nums [24]int64
}

// A document is an ordinary struct, the argument of a JSON, XML or form handler.
type document struct {
	Rows []row    `xml:"row" json:"rows" form:"-"`
	Tags []string `xml:"t" json:"tags" form:"t"`
	Any  any      `xml:"-" json:"any" form:"-"`
}
