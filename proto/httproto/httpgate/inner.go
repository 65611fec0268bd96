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

// ErrClient is the error of sending a call or a push to an HTTP client.
var ErrClient = errors.New("httproto: the other side is an HTTP client, which takes no calls or pushes")

// inner is the protocol of an HTTP client's session: the raw protocol under the
// name of HTTP, in which the session can send only replies and control messages.
type inner struct {
	proto.Proto
	open atomic.Bool // the connect hooks have run
}

var _ proto.Ender = (*inner)(nil)

func newInner() proto.Proto { return &inner{Proto: rawproto.New()} }

func (*inner) Version() (id byte, name string) { return 'h', "http" }

// Ended implements [proto.Ender]. Only the read loop of an open session calls it,
// before it waits for the first time.
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

// Unpack skips the credentials, which precede everything else, if no connect hook
// has read them.
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
	head   []byte // used by the reader only
}

func (e *end) LocalAddr() net.Addr  { return e.client.local }
func (e *end) RemoteAddr() net.Addr { return e.client.remote }

// NetConn returns the connection of the client, for hooks that look for TLS; nil
// behind the server of another program.
func (e *end) NetConn() net.Conn { return e.client.Conn }

func (e *end) Read(p []byte) (int, error) {
	if len(e.head) == 0 {
		return e.Conn.Read(p)
	}
	n := copy(p, e.head)
	e.head = e.head[n:]
	return n, nil
}
