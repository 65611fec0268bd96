package httproto

import (
	"bytes"
	"context"
	"net"
	"time"

	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/httproto/httpgate"
)

var _ proto.Acceptor = (*format)(nil)

// Accept implements [proto.Acceptor]: a connection whose first request is that
// of an erpc peer itself becomes a session; net/http serves all others.
func (f *format) Accept(ctx context.Context, conn net.Conn, host proto.Host) (proto.Accepted, error) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	b := host.Bounds()
	head, direct, err := sniff(conn, f.cfg.MaxHead, b)
	if err != nil {
		return proto.Accepted{}, err
	}
	seen := &headed{Conn: conn, head: head}
	if direct {
		return proto.Accepted{Conn: seen, Func: f.cfg.server}, nil
	}
	var nc net.Conn = seen
	if f.cfg.Print != nil {
		nc = &printed{seen, f.cfg.Print}
	}
	server := f.cfg.serverOf(host)
	return proto.Accepted{Serve: func() { server.Serve(ctx, nc) }}, nil
}

// server returns the protocol of an accepted connection.
func (s *shared) server() proto.Proto {
	f := &format{cfg: s}
	f.side.Store(serverSide)
	return f
}

// serverOf returns the server of a peer's HTTP clients.
func (s *shared) serverOf(host proto.Host) *httpgate.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers[host] == nil {
		if s.servers == nil {
			s.servers = map[proto.Host]*httpgate.Server{}
		}
		s.servers[host] = httpgate.NewServer(httpgate.New(host, s.gate()), s.MaxHead)
	}
	return s.servers[host]
}

// sniff reads as much of the head of the first request as it needs to see whether
// an erpc peer has written it. It waits for the first byte for the idle limit of
// the peer.
func sniff(conn net.Conn, maxHead int, bounds proto.Bounds) (head []byte, direct bool, err error) {
	deadline(conn, bounds.Idle)
	head = make([]byte, 0, firstHead)
	for looked := 0; ; {
		if len(head) == cap(head) {
			if len(head) >= maxHead {
				return head, false, unlimit(conn)
			}
			grown := make([]byte, len(head), min(2*len(head), maxHead))
			copy(grown, head)
			head = grown
		}
		n, err := conn.Read(head[len(head):cap(head)])
		if len(head) == 0 && n > 0 {
			deadline(conn, sooner(bounds.First, bounds.Idle))
		}
		head = head[:len(head)+n]
		const verb = "POST "
		if k := min(len(head), len(verb)); string(head[:k]) != verb[:k] {
			return head, false, unlimit(conn)
		}
		if i := bytes.Index(head[looked:], []byte("\r\n\r\n")); i >= 0 {
			return head, isDirect(head[:looked+i+2]), unlimit(conn)
		}
		looked = max(0, len(head)-3)
		if err != nil && len(head) > 0 { // net/http answers
			return head, false, unlimit(conn)
		}
		if err != nil {
			return nil, false, err
		}
	}
}

const firstHead = 512 // bytes, which are enough for most erpc peers

func deadline(conn net.Conn, d time.Duration) {
	var end time.Time
	if d > 0 {
		end = time.Now().Add(d)
	}
	_ = conn.SetReadDeadline(end) // fails only on a closed connection, as the read will
}

// sooner returns the shorter of two limits, of which 0 means none.
func sooner(a, b time.Duration) time.Duration {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

func unlimit(conn net.Conn) error { return conn.SetReadDeadline(time.Time{}) }

// isDirect reports whether an erpc peer has written head and no proxy has changed
// it: erpc sorts the header fields, names itself and sends no fields about the
// connection, while proxies put Host first or add fields. Only responses may be
// sent to a proxy, and it may send requests of several clients on one connection.
func isDirect(head []byte) bool {
	line, rest := nextLine(head)
	if !bytes.HasSuffix(line, []byte(" HTTP/1.1")) {
		return false
	}
	var last []byte
	ours, typed := false, false
	for len(rest) > 0 {
		line, rest = nextLine(rest)
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok || bytes.Compare(last, name) > 0 || ofProxy[string(name)] {
			return false
		}
		last = name
		switch string(name) {
		case "User-Agent":
			ours = string(bytes.TrimSpace(value)) == userAgent
		case "X-Mtype":
			typed = true
		}
	}
	return ours && typed
}

// ofProxy are header fields that erpc does not send.
var ofProxy = map[string]bool{
	"Connection": true, "Via": true, "Forwarded": true, "X-Forwarded-For": true, "X-Forwarded-Proto": true,
	"X-Forwarded-Host": true, "Transfer-Encoding": true, "Expect": true, "Upgrade": true,
}

// A headed connection returns its first bytes again.
type headed struct {
	net.Conn
	head []byte // what is left of them; used by the reader only
}

// Read implements [net.Conn].
func (c *headed) Read(p []byte) (int, error) {
	if len(c.head) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.head)
	c.head = c.head[n:]
	if len(c.head) == 0 {
		c.head = nil
	}
	return n, nil
}

// NetConn returns the connection below, which lacks the first bytes.
func (c *headed) NetConn() net.Conn { return c.Conn }

// CloseWrite closes the write side, if the connection can be half closed.
func (c *headed) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// printed passes what a client and net/http send to each other to Print.
type printed struct {
	*headed
	print func(sent bool, text []byte)
}

func (c *printed) Read(p []byte) (int, error) {
	n, err := c.headed.Read(p)
	if n > 0 {
		c.print(false, p[:n])
	}
	return n, err
}

func (c *printed) Write(p []byte) (int, error) {
	c.print(true, p)
	return c.Conn.Write(p)
}
