package e2e

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// TestSilentAndSlowConnections opens silent connections, and ones that send a byte
// now and then. (Case 25.)
func TestSilentAndSlowConnections(t *testing.T) {
	kit.OverEach(t, func(t *testing.T, on kit.Medium) {
		const limit = 300 * time.Millisecond
		cfg := erpc.PeerConfig{IdleTimeout: limit, HandshakeTimeout: limit}
		server := on.Peer(t, cfg)
		erpc.HandleCall(server, "/add", kit.Add)
		addr := kit.Start(t, server)
		each := kit.Times(100, 500)
		before := kit.Descriptors(t)["socket"]
		stop := make(chan struct{})
		var wg sync.WaitGroup
		hello := kit.Frame(t, erpc.TypeCall, 1, "/add", []byte(`{"A":1,"B":2}`))
		if on.Secure {
			hello = clientHello(t)
		}
		var wires []*kit.Wire
		for i := range 2 * each {
			conn, err := net.DialTimeout(on.Network, addr, kit.Bound)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(kit.Bound)) // a broken one tells by itself
			wires = append(wires, &kit.Wire{Conn: conn})
			if i%2 == 0 {
				continue
			}
			wg.Go(func() { // a byte every 50 ms; at one per second it would be closed before the second byte
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
		end := time.Now().Add(3*limit + 10*kit.Prompt)
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
		kit.Within(t, kit.Bound, "end of the writers", wg.Wait)
		kit.Eventually(t, kit.Bound, "end of the sessions", func() bool { return server.CountSession() == 0 })
		kit.Eventually(t, kit.Bound, "return of the descriptors", func() bool { return kit.Descriptors(t)["socket"] <= before })
		kit.Answers(t, kit.Open(t, on.Peer(t, erpc.PeerConfig{}), addr))
	})
}

// TestCloseDuringHandshake: closing a peer does not wait for clients that connect
// slowly. (Case 25.)
func TestCloseDuringHandshake(t *testing.T) {
	kit.NoLeaks(t)
	secure := kit.Medium{Network: "tcp", Secure: true}
	for name, on := range map[string]kit.Medium{"tls": secure, "hook": kit.TCP} {
		server := on.Peer(t, erpc.PeerConfig{HandshakeTimeout: kit.Bound}, waitsForMessage{})
		lis, err := server.Listen()
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan struct{}, 1)
		addr := kit.StartOn(t, server, acceptNotifier{lis, accepted})
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		kit.Await(t, "Accept", accepted)
		kit.Within(t, kit.Prompt, "Close", func() { _ = server.Close() })
		closes(t, conn, name)
	}
}

// acceptNotifier signals each accepted connection.
type acceptNotifier struct {
	net.Listener
	accepted chan<- struct{}
}

func (l acceptNotifier) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.accepted <- struct{}{}
	}
	return conn, err
}

// closes waits for the end of a connection on which nothing was read.
func closes(t *testing.T, conn net.Conn, name string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(kit.Bound / 2)) // less than the handshake timeout; a broken one tells by itself
	if _, err := conn.Read(make([]byte, 1)); err != nil {
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

// TestFailedClientHandshake: a client whose TLS handshake fails leaks no
// descriptor. (Case 25.)
func TestFailedClientHandshake(t *testing.T) {
	kit.NoLeaks(t)
	secure := kit.Medium{Network: "tcp", Secure: true}
	client := secure.Peer(t, erpc.PeerConfig{DialTimeout: time.Second})
	client.SetTLSConfig(&tls.Config{ServerName: "another.example"}) // not in the certificate
	server := secure.Peer(t, erpc.PeerConfig{})
	addr := kit.Start(t, server)
	before := kit.Descriptors(t)["socket"]
	for range 20 {
		if _, st := client.Dial(addr); st.Code() != erpc.CodeDialFailed {
			t.Fatalf("dial: %v", st)
		}
	}
	kit.Eventually(t, kit.Bound, "return of the descriptors", func() bool { return kit.Descriptors(t)["socket"] <= before })
}
