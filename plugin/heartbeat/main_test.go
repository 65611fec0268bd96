package heartbeat_test

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/heartbeat"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/memory"
)

// TestMain looks for goroutines that a test left behind; those that kcp-go starts as
// it is imported were there before.
func TestMain(m *testing.M) { wait.Main(m) }

// rate is the shortest there is.
const rate = heartbeat.MinRate

// bubble runs f where time passes only while all goroutines wait, so that a slow
// machine changes nothing.
func bubble(t *testing.T, f func(*testing.T, *network)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// What the sessions leave behind ends by itself when nothing needs it any
		// more.
		t.Cleanup(func() { time.Sleep(time.Minute) })
		f(t, new(network))
	})
}

// A network is the only one in a bubble. The cables of its dialed connections can
// be pulled.
type network struct {
	memory.Transport
	pulled atomic.Bool
}

func (n *network) Dial(ctx context.Context, network, addr string, o *socket.Options) (net.Conn, error) {
	conn, err := n.Transport.Dial(ctx, network, addr, o)
	if err != nil {
		return nil, err
	}
	return &cable{conn, n}, nil
}

// config is the configuration of a peer on the network.
func (n *network) config() erpc.PeerConfig {
	return erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{n}}
}

// dial is [wiretest.DialScript].
func (n *network) dial(t *testing.T, addr string) *wiretest.Script {
	t.Helper()
	conn, err := n.Dial(t.Context(), memory.Network, addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := wiretest.NewScript(t, conn)
	long(t, conn)
	return s
}

// listen returns the address where clients under test find the script, and their
// connections.
func (n *network) listen(t *testing.T) (addr string, accept func() *wiretest.Script) {
	t.Helper()
	lis, err := n.Listen(t.Context(), memory.Network, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return // the test is over
			}
			conns <- conn
		}
	}()
	t.Cleanup(func() { _ = lis.Close() }) // its error does not matter
	return lis.Addr().String(), func() *wiretest.Script {
		t.Helper()
		conn := await(t, "a connection", conns)
		s := wiretest.NewScript(t, conn)
		long(t, conn)
		return s
	}
}

// long gives a script more time than usual, which costs nothing here.
func long(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// A cable that was pulled accepts everything and delivers nothing; the other side
// does not learn of the end of the connection either.
type cable struct {
	net.Conn
	n *network
}

func (c *cable) Write(b []byte) (int, error) {
	if c.n.pulled.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *cable) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.n.pulled.Load() {
			return n, err
		}
	}
}

func (c *cable) Close() error {
	if c.n.pulled.Load() {
		return c.SetDeadline(time.Now()) // ends the goroutines that wait here
	}
	return c.Conn.Close()
}

func works(t *testing.T, sess erpc.Session) {
	t.Helper()
	if err := (wiretest.Call{Method: "/math/add", Arg: []int{1, 2}, Want: 3}).Do(sess); err != nil {
		t.Error(err)
	}
}

func await[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(wiretest.Limit):
		t.Fatalf("waited %v for %s", wiretest.Limit, what)
		panic("not reached")
	}
}

// Beats records each heartbeat that arrives at a peer, is answered by it, or is
// sent by it.
type beats struct {
	arrived, sent chan string
	answered      chan *erpc.Status
}

func newBeats() *beats {
	return &beats{make(chan string, 1000), make(chan string, 1000), make(chan *erpc.Status, 1000)}
}

func (*beats) Name() string { return "beats" }

func (b *beats) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status { return b.note(ctx, "CALL") }
func (b *beats) PostReadPushHeader(ctx erpc.ReadCtx) *erpc.Status { return b.note(ctx, "PUSH") }

func (b *beats) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	if m := ctx.Output(); m.ServiceMethod() == heartbeat.ServiceMethod {
		b.sent <- m.Meta().String()
	}
	return nil
}

func (b *beats) PostHandle(ctx erpc.ReadCtx) {
	if ctx.ServiceMethod() == heartbeat.ServiceMethod {
		b.answered <- ctx.Status()
	}
}

func (b *beats) note(ctx erpc.ReadCtx, kind string) *erpc.Status {
	if ctx.ServiceMethod() == heartbeat.ServiceMethod {
		b.arrived <- kind + " " + ctx.CopyMeta().String()
	}
	return nil
}

// A logbook is a log that a test reads.
type logbook struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logbook) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text.Bytes(), []byte(text))
}

// unpacked reads a frame of the raw protocol.
func unpacked(t *testing.T, frame []byte) erpc.Message {
	t.Helper()
	m := erpc.NewMessage()
	if err := rawproto.New().Unpack(bufio.NewReader(bytes.NewReader(frame)), m, len(frame)); err != nil {
		t.Fatal(err)
	}
	return m
}

func packed(t *testing.T, mtype byte, seq int32, method string, body []byte, meta ...erpc.MessageSetting) []byte {
	t.Helper()
	m := erpc.NewMessage(append(meta, erpc.WithServiceMethod(method), erpc.WithBody(body), erpc.WithBodyCodec('j'))...)
	m.SetMtype(mtype)
	m.SetSeq(seq)
	return pack(t, m)
}

func pack(t *testing.T, m erpc.Message) []byte {
	t.Helper()
	b, err := rawproto.New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
