package nats_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/goerpc/erpc/cluster/nats"
	"github.com/goerpc/erpc/internal/test/kit"
)

// A connection that breaks while Close flushes it is like one that was broken before:
// Events.Down has said that messages are lost, and Close does not fail.
func TestConnectionBreaksWhileCloseFlushes(t *testing.T) {
	kit.NoLeaks(t)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	asked := make(chan error, 1)
	go func() { asked <- breakAtSecondPing(lis) }()
	e := nats.New("nats://"+lis.Addr().String(), natsgo.ReconnectWait(time.Hour))
	check(t, e.Start(t.Context(), &events{}))
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	if err := kit.Await(t, "the flush", asked); err != nil {
		t.Fatal(err)
	}
	if err := kit.Await(t, "the end of Close", closed); err != nil {
		t.Error(err)
	}
}

// breakAtSecondPing is a server of one connection, which it closes when it is asked to
// confirm what it has got. The first such question belongs to connecting.
func breakAtSecondPing(lis net.Listener) error {
	conn, err := lis.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = lis.Close() // there is no other connection
	if _, err := io.WriteString(conn, `INFO {"server_id":"one","version":"2.15.2","max_payload":1048576,"headers":true}`+"\r\n"); err != nil {
		return err
	}
	in := bufio.NewScanner(conn)
	for pings := 0; in.Scan(); {
		if !strings.HasPrefix(in.Text(), "PING") {
			continue
		}
		pings++
		if pings == 2 {
			return nil
		}
		if _, err := io.WriteString(conn, "PONG\r\n"); err != nil {
			return err
		}
	}
	return io.ErrUnexpectedEOF
}
