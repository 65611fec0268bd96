package kcp

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/goerpc/erpc/socket"
)

// A side that stops acknowledging ends the connection, its reads and its writes.
func TestLostSideEndsTheConnection(t *testing.T) {
	const patience = 10 * time.Second
	off := false
	o := &socket.Options{KeepAlive: &off}
	lis, err := Transport{}.Listen(t.Context(), Network, "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conns := make(chan net.Conn, 1)
	go func() {
		c, err := lis.Accept()
		if err == nil {
			err = c.(socket.Handshaker).HandshakeContext(ctx)
		}
		if err != nil {
			t.Error(err)
		}
		conns <- c
	}()
	dialed, err := Transport{}.Dial(ctx, Network, lis.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	c, ok := (<-conns).(*Conn)
	if !ok {
		t.FailNow()
	}
	defer c.Close()
	reads := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		reads <- err
	}()
	// Pretend that nothing has arrived for long. An acknowledgement may arrive in
	// between.
	for end := time.Now().Add(patience); !c.flow.lost.Load(); time.Sleep(time.Millisecond) {
		c.flow.waiting.Store(int64(time.Since(begun) - 2*maxUnanswered))
		_, _ = c.Write([]byte("x")) // the read reports it
		if time.Now().After(end) {
			t.Fatal("it is never lost")
		}
	}
	select {
	case err = <-reads:
	case <-ctx.Done():
		t.Fatal("the read goes on")
	}
	if !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("read: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("write: %v", err)
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("read without a deadline: %v", err)
	}
}
