package sockettest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

func testNetworks(f *fixture) {
	names := f.transport.Networks()
	if !slices.Contains(names, f.Network) {
		f.Errorf("Networks is %q, without %q", names, f.Network)
	}
	if _, err := f.transport.Dial(f.context(), f.Network, "no address at all\x00", f.dialOptions()); err == nil {
		f.Error("dialed what is not an address")
	}
}

// sizes are in bytes. Some are around the sizes at which transports split data.
var sizes = []int{1, 2, 100, 1 << 10, 1<<14 - 1, 1 << 14, 1<<14 + 1, 1<<16 - 1, 1 << 16, 1<<16 + 1, 200_000, 1 << 20}

func testEcho(f *fixture) {
	client, server := f.pair()
	for _, n := range sizes {
		f.send(client, server, random(n))
		f.send(server, client, random(n))
	}
	// An empty write has no effect.
	if n, err := client.Write(nil); n != 0 || err != nil {
		f.Errorf("empty write: %d, %v", n, err)
	}
	f.send(client, server, []byte("x"))
}

// testServerFirst: a server may send before the client does.
func testServerFirst(f *fixture) {
	client, server := f.pair()
	f.send(server, client, random(1000))
	f.send(client, server, random(10))
}

func testBothWays(f *fixture) {
	client, server := f.pair()
	var up, down error
	a := background(func() { up = f.sent(client, server, random(1<<20)) })
	b := background(func() { down = f.sent(server, client, random(1<<20)) })
	<-a
	<-b
	if err := errors.Join(up, down); err != nil {
		f.Error(err)
	}
}

func testMany(f *fixture) {
	const connections, rounds = 25, 4
	lis := f.listen()
	f.echo(lis)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			if err := f.exchange(lis.Addr().String(), rounds, random(1000+i)); err != nil {
				f.Errorf("connection %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

// exchange dials an echo server and compares what comes back.
func (f *fixture) exchange(addr string, rounds int, data []byte) error {
	c, err := f.dial(f.context(), addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for range rounds {
		if err := f.sent(c, c, data); err != nil {
			return err
		}
	}
	return nil
}

func testAddresses(f *fixture) {
	lis := f.listen()
	client, server := f.connect(lis)
	if got, want := client.RemoteAddr().String(), lis.Addr().String(); got != want {
		f.Errorf("the client is connected to %s, the listener is at %s", got, want)
	}
	if lis.Addr().Network() == "" {
		f.Error("the network of the listener has no name")
	}
	for side, c := range map[string]net.Conn{"client": client, "server": server} {
		for which, a := range map[string]net.Addr{"local": c.LocalAddr(), "remote": c.RemoteAddr()} {
			if a == nil {
				f.Errorf("%s: no %s address", side, which)
			} else if a.Network() != lis.Addr().Network() {
				f.Errorf("%s: %s address is of network %q, that of the listener of %q", side, which, a.Network(), lis.Addr().Network())
			}
		}
	}
	if _, port, err := net.SplitHostPort(client.LocalAddr().String()); err == nil {
		if got := server.RemoteAddr().String(); !strings.HasSuffix(got, ":"+port) {
			f.Errorf("the server sees %s, the client is %v", got, client.LocalAddr())
		}
	}
}

func testReadDeadline(f *fixture) {
	for _, swap := range []bool{false, true} {
		a, b := f.pair()
		if swap {
			a, b = b, a
		}
		buf := make([]byte, 10)
		for _, d := range []time.Duration{-time.Second, 20 * time.Millisecond} {
			_ = a.SetReadDeadline(time.Now().Add(d)) // the read reports it
			if n, err := a.Read(buf); n != 0 || !isTimeout(err) {
				f.Fatalf("read under a deadline in %v: %d bytes, %v", d, n, err)
			}
		}
		// A deadline also ends a read that waits already, even the first deadline
		// that is ever set.
		for _, first := range []bool{true, false} {
			_ = a.SetReadDeadline(time.Time{})
			err := f.interrupted(func() error { _, err := a.Read(buf); return err }, func() { _ = a.SetReadDeadline(time.Now()) })
			if !isTimeout(err) {
				f.Fatalf("first %v: interrupted read: %v", first, err)
			}
		}
		_ = a.SetReadDeadline(time.Time{}) // the read reports it
		f.send(b, a, random(100))          // nothing was lost
		_ = a.SetDeadline(time.Unix(1, 0)) // the read reports it
		if _, err := a.Read(buf); !isTimeout(err) {
			f.Fatalf("read under a deadline for both: %v", err)
		}
	}
}

// interrupted runs block in the background, then interrupt until block returns.
// The interruption may come before block waits, so it is repeated.
func (f *fixture) interrupted(block func() error, interrupt func()) error {
	f.Helper()
	result := make(chan error, 1)
	go func() { result <- block() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(f.Patience)
	for {
		select {
		case err := <-result:
			return err
		case <-tick.C:
			interrupt()
		case <-limit:
			f.Fatalf("still waiting after %v of interruptions", f.Patience)
		}
	}
}

// testWriteDeadline writes to an end that does not read.
func testWriteDeadline(f *fixture) {
	client, server := f.pair()
	total := 0
	data := random(1 << 20)
	var err error
	for err == nil && total < 1<<30 {
		_ = client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)) // the write reports it
		var n int
		n, err = client.Write(data)
		total += n
	}
	if !isTimeout(err) {
		f.Fatalf("after %d bytes: %v", total, err)
	}
	_ = client.SetWriteDeadline(time.Unix(1, 0)) // the write reports it
	if _, err := client.Write([]byte("x")); !isTimeout(err) && !f.WriteTimeoutIsFinal {
		f.Fatalf("write under a deadline that has passed: %v", err)
	}
	if f.WriteTimeoutIsFinal {
		return
	}
	// What Write reported as written arrives, and the connection goes on.
	_ = client.SetWriteDeadline(time.Time{})
	_ = server.SetReadDeadline(time.Now().Add(f.Patience))
	if n, err := io.CopyN(io.Discard, server, int64(total)); err != nil {
		f.Fatalf("of %d bytes %d arrived: %v", total, n, err)
	}
	f.send(client, server, random(100))
}

func testEndedContext(f *fixture) {
	lis := f.listen()
	f.echo(lis)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if c, err := f.dial(ctx, lis.Addr().String()); err == nil {
		_ = c.Close() // the test has failed
		f.Error("dialed with a context that has ended")
	}
	if err := f.exchange(lis.Addr().String(), 1, random(10)); err != nil {
		f.Error(fmt.Errorf("afterwards: %w", err))
	}
}
