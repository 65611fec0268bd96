package sockettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/socket"
)

// A fixture is the environment of one part of the test.
type fixture struct {
	*testing.T
	Options
	transport socket.Transport
}

// context returns a context that ends after Patience.
func (f *fixture) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), f.Patience)
	f.Cleanup(cancel)
	return ctx
}

// listen returns a listener that is closed when the test ends.
func (f *fixture) listen() net.Listener {
	f.Helper()
	addr := "127.0.0.1:0"
	if f.Addr != nil {
		addr = f.Addr(f.T)
	}
	lis, err := f.transport.Listen(f.context(), f.Network, addr, &socket.Options{TLS: f.ServerTLS})
	if err != nil {
		f.Fatalf("listen on %s: %v", addr, err)
	}
	f.Cleanup(func() { _ = lis.Close() }) // a test may have closed it
	return lis
}

// accept accepts one connection as a peer does: it is ready for use.
func (f *fixture) accept(lis net.Listener) (net.Conn, error) {
	c, err := lis.Accept()
	if err != nil {
		return nil, err
	}
	if err := f.handshake(c); err != nil {
		_ = c.Close() // discarded
		return nil, err
	}
	return c, nil
}

func (f *fixture) handshake(c net.Conn) error {
	h, ok := c.(socket.Handshaker)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), f.Patience)
	defer cancel()
	return h.HandshakeContext(ctx)
}

func (f *fixture) dial(ctx context.Context, addr string) (net.Conn, error) {
	return f.transport.Dial(ctx, f.Network, addr, &socket.Options{TLS: f.ClientTLS})
}

// connect returns both ends of a new connection to lis, closed when the test ends.
// No other goroutine may accept from lis.
func (f *fixture) connect(lis net.Listener) (client, server net.Conn) {
	f.Helper()
	type result struct {
		conn net.Conn
		err  error
	}
	accepted := make(chan result, 1)
	go func() {
		c, err := f.accept(lis)
		accepted <- result{c, err}
	}()
	client, err := f.dial(f.context(), lis.Addr().String())
	if err != nil {
		f.Fatalf("dial %v: %v", lis.Addr(), err)
	}
	f.Cleanup(func() { _ = client.Close() }) // a test may have closed it
	select {
	case r := <-accepted:
		if r.err != nil {
			f.Fatalf("accept: %v", r.err)
		}
		f.Cleanup(func() { _ = r.conn.Close() }) // a test may have closed it
		return client, r.conn
	case <-time.After(f.Patience):
		f.Fatalf("dialed %v, and nothing is accepted after %v", lis.Addr(), f.Patience)
	}
	return nil, nil
}

func (f *fixture) pair() (client, server net.Conn) {
	f.Helper()
	return f.connect(f.listen())
}

// echo answers every connection of lis with its own bytes, until the test ends.
func (f *fixture) echo(lis net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer context.AfterFunc(ctx, func() { _ = c.Close() })()
				defer c.Close()
				if f.handshake(c) == nil {
					// Not Copy(c, c): the kernel would copy through pipes that
					// stay open for reuse. The client notices errors.
					_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
				}
			})
		}
	})
	f.Cleanup(func() {
		_ = lis.Close() // ends Accept
		cancel()
		f.within(f.Patience, "the end of the echo", background(wg.Wait))
	})
}

// within fails the test if done is not closed in time.
func (f *fixture) within(limit time.Duration, what string, done <-chan struct{}) {
	f.Helper()
	select {
	case <-done:
	case <-time.After(limit):
		f.Fatalf("%s: still waiting after %v", what, limit)
	}
}

// background runs do and returns a channel that is closed when it has returned.
func background(do func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	return done
}

// send writes data to one end and checks that it arrives at the other.
func (f *fixture) send(from, to net.Conn, data []byte) {
	f.Helper()
	if err := f.sent(from, to, data); err != nil {
		f.Fatalf("%d bytes: %v", len(data), err)
	}
}

func (f *fixture) sent(from, to net.Conn, data []byte) error {
	if err := to.SetReadDeadline(time.Now().Add(f.Patience)); err != nil {
		return err
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := from.Write(data)
		wrote <- err
	}()
	got := make([]byte, len(data))
	if n, err := io.ReadFull(to, got); err != nil {
		_ = from.SetWriteDeadline(time.Unix(1, 0)) // data that is not read may block it
		return errors.Join(err, <-wrote, fmt.Errorf("%d bytes arrived", n))
	}
	if err := <-wrote; err != nil {
		return err
	}
	if !bytes.Equal(got, data) {
		return errors.New("the bytes were changed")
	}
	return to.SetReadDeadline(time.Time{})
}

// random returns n bytes, the same for each n.
func random(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	_, _ = rng.Read(b) // never fails
	return b
}

// isTimeout reports whether err is that of a deadline, by both of the tests that
// callers use.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) && errors.As(err, &ne) && ne.Timeout()
}
