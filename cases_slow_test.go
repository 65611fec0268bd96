package erpc_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
)

// TestCase25SilentAndSlowConnections opens connections that say nothing, and
// ones that say a byte now and then.
func TestCase25SilentAndSlowConnections(t *testing.T) {
	overEach(t, func(t *testing.T, on medium) {
		const limit = 300 * time.Millisecond
		cfg := erpc.PeerConfig{IdleTimeout: limit, HandshakeTimeout: limit}
		server := on.peer(t, cfg)
		erpc.HandleCall(server, "/add", addUp)
		addr := servesAt(t, server)
		each := times(100, 500)
		before := descriptors(t)["socket"]
		stop := make(chan struct{})
		var wg sync.WaitGroup
		hello := rawFrame(t, erpc.TypeCall, 1, "/add", []byte(`{"A":1,"B":2}`))
		if on.secure {
			hello = clientHello(t)
		}
		var wires []*wire
		for i := range 2 * each {
			conn, err := net.DialTimeout(on.network, addr, bound)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(bound)) // a broken one tells by itself
			wires = append(wires, &wire{Conn: conn})
			if i%2 == 0 {
				continue
			}
			wg.Go(func() { // a byte each 50 ms; at one each second it would be closed by its second
				for _, c := range hello {
					if _, err := conn.Write([]byte{c}); err != nil {
						return
					}
					select {
					case <-time.After(50 * time.Millisecond):
					case <-stop:
						return
					}
				}
			})
		}
		end := time.Now().Add(3*limit + 5*prompt)
		for _, w := range wires {
			_ = w.SetReadDeadline(end) // a broken one tells by itself
			if _, err := io.Copy(io.Discard, w.Conn); err != nil {
				if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
					t.Fatal("a connection stays open")
				}
			}
			_ = w.Close()
		}
		close(stop)
		endsWithin(t, bound, "end of the writers", wg.Wait)
		becomes(t, bound, "end of the sessions", func() bool { return server.CountSession() == 0 })
		becomes(t, bound, "return of the descriptors", func() bool { return descriptors(t)["socket"] <= before })
		answers(t, opens(t, on.peer(t, erpc.PeerConfig{}), addr))
	})
}

// TestCase25CloseDuringHandshake: the end of a peer does not wait for those who
// take their time to connect.
func TestCase25CloseDuringHandshake(t *testing.T) {
	leavesNothing(t)
	secure := medium{network: "tcp", secure: true}
	for name, on := range map[string]medium{"tls": secure, "hook": tcp} {
		server := on.peer(t, erpc.PeerConfig{HandshakeTimeout: bound}, waitsForMessage{})
		addr := servesAt(t, server)
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		time.Sleep(20 * time.Millisecond) // so that it was accepted, most likely
		endsWithin(t, prompt, "Close", func() { _ = server.Close() })
		(&wire{Conn: conn, r: nil}).closed(t, name)
	}
}

// closed waits for the end of a connection on which nothing was read.
func (w *wire) closed(t *testing.T, name string) {
	t.Helper()
	_ = w.SetReadDeadline(time.Now().Add(prompt)) // a broken one tells by itself
	if _, err := w.Conn.Read(make([]byte, 1)); err != nil {
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			t.Errorf("%s: the connection stays open", name)
		}
	}
}

// waitsForMessage is an accept hook that reads before it accepts.
type waitsForMessage struct{}

func (waitsForMessage) Name() string { return "waits" }

func (waitsForMessage) PostAccept(s erpc.PreSession) *erpc.Status {
	return s.PreReceive(func(erpc.Header) any { return nil }).Status()
}

// TestCase25FailedClientHandshake: a client whose TLS handshake fails leaves no
// descriptor.
func TestCase25FailedClientHandshake(t *testing.T) {
	leavesNothing(t)
	secure := medium{network: "tcp", secure: true}
	client := secure.peer(t, erpc.PeerConfig{DialTimeout: time.Second})
	client.SetTLSConfig(&tls.Config{ServerName: "another.example"}) // which nobody vouches for
	server := secure.peer(t, erpc.PeerConfig{})
	addr := servesAt(t, server)
	before := descriptors(t)["socket"]
	for range 20 {
		if _, st := client.Dial(addr); st.Code() != erpc.CodeDialFailed {
			t.Fatalf("dial: %v", st)
		}
	}
	becomes(t, bound, "return of the descriptors", func() bool { return descriptors(t)["socket"] <= before })
}
