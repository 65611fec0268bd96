package compress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/socket"
)

const patience = 10 * time.Second // for what is about to happen

// ends returns both ends of a connection: of a dialer that offers and of a
// listener that takes. The accepted end is read once, because it answers only
// then.
func ends(t *testing.T, offers, takes []Algorithm) (dialed, took net.Conn) {
	t.Helper()
	a, b := pipe(t)
	acc := &accepted{Conn: b, algs: takes}
	decided := make(chan error, 1)
	go func() { decided <- acc.decide() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dialed, err := offer(ctx, a, offers)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-decided; err != nil {
		t.Fatal(err)
	}
	return dialed, acc
}

// pipe returns both ends of a connection that has a buffer.
func pipe(t *testing.T) (a, b net.Conn) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	if a, err = net.Dial("tcp", lis.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = lis.Accept(); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(patience)
	_, _ = a.SetDeadline(end), b.SetDeadline(end) // can't fail on an open connection
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

func algorithmOf(c net.Conn) string {
	if a, ok := c.(*accepted); ok {
		c, _ = a.w.(net.Conn)
	}
	p, ok := c.(*packed)
	if !ok {
		return "none"
	}
	switch name := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", p.w), "*")); {
	case strings.HasPrefix(name, "s2"):
		return "s2"
	case strings.HasPrefix(name, "zstd"):
		return "zstd"
	default:
		return "flate"
	}
}

func TestNegotiation(t *testing.T) {
	for _, c := range []struct {
		offers, takes []Algorithm
		want          string
	}{
		{[]Algorithm{S2}, []Algorithm{S2}, "s2"},
		{[]Algorithm{S2, Zstd, Flate}, []Algorithm{Zstd, S2}, "zstd"},
		{[]Algorithm{Flate, S2}, []Algorithm{Zstd, Flate}, "flate"},
		{[]Algorithm{S2}, []Algorithm{Zstd}, "none"},
		{[]Algorithm{S2}, []Algorithm{}, "none"},
	} {
		d, a := ends(t, c.offers, c.takes)
		if got, other := algorithmOf(d), algorithmOf(a); got != c.want || other != c.want {
			t.Errorf("%v to %v: %s at the dialing side, %s at the other", c.offers, c.takes, got, other)
		}
	}
}

func TestWireOfTheOffer(t *testing.T) {
	if got, want := string(hello(S2, Flate)), "\xffERPCZ\x01\x05"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Every write can be read at the other end at once, both ways, whatever its size.
func TestEachWriteArrives(t *testing.T) {
	for _, a := range []Algorithm{S2, Zstd, Flate} {
		t.Run(a.String(), func(t *testing.T) {
			d, acc := ends(t, []Algorithm{a}, []Algorithm{a})
			rnd := rand.NewChaCha8([32]byte{byte(a)})
			for i, n := range []int{1, 100, 5000, 70_000, 300_000, 3, 0, 1} {
				data := make([]byte, n)
				if i%2 == 0 {
					_, _ = rnd.Read(data) // never fails
				}
				for _, way := range [][2]net.Conn{{d, acc}, {acc, d}} {
					wrote := make(chan error, 1)
					go func() {
						_, err := way[0].Write(data)
						wrote <- err
					}()
					got := make([]byte, n)
					if _, err := io.ReadFull(way[1], got); err != nil {
						t.Fatalf("%d bytes: %v", n, err)
					}
					if !bytes.Equal(got, data) {
						t.Fatalf("%d bytes came out different", n)
					}
					if err := <-wrote; err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// What messages have in common with earlier ones is sent once.
func TestItIsOneStream(t *testing.T) {
	for _, a := range []Algorithm{Zstd, Flate} { // a block of s2 stands alone
		d, acc := ends(t, []Algorithm{a}, []Algorithm{a})
		message := make([]byte, 2000)
		_, _ = rand.NewChaCha8([32]byte{}).Read(message) // alone it can't be compressed; never fails
		sent := &counting{Conn: d.(*packed).Conn}
		d.(*packed).Conn = sent
		go func() { _, _ = io.Copy(io.Discard, acc) }() // until the end of the test
		const times = 20
		for range times {
			if _, err := d.Write(message); err != nil {
				t.Fatal(err)
			}
		}
		if sent.n > 2*len(message) || sent.writes != times {
			t.Errorf("%v: %d messages of %d bytes took %d bytes in %d writes", a, times, len(message), sent.n, sent.writes)
		}
	}
}

type counting struct {
	net.Conn
	n, writes int
}

func (c *counting) Write(b []byte) (int, error) {
	c.n += len(b)
	c.writes++
	return c.Conn.Write(b)
}

// A side that offers nothing, such as erpc v7, is served uncompressed.
func TestPlainDialer(t *testing.T) {
	for _, first := range []string{"x", "\xff", "\xffERPCY and more", "{\"seq\":1}"} {
		a, b := pipe(t)
		acc := &accepted{Conn: b, algs: []Algorithm{S2}}
		go func() {
			_, _ = a.Write([]byte(first)) // the read reports it
			_ = a.Close()
		}()
		got, err := io.ReadAll(acc)
		if string(got) != first && first != "\xff" || first != "\xff" && err != nil {
			t.Errorf("of %q came %q, %v", first, got, err)
		}
		_ = acc.Close()
	}
}

func TestServerSpeaksFirst(t *testing.T) {
	a, b := pipe(t)
	acc := &accepted{Conn: b, algs: []Algorithm{S2}}
	read := make(chan string, 1)
	go func() {
		if _, err := acc.Write([]byte("welcome")); err != nil {
			t.Error(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(acc, got); err != nil {
			t.Error(err)
		}
		read <- string(got)
	}()
	d, err := offer(t.Context(), a, []Algorithm{S2})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if _, err := io.ReadFull(d, got); err != nil || string(got) != "welcome" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := d.Write([]byte("hello")); err != nil {
		t.Error(err)
	}
	if got := <-read; got != "hello" {
		t.Errorf("the server read %q", got)
	}
}

func TestNoAnswer(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	go func() {
		c, err := lis.Accept()
		if err != nil {
			return
		}
		_ = c.Close() // as a server that takes the offer for a frame that is too large
		c, err = lis.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(io.Discard, c) // never answers
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := (Transport{}).Dial(ctx, "tcp", lis.Addr().String(), new(socket.Options)); !errors.Is(err, ErrRefused) {
		t.Errorf("a server that closes: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = (Transport{}).Dial(ctx, "tcp", lis.Addr().String(), new(socket.Options))
	if ne := net.Error(nil); !errors.As(err, &ne) || !ne.Timeout() { // of the context or, on a slow machine, of package net
		t.Errorf("a server that is silent: %v", err)
	}
}

// noDeadlines is a transport whose connections have no deadlines, such as a channel
// of ssh.
type noDeadlines struct{ socket.Stream }

func (n noDeadlines) Dial(ctx context.Context, network, addr string, o *socket.Options) (net.Conn, error) {
	c, err := n.Stream.Dial(ctx, network, addr, o)
	if err != nil {
		return nil, err
	}
	return withoutDeadlines{c}, nil
}

type withoutDeadlines struct{ net.Conn }

func (withoutDeadlines) SetDeadline(time.Time) error { return errors.ErrUnsupported }

// A dial ends with its context, though the connection below has no deadlines.
func TestNoAnswerWithoutDeadlines(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts, so nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	dialed := make(chan error, 1)
	go func() {
		_, err := (Transport{Over: noDeadlines{}}).Dial(ctx, "tcp", lis.Addr().String(), new(socket.Options))
		dialed <- err
	}()
	select {
	case err := <-dialed:
		if err == nil {
			t.Error("dialed nobody")
		}
	case <-time.After(patience):
		t.Error("the dial goes on")
	}
}

func TestUnknownAlgorithm(t *testing.T) {
	tr := Transport{Algorithms: []Algorithm{64}}
	if _, err := tr.Dial(t.Context(), "tcp", "127.0.0.1:1", new(socket.Options)); err == nil || !strings.Contains(err.Error(), "64") {
		t.Errorf("dial: %v", err)
	}
	if _, err := tr.Listen(t.Context(), "tcp", "127.0.0.1:0", new(socket.Options)); err == nil {
		t.Error("listen: no error")
	}
	a, b := pipe(t)
	go func() {
		_, _ = io.ReadFull(b, make([]byte, helloLen))
		_, _ = b.Write(hello(Zstd))
	}()
	if _, err := offer(t.Context(), a, []Algorithm{S2}); err == nil {
		t.Error("a choice that was not offered is taken")
	}
}

// Bytes that are not a stream are an error, not a panic or an endless loop.
func FuzzRead(f *testing.F) {
	for _, a := range []Algorithm{S2, Zstd, Flate} {
		var buf bytes.Buffer
		w, err := a.compressor(&buf)
		if err != nil {
			f.Fatal(err)
		}
		_, _ = w.Write([]byte("hello, hello, hello")) // into memory
		_ = w.Flush()
		f.Add(byte(a), buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, alg byte, data []byte) {
		r, err := Algorithm(alg).reader(bytes.NewReader(data))
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20)); err == nil && len(data) == 0 {
			return
		}
	})
}
