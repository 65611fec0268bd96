package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket/mux"
)

// A rawClient uses a protocol over its own connection, as a program in another
// language does.
type rawClient struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	p    proto.Proto
}

func dialRaw(t *testing.T, network, addr string, secure bool, pf erpc.ProtoFunc) *rawClient {
	t.Helper()
	if network == "evtcp" {
		network = "tcp"
	}
	conn, err := net.DialTimeout(network, addr, kit.Bound)
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		conn = tls.Client(conn, kit.Medium{}.TLS())
	}
	_ = conn.SetDeadline(time.Now().Add(kit.Bound)) // a broken one tells by itself
	t.Cleanup(func() { _ = conn.Close() })          // it may be closed
	return &rawClient{t, conn, bufio.NewReader(conn), pf()}
}

func (c *rawClient) call(seq int32, method string, body any) {
	c.t.Helper()
	m := erpc.NewMessage(erpc.WithBodyCodec('j'))
	m.SetMtype(erpc.TypeCall)
	m.SetSeq(seq)
	m.SetServiceMethod(method)
	m.SetBody(body)
	b, err := c.p.Pack(nil, m)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *rawClient) closeWrite() {
	c.t.Helper()
	if err := c.conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}

// replies counts the successful replies until the connection ends.
func (c *rawClient) replies() (good int) {
	c.t.Helper()
	for {
		m := erpc.NewMessage()
		if err := c.p.Unpack(c.in, m, 1<<20); err != nil {
			if !errors.Is(err, io.EOF) {
				c.t.Errorf("after %d replies: %v", good, err)
			}
			return good
		}
		if m.Mtype() == erpc.TypeReply && m.StatusOK() {
			good++
		}
	}
}

// TestHalfClosedClientGetsItsReplies: a client that sends its calls, closes its
// half of the connection and reads gets all replies, with every protocol and
// however long the handlers take.
func TestHalfClosedClientGetsItsReplies(t *testing.T) {
	raw := rawproto.NewRawProtoFunc()
	for _, c := range []struct {
		name, network string
		secure, mux   bool
		pf            erpc.ProtoFunc
	}{
		{name: "raw", network: "tcp", pf: raw},
		{name: "json", network: "tcp", pf: jsonproto.NewJSONProtoFunc()},
		{name: "pb", network: "tcp", pf: pbproto.NewPbProtoFunc()},
		{name: "thrift", network: "tcp", pf: thriftproto.NewBinaryProtoFunc()},
		{name: "http", network: "tcp", pf: httproto.NewHTTProtoFunc()},
		{name: "unix", network: "unix", pf: raw},
		{name: "event loop", network: "evtcp", pf: raw},
		{name: "tls", network: "tcp", secure: true, pf: raw},
		{name: "mux", network: "tcp", mux: true, pf: raw},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := erpc.PeerConfig{Network: c.network, ProtoFunc: c.pf, ListenAddress: "127.0.0.1:0"}
			if c.network == "unix" {
				cfg.ListenAddress = filepath.Join(t.TempDir(), "s")
			}
			srv := kit.Peer(t, cfg)
			if c.secure {
				srv.SetTLSConfig(kit.Medium{}.TLS())
			}
			erpc.HandleCall(srv, "/slow", func(_ context.Context, ms *int) (*int, error) {
				time.Sleep(time.Duration(*ms) * time.Millisecond)
				return ms, nil
			})
			lis, err := srv.Listen()
			if err != nil {
				t.Fatal(err)
			}
			addr := lis.Addr().String()
			if c.mux {
				m := mux.New(lis, mux.Config{})
				kit.StartOn(t, srv, m.Match(mux.Raw))
				ended := make(chan error, 1)
				go func() { ended <- m.Serve() }()
				defer func() {
					_ = m.Close() // the test has ended
					kit.Await(t, "the end of the mux", ended)
				}()
			} else {
				kit.StartOn(t, srv, lis)
			}
			for _, ms := range []int{0, 1, 30} {
				const calls = 20
				cli := dialRaw(t, c.network, addr, c.secure, c.pf)
				for seq := range int32(calls) {
					cli.call(seq+1, "/slow", ms)
				}
				cli.closeWrite()
				if n := cli.replies(); n != calls {
					t.Errorf("handlers of %d ms: %d of %d replies", ms, n, calls)
				}
			}
			kit.Eventually(t, kit.Bound, "no session left", func() bool { return srv.CountSession() == 0 })
		})
	}
}

// slowly makes a handler run on a worker, so that its reply comes after the end was
// read.
var slowly = limit.Ordered()

// TestLargeRepliesToAHalfClosedClient: replies are written as long as the client
// reads, longer than a Close would wait.
func TestLargeRepliesToAHalfClosedClient(t *testing.T) {
	large := make([]byte, 16<<20)
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	erpc.HandleCall(srv, "/large", func(context.Context, *int) (*[]byte, error) { return &large, nil }, slowly)
	cli := dialRaw(t, "tcp", addr, false, rawproto.NewRawProtoFunc())
	cli.call(1, "/large", 1)
	cli.closeWrite()
	n := 0
	buf := make([]byte, 1<<20)
	for {
		k, err := cli.in.Read(buf)
		n += k
		if err != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if n < len(large) {
		t.Errorf("%d of %d bytes came", n, len(large))
	}
}

// TestCallsToAHalfClosedSideEndAtOnce: such calls can't be answered. Pushes are
// still sent.
func TestCallsToAHalfClosedSideEndAtOnce(t *testing.T) {
	srv, addr := kit.Serve(t, erpc.PeerConfig{})
	var sess atomic.Pointer[erpc.Session]
	begun, release := make(chan struct{}), make(chan struct{})
	erpc.HandleCall(srv, "/hold", func(ctx context.Context, n *int) (*int, error) {
		close(begun)
		<-release
		return n, nil
	})
	cli := dialRaw(t, "tcp", addr, false, rawproto.NewRawProtoFunc())
	cli.call(1, "/hold", 1)
	kit.Await(t, "the handler", begun)
	srv.RangeSession(func(s erpc.Session) bool { sess.Store(&s); return false })
	there := *sess.Load()
	pending := there.AsyncCall("/never", 1, nil, nil)
	cli.closeWrite()
	kit.Await(t, "the end of the call", pending.Done())
	kit.WantCode(t, "a call that waits", pending.Status(), erpc.CodeConnClosed)
	kit.WantCode(t, "a call after that", there.Call("/never", 1, nil).Status(), erpc.CodeConnClosed)
	if st := there.Push("/push", 1); !st.OK() {
		t.Errorf("a push while the handler works: %v", st)
	}
	close(release)
	if n := cli.replies(); n != 1 {
		t.Errorf("%d replies, want that of the handler", n)
	}
}
