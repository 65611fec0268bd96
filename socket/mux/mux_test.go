package mux_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket/memory"
	"github.com/goerpc/erpc/socket/mux"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

// TestOnePort calls one port with every kind of client, in the clear and over TLS.
func TestOnePort(t *testing.T) {
	addr := serve(t, listen(t), mux.Config{TLS: erpc.GenerateTLSConfigForServer()})
	for _, c := range clients {
		for _, secure := range []bool{false, true} {
			name := c.name
			if secure {
				name += " over TLS"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if err := c.call(t, addr, secure); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestHundredAtOnce also opens as many connections that send nothing, half a head
// or garbage.
func TestHundredAtOnce(t *testing.T) {
	addr := serve(t, listen(t), mux.Config{TLS: erpc.GenerateTLSConfigForServer()})
	for i := range 100 {
		conn := dial(t, addr)
		if _, err := io.WriteString(conn, []string{"", "\x00", "GE", "\x16\x03", "nonsense"}[i%5]); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i := range 100 {
		c := clients[i%len(clients)]
		wg.Go(func() {
			if err := c.call(t, addr, i%4 == 0); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
	wg.Wait()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the other side has closed some
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// wantEnd checks that the other side closes the connection without sending
// anything.
func wantEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v; want the end of the connection", n, err)
	}
}

// TestGarbageIsClosed: garbage is closed at once, long before the timeout.
func TestGarbageIsClosed(t *testing.T) {
	addr := serve(t, listen(t), mux.Config{Timeout: time.Hour})
	for name, text := range map[string]string{
		"text":              "hello\r\n",
		"zeros":             strings.Repeat("\x00", 100),
		"ones":              strings.Repeat("\xff", 100),
		"TLS, not served":   "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"JSON without end":  "\x00\x00\x00\x30\x00" + strings.Repeat(" ", mux.DefaultPeek),
		"Thrift, no frames": "\x80\x01\x00\x01\x00\x00\x00\x03add",
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, addr)
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			wantEnd(t, conn)
		})
	}
	t.Run("nothing at all", func(t *testing.T) {
		conn := dial(t, addr)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, conn)
	})
}

// TestSilenceIsClosed: a silent connection is closed after the timeout, also
// inside TLS, during its handshake, and after half of a first message.
func TestSilenceIsClosed(t *testing.T) {
	const timeout = 300 * time.Millisecond
	addr := serve(t, listen(t), mux.Config{Timeout: timeout, TLS: erpc.GenerateTLSConfigForServer()})
	for name, text := range map[string]string{
		"silence": "", "half a frame": "\x00\x00\x00\x10", "half a request": "GET / HTTP/1.1\r\nUpgr", "half a handshake": "\x16\x03\x01\x02\x00\x01",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, addr)
			start := time.Now()
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			wantEnd(t, conn)
			if took := time.Since(start); took < timeout/2 {
				t.Errorf("closed after %v", took)
			}
		})
	}
	t.Run("inside of TLS", func(t *testing.T) {
		t.Parallel()
		for end := time.Now().Add(limit); ; {
			conn := tls.Client(dial(t, addr), erpc.GenerateTLSConfigForClient())
			err := conn.Handshake()
			if err == nil {
				wantEnd(t, conn)
				return
			}
			if time.Now().After(end) { // it may have taken longer than the mux waits
				t.Fatal(err)
			}
		}
	})
}

// TestByteByByte: a first message may arrive in any pieces.
func TestByteByByte(t *testing.T) {
	addr := serve(t, listen(t), mux.Config{})
	conn := dial(t, addr)
	for _, b := range []byte("POST /math/add HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[1,2]") {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Microsecond) // to make it a packet of its own
	}
	if text, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(text, []byte("HTTP/1.")) || !bytes.HasSuffix(text, []byte("\r\n\r\n3")) {
		t.Errorf("answered %q, %v", text, err)
	}
}

// TestLargeRequestHead: a head that is larger than Peek is not taken for an upgrade, but
// is still HTTP.
func TestLargeRequestHead(t *testing.T) {
	addr := serve(t, listen(t), mux.Config{Peek: 1000})
	conn := dial(t, addr)
	if _, err := fmt.Fprintf(conn, "POST /math/add HTTP/1.0\r\nX: %s\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[1,2]", strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil || !bytes.HasSuffix(text, []byte("\r\n\r\n3")) {
		t.Errorf("answered %q, %v", text, err)
	}
}

func TestOnlyTLS(t *testing.T) {
	addr := serve(t, listen(t), mux.Config{Timeout: time.Hour, TLS: erpc.GenerateTLSConfigForServer(), OnlyTLS: true})
	if err := callHTTP(t, addr, true); err != nil {
		t.Error(err)
	}
	conn := dial(t, addr)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, conn)
}

