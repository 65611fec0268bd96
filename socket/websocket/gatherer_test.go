package websocket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/goerpc/erpc/socket"
)

// A counted connection counts its writes.
type counted struct {
	net.Conn
	writes, bytes int
	err           error
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes++
	c.bytes += len(p)
	if c.err != nil || c.Conn == nil {
		return len(p), c.err
	}
	return c.Conn.Write(p)
}

func TestGatherer(t *testing.T) {
	for _, c := range []struct {
		name              string
		pieces, of, write int
	}{
		{"nothing", 0, 0, 0},
		{"one piece", 1, 100, 1},
		{"many pieces", 16, 4 << 10, 1},
		{"more than fits", 33, 4 << 10, 3},
	} {
		to := new(counted)
		g := &gatherer{Conn: to}
		g.begin()
		for range c.pieces {
			if _, err := g.Write(make([]byte, c.of)); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if err := g.end(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if to.writes != c.write || to.bytes != c.pieces*c.of {
			t.Errorf("%s: %d bytes in %d writes, want %d in %d", c.name, to.bytes, to.writes, c.pieces*c.of, c.write)
		}
		if _, err := g.Write([]byte("x")); err != nil || to.writes != c.write+1 {
			t.Errorf("%s: a write behind the end is not made at once: %v", c.name, err)
		}
	}
}

// An error of one gathered write is told at its end, and not of another one.
func TestGathererFails(t *testing.T) {
	broken := &gatherer{Conn: &counted{err: io.ErrClosedPipe}}
	broken.begin()
	_, _ = broken.Write([]byte("x")) // waits for the end
	if err := broken.end(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("ended with %v", err)
	}
	for range 10 { // of those that share storage
		g := &gatherer{Conn: new(counted)}
		g.begin()
		if err := g.end(); err != nil {
			t.Error(err)
		}
	}
}

// A message of 64 KiB of a side that has dialed is one write of the system, and arrives.
func TestLargeMessageIsOneWrite(t *testing.T) {
	const size = 64 << 10
	got := make(chan []byte, 1)
	web := httptest.NewServer(&Handler{Serve: func(c net.Conn, _ *http.Request) {
		b := make([]byte, size)
		_, err := io.ReadFull(c, b)
		if err != nil {
			t.Error(err)
		}
		got <- b
	}})
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	nc, err := Transport{Config: Config{Path: "/"}}.Dial(ctx, "ws", web.Listener.Addr().String(), &socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	g := nc.(*conn).gatherer
	to := &counted{Conn: g.Conn}
	g.mu.Lock()
	g.Conn = to
	g.mu.Unlock()
	sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	if _, err := nc.Write(sent); err != nil {
		t.Fatal(err)
	}
	if to.writes != 1 {
		t.Errorf("written in %d pieces", to.writes)
	}
	select {
	case b := <-got:
		if !bytes.Equal(b, sent) {
			t.Error("another message has arrived")
		}
	case <-ctx.Done():
		t.Fatal("the message does not arrive")
	}
}
