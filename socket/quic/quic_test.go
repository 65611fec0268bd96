package quic_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/quic"
	"github.com/goerpc/erpc/socket/sockettest"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func listen(t *testing.T, tr *quic.Transport, cfg *tls.Config) net.Listener {
	t.Helper()
	lis, err := tr.Listen(soon(t), quic.Network, "127.0.0.1:0", &socket.Options{TLS: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	return lis
}

func dial(t *testing.T, tr *quic.Transport, lis net.Listener, o *socket.Options) net.Conn {
	t.Helper()
	c, err := tr.Dial(soon(t), quic.Network, lis.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func accept(t *testing.T, lis net.Listener) net.Conn {
	t.Helper()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := lis.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	select {
	case c := <-accepted:
		t.Cleanup(func() { _ = c.Close() })
		return c
	case <-time.After(patience):
		t.Fatal("nothing to accept")
		return nil
	}
}

func TestTLSIsNeeded(t *testing.T) {
	tr := new(quic.Transport)
	if _, err := tr.Listen(t.Context(), quic.Network, "127.0.0.1:0", &socket.Options{}); !errors.Is(err, quic.ErrNoTLS) {
		t.Errorf("listen: %v", err)
	}
	if _, err := tr.Dial(t.Context(), quic.Network, "127.0.0.1:1", &socket.Options{}); !errors.Is(err, quic.ErrNoTLS) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("dial: %v", err)
	}
	_, client := sockettest.TLS(t)
	if _, err := tr.Dial(t.Context(), quic.Network, "127.0.0.1:1", &socket.Options{TLS: client, LocalAddr: "no address"}); err == nil {
		t.Error("dialed from what is not an address")
	}
}

func TestServerIsVerified(t *testing.T) {
	server, client := sockettest.TLS(t)
	other := client.Clone()
	other.ServerName = "example.org"
	lis := listen(t, new(quic.Transport), server)
	for name, cfg := range map[string]*tls.Config{"unknown authority": {}, "other name": other} {
		if _, err := new(quic.Transport).Dial(soon(t), quic.Network, lis.Addr().String(), &socket.Options{TLS: cfg}); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(client.NextProtos)+len(server.NextProtos) > 0 || client.ServerName != "" {
		t.Error("the configurations of the user were changed")
	}
}

// A client of erpc v7 opens its stream with the first bytes that it sends.
func TestStreamThatComesLate(t *testing.T) {
	server, client := sockettest.TLS(t)
	lis := listen(t, new(quic.Transport), server)
	client = withProtocols(client, []string{"http/1.1", "h2"})
	client.ServerName = "localhost"
	connect := func() (*quicgo.Conn, net.Conn) {
		v7, err := quicgo.DialAddr(soon(t), lis.Addr().String(), client, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = v7.CloseWithError(0, "") })
		return v7, accept(t, lis)
	}

	v7, c := connect()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read without a stream under a deadline: %v", err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	pushed := make(chan error, 1)
	go func() { // waits for the stream
		_, err := c.Write([]byte("pushed"))
		pushed <- err
	}()
	stream, err := v7.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "late" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := <-pushed; err != nil {
		t.Fatal(err)
	}
	got = make([]byte, 6)
	if _, err := io.ReadFull(stream, got); err != nil || string(got) != "pushed" {
		t.Fatalf("%q, %v", got, err)
	}
	// v7 closes the connection at once, which is a proper end.
	_ = v7.CloseWithError(0, "")
	if _, err := c.Read(got); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}

	v7, c = connect()
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		read <- err
	}()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read without a stream ended with %v", err)
	}
	select {
	case <-v7.Context().Done():
	case <-time.After(patience):
		t.Error("the client has not noticed")
	}
}

