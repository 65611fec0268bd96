package peer_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/session"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/memory"
)

// rawClient returns the bare connection of a client that has sent one call of
// method.
func rawClient(t *testing.T, on *memory.Transport, addr, method string) net.Conn {
	t.Helper()
	conn, err := on.Dial(t.Context(), memory.Network, addr, &socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	m := message.New(message.WithServiceMethod(method), message.WithBody([]byte("{}")), message.WithBodyCodec('j'))
	m.SetMtype(message.TypeCall)
	m.SetSeq(1)
	frame, err := rawproto.New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A session that reads nothing, or reads very slowly, costs a broadcast one bounded
// wait; the other sessions get everything.
func TestSlowReaderDoesNotStopBroadcast(t *testing.T) {
	on := memory.New()
	srv := newPeer(t, on, peer.Config{QueueLimit: 64 << 10})
	serve(t, srv, "srv")
	cli := newPeer(t, on, peer.Config{})
	got := noted(cli)
	honest := dial(t, cli, "srv")
	slow := rawClient(t, on, "srv", "/nothing")
	stop := make(chan struct{})
	defer close(stop)
	go func() { // any byte is progress
		for buf := make([]byte, 10); ; {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				_, _ = slow.Read(buf) // the connection may be over
			}
		}
	}()
	for srv.CountSession() < 2 {
		time.Sleep(time.Millisecond)
	}
	text := strings.Repeat("x", 32<<10)
	const pushes = 40
	refusals := 0
	d := wait.Took(func() {
		for range pushes {
			sent, failed := srv.Broadcast("/note", &text)
			if sent+len(failed) != 2 {
				t.Fatalf("sent to %d, failed for %d", sent, len(failed))
			}
			for id, st := range failed {
				if id == honest.LocalAddr().String() || st.Code() != message.CodeExhausted {
					t.Errorf("%s: %v", id, st)
				}
				refusals++
			}
			receive(t, "the push", got)
		}
	})
	if d > 8*time.Second {
		t.Errorf("%d broadcasts took %v", pushes, d)
	}
	if refusals < pushes/2 {
		t.Errorf("%d pushes to the slow reader were refused, of %d", refusals, pushes)
	}
}

// The idle timeout counts from the end of a reply, not from its beginning; a
// connection on which a request is arriving is not idle either.
func TestIdleTimeoutSparesWhatMoves(t *testing.T) {
	synctest.Test(t, testIdleTimeoutSparesWhatMoves)
}

func testIdleTimeoutSparesWhatMoves(t *testing.T) {
	const idle, size, piece = 600 * time.Millisecond, 1 << 20, 32 << 10 // 32 pieces, one in 40 ms
	on := memory.New()
	srv := newPeer(t, on, peer.Config{IdleTimeout: idle, InflightLimit: 64 << 20})
	router.HandleCall(srv, "/big", func(context.Context, *map[string]string) (*[]byte, error) {
		b := make([]byte, size)
		return &b, nil
	})
	arrived := make(chan int, 1)
	router.HandlePush(srv, "/upload", func(_ context.Context, b *[]byte) error {
		arrived <- len(*b)
		return nil
	})
	serve(t, srv, "srv")
	conn := rawClient(t, on, "srv", "/big")
	buf := make([]byte, piece)
	for got := 0; got < size; time.Sleep(40 * time.Millisecond) {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("after %d bytes of a reply: %v", got, err)
		}
		got += n
	}
	m := message.New(message.WithServiceMethod("/upload"), message.WithBody(make([]byte, size)))
	m.SetMtype(message.TypePush)
	frame, err := rawproto.New().Pack(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	for len(frame) > 0 {
		n := min(len(frame), piece)
		if _, err := conn.Write(frame[:n]); err != nil {
			t.Fatalf("with %d bytes of a push left to send: %v", len(frame), err)
		}
		frame = frame[n:]
		time.Sleep(40 * time.Millisecond)
	}
	if n := receive(t, "the upload", arrived); n != size {
		t.Errorf("%d bytes arrived", n)
	}
	// But single bytes now and then do not count.
	m.SetBody(make([]byte, 1000))
	if frame, err = rawproto.New().Pack(nil, m); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(40 * time.Millisecond) {
		if _, err := conn.Write(frame[:1]); err != nil {
			break // it is over
		}
		frame = frame[1:]
		if len(frame) == 1 || time.Since(start) > longest {
			t.Fatalf("a client that sends single bytes is still there after %v", time.Since(start))
		}
	}
}

// The handshake timeout and the session age also bound a connection that refuses
// deadlines.
func TestTimeLimitsWithoutDeadlines(t *testing.T) {
	for name, cfg := range map[string]peer.Config{
		"handshake": {HandshakeTimeout: 50 * time.Millisecond},
		"age":       {DefaultSessionAge: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			on := memory.New()
			refusing := socket.Custom{
				Nets: []string{memory.Network},
				ListenFunc: func(ctx context.Context, network, addr string) (net.Listener, error) {
					lis, err := on.Listen(ctx, network, addr, &socket.Options{})
					return refusingListener{lis}, err
				},
			}
			wait := acceptHook(func(s session.PreSession) *message.Status {
				if name == "handshake" {
					return s.PreReceive(func(*message.Header) any { return new([]byte) }, t.Context()).Status()
				}
				return nil
			})
			cfg.Network, cfg.Transports = memory.Network, []socket.Transport{refusing}
			srv := newPeer(t, refusing, cfg, wait)
			serve(t, srv, "srv")
			conn, err := on.Dial(t.Context(), memory.Network, "srv", &socket.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetReadDeadline(time.Now().Add(longest)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Errorf("the connection ended with %v", err)
			}
		})
	}
}

// A refusingListener accepts connections that have no deadlines.
type refusingListener struct{ net.Listener }

func (l refusingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return refusingConn{c}, nil
}

type refusingConn struct{ net.Conn }

var errNoDeadlines = errors.New("deadline not supported")

func (refusingConn) SetDeadline(time.Time) error      { return errNoDeadlines }
func (refusingConn) SetReadDeadline(time.Time) error  { return errNoDeadlines }
func (refusingConn) SetWriteDeadline(time.Time) error { return errNoDeadlines }
