package kit

import (
	"bufio"
	"crypto/tls"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
)

// A Wire is the other side of a connection, driven by hand.
type Wire struct {
	net.Conn
	In *bufio.Reader
}

var Raw = rawproto.New()

// Listen returns a plain listener, closed when the test ends.
func (m Medium) Listen(t *testing.T) net.Listener {
	t.Helper()
	addr := "127.0.0.1:0"
	if m.Network == "unix" {
		addr = filepath.Join(t.TempDir(), "raw")
	}
	lis, err := net.Listen(m.Network, addr)
	if err != nil {
		t.Fatal(err)
	}
	if m.Secure {
		lis = tls.NewListener(lis, m.TLS())
	}
	t.Cleanup(func() { _ = lis.Close() }) // a second one does nothing
	return lis
}

// Script listens, runs f for the first connection, and returns the address. The
// connection is closed when f returns or the test ends.
func (m Medium) Script(t *testing.T, f func(w *Wire)) (addr string) {
	t.Helper()
	lis := m.Listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := lis.Accept()
		if err != nil {
			return // the test has ended
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(Bound)) // a broken one tells by itself
		if c, ok := conn.(*tls.Conn); ok && c.Handshake() != nil {
			return // the other side reports it
		}
		f(&Wire{conn, bufio.NewReader(conn)})
	}()
	t.Cleanup(func() {
		_ = lis.Close() // it may be closed
		AwaitIn(t, Bound, "end of the raw server", done)
	})
	return lis.Addr().String()
}

// Connect returns a connection to a peer, driven by hand and closed when the test
// ends.
func (m Medium) Connect(t *testing.T, addr string) *Wire {
	t.Helper()
	conn, err := net.DialTimeout(m.Network, addr, Bound)
	if err != nil {
		t.Fatal(err)
	}
	if m.Secure {
		conn = tls.Client(conn, m.TLS())
	}
	_ = conn.SetDeadline(time.Now().Add(Bound)) // a broken one tells by itself
	t.Cleanup(func() { _ = conn.Close() })      // a second one does nothing
	return &Wire{conn, bufio.NewReader(conn)}
}

// ReadMessage reads one message.
func (w *Wire) ReadMessage() (erpc.Message, error) {
	m := erpc.NewMessage()
	return m, Raw.Unpack(w.In, m, 64<<20)
}

// Reply sends the reply to m, with body unchanged.
func (w *Wire) Reply(t *testing.T, m erpc.Message, body string) {
	t.Helper()
	if _, err := w.Write(Frame(t, erpc.TypeReply, m.Seq(), "", []byte(body))); err != nil {
		t.Errorf("answer: %v", err)
	}
}

// AwaitEnd waits for the end of the connection, and fails the test if it does not
// end within d.
func (w *Wire) AwaitEnd(t *testing.T, d time.Duration) {
	t.Helper()
	_ = w.SetReadDeadline(time.Now().Add(Bound)) // a broken one tells by itself
	took := wait.Took(func() {
		for {
			if _, err := w.In.Discard(1); err != nil {
				return
			}
		}
	})
	if took > d {
		t.Errorf("the connection was open for %v", took)
	}
}

// Frame returns a message as it is on the wire of the raw protocol.
func Frame(t *testing.T, mtype byte, seq int32, method string, body []byte, settings ...erpc.MessageSetting) []byte {
	t.Helper()
	m := erpc.NewMessage(settings...)
	m.SetMtype(mtype)
	m.SetSeq(seq)
	m.SetServiceMethod(method)
	m.SetBody(body)
	if m.BodyCodec() == 0 {
		m.SetBodyCodec('j')
	}
	b, err := proto.Proto(Raw).Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