// TestTLSPassedOn: with a rule for TLS and without a configuration, TLS is passed
// on to the listener.
func TestTLSPassedOn(t *testing.T) {
	m := mux.New(listen(t), mux.Config{})
	lis := m.Match(mux.TLS)
	srv := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "3") }),
		TLSConfig: erpc.GenerateTLSConfigForServer(),
	}
	background(t, m.Serve, nil)
	background(t, func() error { return srv.ServeTLS(lis, "", "") }, http.ErrServerClosed)
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := callHTTP(t, lis.Addr().String(), true); err != nil {
		t.Error(err)
	}
}

// TestUndecided: above the limit a connection is closed at once, and there is room
// again when others have ended.
func TestUndecided(t *testing.T) {
	addr := serve(t, listen(t), mux.Config{Timeout: time.Hour, Undecided: 2})
	silent := []net.Conn{dial(t, addr), dial(t, addr)}
	wantEnd(t, dial(t, addr))
	for _, conn := range silent {
		_ = conn.Close() // makes room
	}
	for end := time.Now().Add(limit); ; {
		err := callHTTP(t, addr, false)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// TestOtherTransports: where the kernel can't keep what was looked at, the mux
// keeps it.
func TestOtherTransports(t *testing.T) {
	tr := memory.New()
	cfg := erpc.PeerConfig{Network: memory.Network, Transports: []erpc.Transport{tr}}
	under := wiretest.NewServer(t, cfg)
	lis, err := under.Peer.Listen()
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, lis, mux.Config{})
	for name, pf := range map[string]erpc.ProtoFunc{"raw": rawproto.NewRawProtoFunc(), "http": httproto.NewHTTProtoFunc()} {
		cfg.ProtoFunc = pf
		sess := wiretest.NewClient(t, cfg).MustDial(t, addr)
		if err := (wiretest.Call{Method: "/math/nested", Arg: []int{1, 2}, Want: 103}).Do(sess); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestClose: Close ends everything except accepted connections.
func TestClose(t *testing.T) {
	m := mux.New(listen(t), mux.Config{Timeout: time.Hour})
	raw, web := m.Match(mux.Raw), m.Match(mux.HTTP)
	served := make(chan error, 1)
	go func() { served <- m.Serve() }()
	addr := raw.Addr().String()
	taken, waiting, silent := dial(t, addr), dial(t, addr), dial(t, addr)
	if _, err := io.WriteString(taken, "GET /"); err != nil {
		t.Fatal(err)
	}
	conn, err := web.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(waiting, "POST /"); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	another := dial(t, addr)
	if _, err := io.WriteString(another, "\x00\x00\x00\x10\x00\x011\x01"); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, another) // the listener for raw is closed
	if err := web.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	wantEnd(t, waiting)
	wantEnd(t, silent)
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Errorf("what was accepted: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// TestCloseLetsInWhatIsLookedAt: a connection that the mux looks at when its
// listener is closed is still accepted there, and only then everything ends.
func TestCloseLetsInWhatIsLookedAt(t *testing.T) {
	m := mux.New(listen(t), mux.Config{Timeout: time.Hour})
	seen := make(chan bool, 10)
	lis := m.Match(func(head []byte) mux.Verdict {
		seen <- true
		if len(head) < 2 {
			return mux.Maybe
		}
		return mux.Yes
	})
	served := make(chan error, 1)
	go func() { served <- m.Serve() }()
	conn := dial(t, lis.Addr().String())
	if _, err := io.WriteString(conn, "h"); err != nil {
		t.Fatal(err)
	}
	<-seen
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	if late, err := net.Dial("tcp", lis.Addr().String()); err == nil {
		_ = late.Close() // the test has failed
		t.Error("dialed a closed listener")
	}
	if _, err := io.WriteString(conn, "i"); err != nil {
		t.Fatal(err)
	}
	accepted, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	head := make([]byte, 2)
	if _, err := io.ReadFull(accepted, head); err != nil || string(head) != "hi" {
		t.Errorf("read %q, %v", head, err)
	}
	if _, err := lis.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestMistakesPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"OnlyTLS without TLS": func() { mux.New(nil, mux.Config{OnlyTLS: true}) },
		"no rule":             func() { mux.New(nil, mux.Config{}).Match() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: it did not panic", name)
				}
			}()
			f()
		}()
	}
}

// TestPanickingRule: a rule that panics ends its connection and no other.
func TestPanickingRule(t *testing.T) {
	m := mux.New(listen(t), mux.Config{})
	lis := m.Match(func(head []byte) mux.Verdict {
		if head[0] == 'p' {
			panic("a mistake")
		}
		return mux.Yes
	})
	background(t, m.Serve, nil)
	defer m.Close()
	bad, good := dial(t, lis.Addr().String()), dial(t, lis.Addr().String())
	if _, err := bad.Write([]byte("p")); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, bad)
	if _, err := good.Write([]byte("g")); err != nil {
		t.Fatal(err)
	}
	conn, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close() // nothing was sent on it
}
