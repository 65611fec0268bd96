package httpgate

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"sync/atomic"

	"github.com/goerpc/erpc/internal/wire"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
)

// ErrClient is why a message to an HTTP client is not sent.
var ErrClient = errors.New("httproto: the other side is an HTTP client, which takes no calls or pushes")

// inner is what the session of an HTTP client speaks: the raw protocol, under
// the name of HTTP, in which the session can send nothing but replies and
// control messages.
type inner struct {
	proto.Proto
	open atomic.Bool // the connect hooks are over
}

var _ proto.Ender = (*inner)(nil)

func newInner() proto.Proto { return &inner{Proto: rawproto.New()} }

func (*inner) Version() (id byte, name string) { return 'h', "http" }

// Ended implements [proto.Ender]. It is called by nothing but the read loop of
// an open session, before that waits for the first time.
func (p *inner) Ended() bool {
	p.open.Store(true)
	return false
}

func (p *inner) Pack(dst []byte, m *message.Message) ([]byte, error) {
	switch m.Mtype() {
	case message.TypeCall, message.TypeAuthCall:
		return dst, ErrClient
	case message.TypePush:
		if !strings.HasPrefix(m.ServiceMethod(), wire.ControlPrefix) {
			return dst, ErrClient
		}
	}
	return p.Proto.Pack(dst, m)
}

// Unpack passes over the credentials that stand in front of everything else if
// no connect hook has asked for them.
func (p *inner) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	for {
		if err := p.Proto.Unpack(r, m, limit); err != nil {
			return err
		}
		if m.Mtype() != message.TypeAuthCall || !p.open.Load() {
			return nil
		}
		m.Reset()
	}
}

// An end is the session's end of the in-memory connection. It has the addresses
// of the client's connection, and begins with the credentials.
type end struct {
	net.Conn
	client *conn
	head   []byte // the reader's
}

func (e *end) LocalAddr() net.Addr  { return e.client.local }
func (e *end) RemoteAddr() net.Addr { return e.client.remote }

// NetConn returns the connection of the client, for hooks that want to know about
// TLS; nil behind the server of another program.
func (e *end) NetConn() net.Conn { return e.client.Conn }

func (e *end) Read(p []byte) (int, error) {
	if len(e.head) == 0 {
		return e.Conn.Read(p)
	}
	n := copy(p, e.head)
	e.head = e.head[n:]
	return n, nil
}
