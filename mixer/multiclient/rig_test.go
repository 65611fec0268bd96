package multiclient_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/mixer/multiclient"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/memory"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

const addr = "server"

var errNoWay = errors.New("no way to the server")

// A network holds dials up on demand, and makes them fail.
type network struct {
	memory.Transport
	mu    sync.Mutex
	shut  chan struct{} // nil: open
	dead  bool
	dials atomic.Int32
}

func (n *network) Dial(ctx context.Context, network, addr string, o *socket.Options) (net.Conn, error) {
	n.dials.Add(1)
	n.mu.Lock()
	shut := n.shut
	n.mu.Unlock()
	if shut != nil {
		select {
		case <-shut:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	n.mu.Lock()
	dead := n.dead
	n.mu.Unlock()
	if dead {
		return nil, errNoWay
	}
	return n.Transport.Dial(ctx, network, addr, o)
}

// close holds up the dials from now on, until open is called.
func (n *network) close() (open func()) {
	shut := make(chan struct{})
	n.mu.Lock()
	n.shut = shut
	n.mu.Unlock()
	return func() {
		n.mu.Lock()
		n.shut = nil
		n.mu.Unlock()
		close(shut)
	}
}

func (n *network) kill(dead bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead = dead
}

// A rig is a server whose /wait ends when it is let, and a peer to dial with.
type rig struct {
	net    *network
	server erpc.Peer
	client erpc.Peer
	let    chan struct{} // each value ends one /wait
	notes  chan string   // the addresses that a /note came from
	most   atomic.Int32  // sessions of the server at the same time
}

// setUp must be called inside a bubble of synctest.
func setUp(t *testing.T) *rig {
	t.Helper()
	// What the sessions leave behind ends by itself when nothing needs it; the
	// bubble must not end before.
	t.Cleanup(func() { time.Sleep(time.Minute) })
	r := &rig{net: new(network), let: make(chan struct{}), notes: make(chan string, 100)}
	cfg := erpc.PeerConfig{
		Network: memory.Network, ListenAddress: addr,
		Logger: slog.New(slog.DiscardHandler), Transports: []erpc.Transport{r.net},
	}
	r.server = erpc.NewPeer(cfg, &erpc.PluginImpl{
		PluginName: "census",
		OnPostAccept: func(erpc.PreSession) *erpc.Status {
			n := int32(r.server.CountSession()) + 1 // and the one that is being accepted
			for old := r.most.Load(); n > old && !r.most.CompareAndSwap(old, n); old = r.most.Load() {
			}
			return nil
		},
	})
	erpc.HandleCall(r.server, "/wait", func(ctx context.Context, _ *int) (*string, error) {
		id := erpc.CallCtxFrom(ctx).Session().RemoteAddr().String()
		select {
		case <-r.let:
			return &id, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	erpc.HandleCall(r.server, "/who", func(ctx context.Context, _ *int) (*string, error) {
		id := erpc.CallCtxFrom(ctx).Session().RemoteAddr().String()
		return &id, nil
	})
	erpc.HandlePush(r.server, "/note", func(ctx context.Context, _ *int) error {
		r.notes <- erpc.PushCtxFrom(ctx).Session().RemoteAddr().String()
		return nil
	})
	lis, err := r.server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(lis) }()
	r.client = erpc.NewPeer(cfg)
	t.Cleanup(func() {
		_ = r.client.Close() // sessions may be gone already
		_ = r.server.Close()
		if err := <-served; !errors.Is(err, erpc.ErrClosed) {
			t.Errorf("the server ended with %v", err)
		}
	})
	return r
}

// check compares the parts of the counters that say how many.
func check(t *testing.T, c *multiclient.MultiClient, want multiclient.Stats) {
	t.Helper()
	if got := c.Stats(); got != want {
		t.Errorf("stats\n%+v, want\n%+v", got, want)
	}
}