func TestSharing(t *testing.T) {
	server, client := sockettest.TLS(t)
	limited := &quic.Transport{Config: &quicgo.Config{MaxIncomingStreams: 2}}
	lis := listen(t, limited, server)
	tr := &quic.Transport{Share: true}
	from := map[string]int{}
	for range 3 {
		c := dial(t, tr, lis, &socket.Options{TLS: client})
		from[c.LocalAddr().String()]++
		accept(t, lis)
	}
	if len(from) != 2 {
		t.Errorf("sessions by connection: %v, want 2 on the first and 1 on the next, as the server allows", from)
	}
	// Other options need another connection.
	c := dial(t, tr, lis, &socket.Options{TLS: client.Clone()})
	if from[c.LocalAddr().String()] > 0 {
		t.Error("sessions with different certificates share a connection")
	}
}

// Closing one session does not affect the others of its connection. The last one
// closes the connection, so the next session is on another.
func TestSharedConnectionLastsAsLongAsItsSessions(t *testing.T) {
	server, client := sockettest.TLS(t)
	lis := listen(t, new(quic.Transport), server)
	tr := &quic.Transport{Share: true}
	o := &socket.Options{TLS: client}
	a, b := dial(t, tr, lis, o), dial(t, tr, lis, o)
	atServer := map[bool]net.Conn{}
	for range 2 {
		c := accept(t, lis)
		_ = c.SetDeadline(time.Now().Add(patience))
		atServer[len(atServer) == 0] = c
	}
	_ = a.Close()
	ends := make(chan net.Conn, 2)
	for _, c := range atServer {
		go func() {
			if _, err := c.Read(make([]byte, 1)); err == io.EOF {
				_ = c.Close()
				ends <- c
			}
		}()
	}
	select {
	case <-ends:
	case <-time.After(patience):
		t.Fatal("the end of one session is not noticed")
	}
	if c := dial(t, tr, lis, o); c.LocalAddr().String() != b.LocalAddr().String() {
		t.Error("a connection that has a session is not shared any more")
	}
	accept(t, lis)
}

func TestNothingIsLogged(t *testing.T) {
	var said strings.Builder
	log.SetOutput(&said)
	defer log.SetOutput(os.Stderr)
	server, _ := sockettest.TLS(t)
	lis := listen(t, new(quic.Transport), server)
	_ = lis.Close()
	if said.Len() > 0 {
		t.Errorf("logged: %s", said.String())
	}
	if os.Getenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING") == "" {
		t.Error("quic-go would log that a buffer is small")
	}
}

func TestLocalAddress(t *testing.T) {
	server, client := sockettest.TLS(t)
	lis := listen(t, new(quic.Transport), server)
	free, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	from := free.LocalAddr().String()
	_ = free.Close()
	c := dial(t, new(quic.Transport), lis, &socket.Options{TLS: client, LocalAddr: from, ReadBuffer: 1 << 17, WriteBuffer: 1 << 17})
	if got := accept(t, lis).RemoteAddr().String(); got != from || c.LocalAddr().String() != from {
		t.Errorf("dialed from %v, which the server sees as %s; want %s", c.LocalAddr(), got, from)
	}
}

// A client that names the protocol of this package and does not speak it is refused.
func TestStreamWithoutHello(t *testing.T) {
	server, client := sockettest.TLS(t)
	refused := make(chan error, 1)
	lis, err := new(quic.Transport).Listen(soon(t), quic.Network, "127.0.0.1:0", &socket.Options{TLS: server, Refused: func(_ string, why error) { refused <- why }})
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	client = withProtocols(client, []string{"erpc"})
	client.InsecureSkipVerify = true
	conn, err := quicgo.DialAddr(soon(t), lis.Addr().String(), client, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseWithError(0, "")
	stream, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Write([]byte("GET /")); err != nil {
		t.Fatal(err)
	}
	select {
	case why := <-refused:
		if !strings.Contains(why.Error(), "does not begin") {
			t.Errorf("refused because of %v", why)
		}
	case <-soon(t).Done():
		t.Error("nothing is told of it")
	}
}
