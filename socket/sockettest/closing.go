package sockettest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/goerpc/erpc/socket"
)

func (f *fixture) dialOptions() *socket.Options { return &socket.Options{TLS: f.ClientTLS} }

// ends runs test twice: the client closes, and the server closes.
func (f *fixture) ends(test func(closer string, closes, other net.Conn)) {
	client, server := f.pair()
	test("client", client, server)
	client, server = f.pair()
	test("server", server, client)
}

func testCloseEndsReads(f *fixture) {
	f.ends(func(closer string, closes, other net.Conn) {
		f.send(closes, other, random(100))
		var own, others error
		a := background(func() { _, own = closes.Read(make([]byte, 1)) })
		b := background(func() { _, others = other.Read(make([]byte, 1)) })
		start := time.Now()
		if err := closes.Close(); err != nil {
			f.Errorf("%s: close: %v", closer, err)
		}
		f.within(f.Prompt, "the read of the closing "+closer, a)
		f.within(f.Prompt, "the read of the other side of the "+closer, b)
		if own == nil || others == nil {
			f.Errorf("%s: reads ended with %v and %v", closer, own, others)
		}
		if errors.Is(own, io.EOF) || isTimeout(own) {
			f.Errorf("%s: the read of the closing side ended with %v", closer, own)
		}
		if isTimeout(others) {
			f.Errorf("%s: the read of the other side ended with %v", closer, others)
		}
		if d := time.Since(start); d > f.Prompt {
			f.Errorf("%s: noticed after %v", closer, d)
		}
		if _, err := closes.Write([]byte("x")); err == nil {
			f.Errorf("%s: wrote after Close", closer)
		}
		if _, err := closes.Read(make([]byte, 1)); err == nil {
			f.Errorf("%s: read after Close", closer)
		}
		if _, err := other.Read(make([]byte, 1)); err == nil {
			f.Errorf("%s: the other side reads on after the end", closer)
		}
	})
}

// testCloseEndsWrites fills the connection, so that a write of the other side
// blocks, and closes the end that does not read. The other side reads, as every
// session does.
func testCloseEndsWrites(f *fixture) {
	f.ends(func(closer string, closes, other net.Conn) {
		data := random(1 << 20)
		var reads, writes error
		blocked := make(chan struct{}, 1)
		r := background(func() {
			_, reads = other.Read(make([]byte, 1))
			_ = other.Close() // as a session does
		})
		w := background(func() {
			for writes == nil {
				select {
				case blocked <- struct{}{}: // about to write again
				default:
				}
				_, writes = other.Write(data)
			}
		})
		for full := false; !full; {
			select {
			case <-blocked:
			case <-time.After(300 * time.Millisecond):
				full = true
			}
		}
		_ = closes.Close() // its reader reports the end
		f.within(f.Prompt, "the read of the other side of the "+closer, r)
		f.within(f.Prompt, "the blocked write of the other side of the "+closer, w)
		if reads == nil || writes == nil {
			f.Errorf("%s: ended with %v and %v", closer, reads, writes)
		}
	})
}

// testLastBytes closes right after a write, over and over.
func testLastBytes(f *fixture) {
	lis := f.listen()
	for round := range 10 {
		for _, n := range []int{1, 5000, 200_000} {
			closes, other := f.connect(lis)
			closer := "client"
			if round%2 == 1 {
				closes, other, closer = other, closes, "server"
			}
			data := random(n)
			var wrote error
			w := background(func() {
				_, wrote = closes.Write(data)
				wrote = errors.Join(wrote, closes.Close())
			})
			_ = other.SetReadDeadline(time.Now().Add(f.Patience)) // the read reports it
			got, err := io.ReadAll(other)
			<-w
			if err != nil || wrote != nil {
				f.Fatalf("round %d, %s closes after %d bytes: read %d, %v; write: %v", round, closer, n, len(got), err, wrote)
			}
			if !bytes.Equal(got, data) {
				f.Fatalf("round %d, %s closes after %d bytes: %d arrived", round, closer, n, len(got))
			}
			_ = other.Close() // read to its end
		}
	}
}

func testConcurrentClose(f *fixture) {
	lis := f.listen()
	for range 10 {
		client, server := f.connect(lis)
		var wg sync.WaitGroup
		for _, c := range []net.Conn{client, server} {
			for range 4 {
				wg.Go(func() { _ = c.Close() }) // all but one may fail
			}
			wg.Go(func() { _, _ = io.Copy(io.Discard, c) }) // must end, with any error
			wg.Go(func() {
				for {
					if _, err := c.Write(random(1000)); err != nil {
						return
					}
				}
			})
			wg.Go(func() { _ = c.SetDeadline(time.Now().Add(f.Patience)) }) // may fail
		}
		f.within(f.Patience, "readers, writers and closers", background(wg.Wait))
	}
}

func testNobody(f *fixture) {
	addr := ""
	if f.Nobody != nil {
		addr = f.Nobody(f.T)
	} else {
		lis := f.listen() // to find a free port
		addr = lis.Addr().String()
		_ = lis.Close() // it has no clients
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	c, err := f.dial(ctx, addr)
	if err == nil {
		_ = c.Close() // only if the test has failed
		f.Fatalf("dialed %s, where there is no listener", addr)
	}
	if d := time.Since(start); d > 300*time.Millisecond+f.Prompt {
		f.Errorf("dialing nobody took %v, its context 300ms", d)
	}
}

func testListenerClose(f *fixture) {
	lis := f.listen()
	var err error
	done := background(func() {
		var c net.Conn
		c, err = lis.Accept()
		if err == nil {
			_ = c.Close() // the test has failed
		}
	})
	if err := lis.Close(); err != nil {
		f.Errorf("close: %v", err)
	}
	f.within(f.Prompt, "Accept", done)
	if !errors.Is(err, net.ErrClosed) {
		f.Errorf("Accept ended with %v, want net.ErrClosed", err)
	}
	if _, err := lis.Accept(); !errors.Is(err, net.ErrClosed) {
		f.Errorf("Accept on a closed listener: %v", err)
	}
	_ = lis.Close() // must be harmless
	// The address is free again.
	again, err := f.transport.Listen(f.context(), f.Network, lis.Addr().String(), &socket.Options{TLS: f.ServerTLS})
	if err != nil {
		f.Fatalf("listen again: %v", err)
	}
	f.echo(again)
	if err := f.exchange(again.Addr().String(), 1, random(100)); err != nil {
		f.Errorf("over the second listener: %v", err)
	}
}

// testListenerCloseKeeps: accepted connections go on, so that a server can drain.
func testListenerCloseKeeps(f *fixture) {
	lis := f.listen()
	client, server := f.connect(lis)
	if err := lis.Close(); err != nil {
		f.Errorf("close: %v", err)
	}
	f.send(client, server, random(10_000))
	f.send(server, client, random(10_000))
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if c, err := f.dial(ctx, lis.Addr().String()); err == nil {
		defer c.Close()
		// A transport may dial without an answer of the other side, but then the
		// connection must end.
		_ = c.SetReadDeadline(time.Now().Add(f.Patience)) // the read reports it
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			f.Errorf("a connection to a closed listener: %v", err)
		}
	}
	f.send(client, server, random(100))
}
