package quic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/goerpc/erpc/internal/quiclisten"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/internal/accept"
)

// greetTime is how long a client that uses this package may take from its
// connection to its first stream, and from a stream to its first byte.
const greetTime = 10 * time.Second

// refused is the error code of a connection or stream that a closed listener does
// not accept.
const refused = 1

var (
	errNoStream = errors.New("quic: the client has opened no stream in time")
	errNoHello  = errors.New("quic: a stream does not begin as those of erpc do")
)

// A Listener accepts sessions: the streams of its connections. Its UDP socket stays
// open until the last of them has ended.
type Listener struct {
	quic      *quiclisten.Listener
	transport *quicgo.Transport
	udp       *net.UDPConn
	queue     *accept.Queue
	refused   func(remote string, why error) // is told of connections that nobody accepts
}

var _ net.Listener = (*Listener)(nil)

// Listen implements [socket.Transport].
func (t *Transport) Listen(ctx context.Context, _, addr string, o *socket.Options) (net.Listener, error) {
	cfg, err := tlsConfig(o.TLS, "")
	if err != nil {
		return nil, fmt.Errorf("quic: listen on %s: %w", addr, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("quic: listen on %s: %w", addr, err)
	}
	if err := o.Check(Network, tunables); err != nil {
		return nil, fmt.Errorf("quic: listen on %s: %w", addr, err)
	}
	local, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("quic: listen on %s: %w", addr, err)
	}
	udp, err := listenUDP(ctx, local, o)
	if err != nil {
		return nil, fmt.Errorf("quic: listen on %s: %w", addr, err)
	}
	transport := &quicgo.Transport{Conn: udp}
	lis, err := quiclisten.Listen(transport, cfg, t.config(o), o.Refused)
	if err != nil {
		_ = transport.Close() // unused
		_ = udp.Close()
		return nil, fmt.Errorf("quic: listen on %s: %w", addr, err)
	}
	l := &Listener{quic: lis, transport: transport, udp: udp, refused: o.Refused}
	if l.refused == nil {
		l.refused = func(string, error) {}
	}
	l.queue = accept.NewQueue(func() {
		_ = l.transport.Close() // everything has been sent
		_ = l.udp.Close()
	})
	go l.run()
	return l, nil
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) { return l.queue.Accept() }

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return l.quic.Addr() }

// Close implements [net.Listener]. Accepted sessions go on and use the UDP socket,
// so the address is in use until they have ended.
func (l *Listener) Close() error {
	if err := l.queue.Close(); err != nil {
		return err
	}
	return l.quic.Close()
}

// run accepts connections whose TLS handshake is done.
func (l *Listener) run() {
	for {
		conn, err := l.quic.Accept(context.Background()) // ends with Close
		if err != nil {
			return
		}
		if !l.queue.Add() {
			_ = conn.CloseWithError(refused, "the listener is closed") // returns nil
			continue
		}
		c := newConnection(conn, false, l.queue.Ended)
		if c.ours {
			go l.streams(c)
		} else {
			go l.single(c)
		}
	}
}

// streams accepts the streams of a connection whose other side uses this package.
func (l *Listener) streams(c *connection) {
	ctx, cancel := context.WithTimeout(c.quic.Context(), greetTime)
	stream, err := c.quic.AcceptStream(ctx)
	cancel()
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			l.refused(c.quic.RemoteAddr().String(), errNoStream)
		}
		c.end() // its time is over
		return
	}
	l.take(c, stream)
	c.release() // from now on it is held by its streams
	for {
		stream, err := c.quic.AcceptStream(c.quic.Context())
		if err != nil {
			return
		}
		l.take(c, stream)
	}
}

func (l *Listener) take(c *connection, stream *quicgo.Stream) {
	if c.hold() {
		go l.greet(newConn(c, stream))
	} // else the connection has ended
}

// greet accepts a stream once its hello has arrived.
func (l *Listener) greet(c *Conn) {
	var first [1]byte
	_ = c.SetReadDeadline(time.Now().Add(greetTime)) // the read reports it
	switch _, err := c.Read(first[:]); {
	case err == nil && first[0] == hello:
		_ = c.SetReadDeadline(time.Time{}) // the next read reports it
		if l.deliver(c) {
			return
		}
	case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
		l.refused(c.RemoteAddr().String(), errNoHello)
	}
	c.stream.CancelWrite(refused)
	c.stream.CancelRead(refused)
	_ = c.Close() // discarded
}

// single accepts a connection with one stream, which comes with the first bytes of
// the client. Meanwhile the session may wait for it, and be closed.
func (l *Listener) single(c *connection) {
	conn := newConn(c, nil)
	if !l.deliver(conn) {
		_ = conn.Close() // nothing was sent on it
		return
	}
	if stream, err := c.quic.AcceptStream(c.quic.Context()); err == nil { // otherwise Read reports it
		conn.begin(stream)
	}
}

func (l *Listener) deliver(c *Conn) bool {
	return l.queue.Offer(c, c.conn.quic.Context().Done())
}
