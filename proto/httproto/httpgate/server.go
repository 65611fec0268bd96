package httpgate

import (
	"context"
	"crypto/tls"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc/message"
)

// linger is how long an answer may still be written after the peer has been
// closed.
const linger = time.Second

// maxStreams is how many requests of one HTTP/2 connection are served at the
// same time.
const maxStreams = 100

// A Server serves single connections as net/http serves those of a listener.
type Server struct {
	h   *Handler
	srv http.Server
}

// NewServer returns a server of h. maxHead is about how many bytes of a head are
// read.
func NewServer(h *Handler, maxHead int) *Server {
	const slop = 4 << 10 // added by net/http
	s := &Server{h: h}
	s.srv = http.Server{
		Handler:           h,
		ReadHeaderTimeout: sooner(h.bounds.First, h.bounds.Idle),
		IdleTimeout:       h.bounds.Idle,
		MaxHeaderBytes:    max(maxHead-slop, 1),
		ConnContext:       connContext,
		ConnState:         connState,
		ErrorLog:          errorLog(h.bounds.Logger),
		Protocols:         new(http.Protocols),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
	}
	s.srv.Protocols.SetHTTP1(true)
	s.srv.Protocols.SetUnencryptedHTTP2(true) // also within TLS, which net/http does not see here
	return s
}

// sooner returns the shorter of two limits, of which 0 means none.
func sooner(a, b time.Duration) time.Duration {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

// errorLog logs errors of strangers at level debug, so that they do not fill the
// log by default.
func errorLog(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }

// Serve serves one connection to its end. When ctx ends, it takes no more
// requests, and gives the last answer a moment to be written.
func (s *Server) Serve(ctx context.Context, nc net.Conn) {
	c := &conn{Conn: nc, h: s.h, local: nc.LocalAddr(), remote: nc.RemoteAddr(), tls: tlsState(nc), done: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() {
		c.end()
		time.AfterFunc(linger, func() { _ = c.Close() })
	})
	_ = s.srv.Serve(&single{conn: c}) // it ends with the listener, which has only one connection
	<-c.done
	stop()
	c.closeLink()
}

// tlsState returns the TLS state of the connection or of one that it wraps, or nil
// without TLS.
func tlsState(nc net.Conn) *tls.ConnectionState {
	for {
		if t, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
			state := t.ConnectionState()
			return &state
		}
		wrapper, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = wrapper.NetConn()
	}
}

type connKey struct{}

func connContext(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, nc)
}

func connState(nc net.Conn, state http.ConnState) {
	c := nc.(*conn)
	c.mu.Lock()
	c.busy = state == http.StateActive
	last := c.ending && !c.busy
	c.mu.Unlock()
	switch {
	case last && c.http2.Load():
		time.AfterFunc(linger, func() { _ = c.Close() }) // net/http says idle before it writes the end of the last answer
	case last:
		_ = c.Close() // nothing is being answered
	}
}

// A conn is the connection of a client, with the session that it has, if any.
type conn struct {
	net.Conn      // nil behind the server of another program
	h             *Handler
	local, remote net.Addr
	tls           *tls.ConnectionState // nil: none
	inflight      atomic.Int64         // bytes of bodies being handled
	http2         atomic.Bool          // the client speaks HTTP/2
	close         sync.Once
	done          chan struct{} // closed by Close

	opening sync.Mutex // held while the link is opened

	mu     sync.Mutex // guards the following
	link   *link
	token  string // credentials of link
	busy   bool   // a request is being read or answered
	ending bool   // no more requests are taken
}

// Close implements [net.Conn].
func (c *conn) Close() (err error) {
	c.close.Do(func() {
		err = c.Conn.Close()
		close(c.done)
	})
	return err
}

// NetConn returns the connection below.
func (c *conn) NetConn() net.Conn { return c.Conn }

// CloseWrite lets net/http close a connection so that its last bytes arrive.
func (c *conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// end refuses further requests and closes the connection as soon as none is being
// answered.
func (c *conn) end() {
	c.mu.Lock()
	c.ending = true
	idle := !c.busy
	c.mu.Unlock()
	if idle && c.Conn != nil {
		_ = c.Close() // nothing is being answered
	}
}

// isEnding reports whether this connection takes no more requests.
func (c *conn) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending && c.Conn != nil
}

func (c *conn) closeLink() {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.close()
	}
}

// linkFor returns the session for a request with those credentials. It may be for
// that request alone; then release ends it. The credentials are checked again after the
// session of the connection has ended, because they may be why.
func (c *conn) linkFor(token string) (l *link, release func(), st *message.Status) {
	c.opening.Lock()
	defer c.opening.Unlock()
	c.mu.Lock()
	l, same := c.link, c.token == token
	c.mu.Unlock()
	switch {
	case l != nil && same && !l.over():
		return l, func() {}, nil
	case l != nil:
		l, st = newLink(c.h.host, c, token, func() {})
		if st != nil {
			return nil, nil, st
		}
		return l, l.close, nil
	}
	l, st = newLink(c.h.host, c, token, c.end)
	if st != nil {
		return nil, nil, st
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link, c.token = l, token
	return l, func() {}, nil
}

// A single is a listener of one connection.
type single struct{ conn net.Conn }

// Accept implements [net.Listener].
func (s *single) Accept() (net.Conn, error) {
	c := s.conn
	s.conn = nil
	if c == nil {
		return nil, net.ErrClosed
	}
	return c, nil
}

// Close implements [net.Listener].
func (*single) Close() error { return nil }

// Addr implements [net.Listener].
func (*single) Addr() net.Addr { return addr("") }
