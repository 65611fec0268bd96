package mux_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/socket/memory"
	"github.com/goerpc/erpc/socket/mux"
)

// A head that is sent byte by byte costs a bounded amount of work.
func TestPiecesCostLittle(t *testing.T) {
	const peek = 2048
	tr := memory.New() // a byte that is written alone is read alone
	there, err := tr.Listen(t.Context(), memory.Network, "here", nil)
	if err != nil {
		t.Fatal(err)
	}
	var looked atomic.Int64
	m := mux.New(there, mux.Config{Timeout: time.Hour, Peek: peek})
	m.Match(func(head []byte) mux.Verdict {
		looked.Add(int64(len(head)))
		return mux.Maybe
	})
	background(t, m.Serve, nil)
	defer m.Close()
	conn, err := tr.Dial(t.Context(), memory.Network, "here", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	for range peek - 1 { // one more would end the connection in any case
		if _, err := conn.Write([]byte("x")); err != nil {
			break // it was given up
		}
	}
	wantEnd(t, conn)
	if got, bound := looked.Load(), int64(256*peek); got > bound {
		t.Errorf("rules looked at %d bytes for one connection, the bound is %d", got, bound)
	}
}

// A rule that has said No is not asked again.
func TestNoIsFinal(t *testing.T) {
	var asked atomic.Int32
	m := mux.New(listen(t), mux.Config{})
	m.Match(func([]byte) mux.Verdict { asked.Add(1); return mux.No })
	lis := m.Match(func(head []byte) mux.Verdict {
		if len(head) < 10 {
			return mux.Maybe
		}
		return mux.Yes
	})
	background(t, m.Serve, nil)
	defer m.Close()
	conn := dial(t, lis.Addr().String())
	for range 10 {
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // to make it a packet of its own
	}
	accepted, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = accepted.Close() // nothing was sent on it
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// One address can't keep the others out, and is served again after it has closed
// some connections.
func TestUndecidedPerAddress(t *testing.T) {
	var log lines
	addr := serve(t, listen(t), mux.Config{Timeout: time.Hour, UndecidedPerAddress: 2, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	silent := []net.Conn{dial(t, addr), dial(t, addr)}
	for range 100 {
		wantEnd(t, dial(t, addr))
	}
	other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := other.Dial("tcp", addr)
	if err != nil {
		t.Skipf("this system has no second loopback address: %v", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil || !bytes.HasSuffix(text, []byte("3")) {
		t.Errorf("another address: %q, %v", text, err)
	}
	if n := log.count("too many wait"); n < 1 || n > 4 { // a line a second
		t.Errorf("%d lines for a hundred connections:\n%s", n, log.String())
	}
	for _, conn := range silent {
		_ = conn.Close() // makes room
	}
	for end := time.Now().Add(limit); callHTTP(t, addr, false) != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the address is not served again")
		}
	}
}

const request = "POST /math/add HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[1,2]"

// Empty lines in front of a request are skipped, whoever serves it, and a frame that
// begins with the same bytes is left as it is.
func TestEmptyLinesBeforeARequest(t *testing.T) {
	tr := memory.New()
	under := wiretest.NewServer(t, erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{tr}})
	there, err := under.Peer.Listen()
	if err != nil {
		t.Fatal(err)
	}
	inMemory := serve(t, there, mux.Config{})
	onTCP := serve(t, listen(t), mux.Config{})
	for kind, dial := range map[string]func() (net.Conn, error){
		"peeked": func() (net.Conn, error) { return net.Dial("tcp", onTCP) },
		"taken":  func() (net.Conn, error) { return tr.Dial(t.Context(), memory.Network, inMemory, nil) },
	} {
		for _, c := range []struct {
			empty  string
			pieces bool
			served bool
		}{
			{"\r\n", false, true}, {"\r\n", true, true}, {"\r\n\r\n", false, true}, {"\r\n\r\n", true, true},
			{"\r\n\r\n\r\n", false, false}, {"\n", false, false}, {"\r", false, false},
		} {
			conn, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
				t.Fatal(err)
			}
			text := c.empty + request
			step := len(text)
			if c.pieces {
				step = 1
			}
			for ; text != ""; text = text[step:] {
				if _, err := io.WriteString(conn, text[:step]); err != nil {
					break // it was refused; the read reports it
				}
				if c.pieces {
					time.Sleep(100 * time.Microsecond) // to make it a packet of its own
				}
			}
			got, err := io.ReadAll(conn)
			if served := err == nil && bytes.HasSuffix(got, []byte("\r\n\r\n3")); served != c.served {
				t.Errorf("%s, %q, in pieces %v: %q, %v", kind, c.empty, c.pieces, got, err)
			}
			_ = conn.Close() // it may be closed already
		}
	}
}

// TLS below 1.2 is refused, whatever the configuration allows, and the log mentions
// it in few lines.
func TestOldTLSIsRefused(t *testing.T) {
	var log lines
	cfg := erpc.GenerateTLSConfigForServer()
	cfg.MinVersion = tls.VersionTLS10
	m := mux.New(listen(t), mux.Config{TLS: cfg, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	p := wiretest.NewServer(t, erpc.PeerConfig{})
	lis := m.Match(mux.HTTP)
	background(t, func() error { return p.Serve(lis, httproto.NewHTTProtoFunc()) }, erpc.ErrClosed)
	background(t, m.Serve, nil)
	t.Cleanup(func() { _ = p.Close() }) // ends both
	for range 20 {
		old := tls.Client(dial(t, lis.Addr().String()), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		if err := old.Handshake(); err == nil {
			t.Fatalf("spoke %s", tls.VersionName(old.ConnectionState().Version))
		}
	}
	if err := callHTTP(t, lis.Addr().String(), true); err != nil {
		t.Error(err)
	}
	if cfg.MinVersion != tls.VersionTLS10 {
		t.Error("the caller's configuration was changed")
	}
	if n := log.count("TLS handshakes failed"); n < 1 || n > 3 {
		t.Errorf("%d lines for 20 handshakes:\n%s", n, log.String())
	}
}

// lines collects a log.
type lines struct {
	mu sync.Mutex // guards the following
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) count(text string) int { return strings.Count(l.String(), text) }

var _ fmt.Stringer = (*lines)(nil)
