package websocket_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cws "github.com/coder/websocket"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/websocket"
)

const patience = 10 * time.Second

// upgraded returns a connection to a server that was upgraded by hand.
func upgraded(t *testing.T, web *httptest.Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the other side may have
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", web.Listener.Addr()); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, %v", resp, err)
	}
	return conn, in
}

// A client that breaks the protocol is told so.
func TestViolationsHaveTheirCode(t *testing.T) {
	const mask = "\x00\x00\x00\x00"
	for _, messages := range []bool{false, true} {
		h := &websocket.Handler{Config: websocket.Config{Messages: messages, ReadLimit: 1000}, Serve: func(c net.Conn, _ *http.Request) {
			_, _ = io.Copy(io.Discard, c) // the client looks at the code
		}}
		web := httptest.NewServer(h)
		defer web.Close()
		for _, c := range []struct {
			name, frame string
			code        cws.StatusCode
		}{
			{"not masked", "\x82\x01x", cws.StatusProtocolError},
			{"a reserved bit", "\xa2\x81" + mask + "x", cws.StatusProtocolError},
			{"an unknown kind", "\x83\x80" + mask, cws.StatusProtocolError},
			{"a part of nothing", "\x80\x80" + mask, cws.StatusProtocolError},
			{"a length below 0", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" + mask, cws.StatusProtocolError},
			{"a long ping", "\x89\xfe\x00\x7e" + mask, cws.StatusProtocolError},
			{"text that is not UTF-8", "\x81\x82" + mask + "\xc3\x28", cws.StatusInvalidFramePayloadData},
			{"too large, announced", "\x82\xfe\x03\xe9" + mask, cws.StatusMessageTooBig},
			{"too large in parts, announced", "\x02\x81" + mask + "x" + "\x80\xfe\x03\xe8" + mask, cws.StatusMessageTooBig},
			{"a close", "\x88\x82" + mask + "\x03\xe8", cws.StatusNormalClosure},
		} {
			conn, in := upgraded(t, web)
			if _, err := io.WriteString(conn, c.frame); err != nil {
				t.Fatal(err)
			}
			var head [4]byte
			if _, err := io.ReadFull(in, head[:]); err != nil {
				t.Errorf("%s: no close frame: %v", c.name, err)
				continue
			}
			if code := cws.StatusCode(binary.BigEndian.Uint16(head[2:])); head[0] != 0x88 || code != c.code {
				t.Errorf("%s: frame %x with code %v, want %v", c.name, head[0], code, c.code)
			}
			_ = conn.Close() // enough was said
		}
	}
}

// A dialing side also tells a server that it breaks the protocol, and refuses a
// message whose head announces more than the limit.
func TestViolationsOfServers(t *testing.T) {
	for _, messages := range []bool{false, true} {
		for _, c := range []struct {
			name, frame string
			code        cws.StatusCode
		}{
			{"a reserved bit", "\xa2\x01x", cws.StatusProtocolError},
			{"text that is not UTF-8", "\x81\x02\xc3\x28", cws.StatusInvalidFramePayloadData},
			{"too large, announced", "\x82\x7e\x03\xe9", cws.StatusMessageTooBig},
			{"too large in parts, announced", "\x02\x01x\x80\x7e\x03\xe8", cws.StatusMessageTooBig},
		} {
			closed := make(chan []byte, 1)
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				closed <- violate(t, w, r, c.frame)
			}))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			tr := websocket.Transport{Config: websocket.Config{Messages: messages, ReadLimit: 1000}}
			conn, err := tr.Dial(ctx, "ws", web.Listener.Addr().String(), &socket.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err == nil {
				t.Errorf("%s: read to an end", c.name)
			}
			_ = conn.Close() // it has failed
			frame := <-closed
			cancel()
			web.Close()
			if len(frame) < 8 || frame[0] != 0x88 {
				t.Errorf("%s: no close frame, but %x", c.name, frame)
				continue
			}
			// A frame of a client is masked.
			if code := cws.StatusCode(binary.BigEndian.Uint16([]byte{frame[6] ^ frame[2], frame[7] ^ frame[3]})); code != c.code {
				t.Errorf("%s: code %v, want %v", c.name, code, c.code)
			}
		}
	}
}

// violate answers a handshake by hand, writes frame, and returns the beginning of
// what comes back.
func violate(t *testing.T, w http.ResponseWriter, r *http.Request, frame string) []byte {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return nil
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Error(err)
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455, 4.2.2
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n%s",
		base64.StdEncoding.EncodeToString(sum[:]), frame); err != nil {
		t.Error(err)
	}
	b := make([]byte, 8)
	n, _ := io.ReadFull(conn, b) // the caller checks what is missing
	return b[:n]
}

// A text message is answered with text, a binary one with binary.
func TestAnswersAreOfTheSameKind(t *testing.T) {
	h := &websocket.Handler{Config: websocket.Config{Messages: true, Protocols: []string{"chat.v2", "chat.v1"}}, Serve: func(c net.Conn, _ *http.Request) {
		_, _ = io.Copy(c, c) // the client reads
	}}
	web := httptest.NewServer(h)
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := cws.Dial(ctx, web.URL, &cws.DialOptions{Subprotocols: []string{"other", "chat.v1", "chat.v2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if got := ws.Subprotocol(); got != "chat.v2" {
		t.Errorf("sub-protocol %q was chosen", got)
	}
	for _, c := range []struct {
		kind cws.MessageType
		text string
		want cws.MessageType
	}{
		{cws.MessageBinary, "ab", cws.MessageBinary},
		{cws.MessageText, "grüße", cws.MessageText},
		{cws.MessageBinary, "\xff", cws.MessageBinary}, // no text
	} {
		if err := ws.Write(ctx, c.kind, []byte(c.text)); err != nil {
			t.Fatal(err)
		}
		kind, b, err := ws.Read(ctx)
		if err != nil || kind != c.want || string(b) != c.text {
			t.Errorf("%v %q: %v %q, %v", c.kind, c.text, kind, b, err)
		}
	}
}

// Network wss is never clear text, whatever the configuration.
func TestWSSWithoutConfiguration(t *testing.T) {
	first := make(chan byte, 1)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	go func() {
		conn, err := lis.Accept()
		if err != nil {
			return
		}
		var b [1]byte
		_, _ = io.ReadFull(conn, b[:]) // 0 if there is none
		_ = conn.Close()
		first <- b[0]
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := (websocket.Transport{}).Dial(ctx, "wss", lis.Addr().String(), &socket.Options{}); err == nil {
		t.Error("dialed a server that speaks no TLS")
	}
	if b := <-first; b != 0x16 {
		t.Errorf("began with %#x, which is not a TLS handshake", b)
	}
	// A certificate that the system does not know is refused.
	web := httptest.NewUnstartedServer(&websocket.Handler{Serve: func(net.Conn, *http.Request) {}})
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // it would log what the test causes
	web.StartTLS()
	defer web.Close()
	var unknown *tls.CertificateVerificationError
	if _, err := (websocket.Transport{}).Dial(ctx, "wss", web.Listener.Addr().String(), &socket.Options{}); !errors.As(err, &unknown) {
		t.Errorf("an unknown certificate: %v", err)
	}
}

// What the handshake carries is sent only to the address that was dialed.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var reached atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer other.Close()
	web := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tr := websocket.Transport{Config: websocket.Config{Header: http.Header{"Authorization": {"Bearer secret"}}}}
	if _, err := tr.Dial(ctx, "ws", web.Listener.Addr().String(), &socket.Options{}); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("dialed: %v", err)
	}
	if reached.Load() {
		t.Error("the redirect was followed")
	}
}

// A listener's idle HTTP connections end with it.
func TestListenerEndsIdleConnections(t *testing.T) {
	lis, err := websocket.Transport{Config: websocket.Config{Path: "/ws"}}.Listen(t.Context(), "ws", "127.0.0.1:0", &socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Fatalf("%v, %v", resp, err)
	}
	if err := lis.Close(); err != nil {
		t.Error(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience / 2)) // the read reports it
	if _, err := io.Copy(io.Discard, in); err != nil {
		t.Errorf("the connection goes on: %v", err)
	}
}

// The read limit of a peer applies to its WebSocket messages too.
func TestPeersReadLimit(t *testing.T) {
	srv := erpc.NewPeer(erpc.PeerConfig{Network: "ws", LocalIP: "127.0.0.1", Logger: quiet(), ReadLimit: 1000, ProtoFunc: jsonproto.NewSubProtoFunc(),
		Transports: []socket.Transport{websocket.Transport{Config: websocket.Config{Messages: true}}}})
	lis, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	defer func() { _ = srv.Close(); <-served }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := cws.Dial(ctx, "ws://"+lis.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if err := ws.Write(ctx, cws.MessageText, make([]byte, 1001)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, _, err = ws.Read(ctx)
	}
	if cws.CloseStatus(err) != cws.StatusMessageTooBig {
		t.Errorf("ended with %v", err)
	}
}

// A client that can't see the answer to its handshake learns why it is refused.
func TestRefuse(t *testing.T) {
	long := strings.Repeat("ü", 100)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.Refuse(w, r, http.StatusUnauthorized, long) {
			http.Error(w, "no", http.StatusUnauthorized)
		}
	}))
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, resp, err := cws.Dial(ctx, web.URL, &cws.DialOptions{Subprotocols: []string{"erpc"}}); err == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a client that does not ask for it: %v, %v", resp, err)
	}
	ws, _, err := cws.Dial(ctx, web.URL, &cws.DialOptions{Subprotocols: []string{"erpc", websocket.RefusedProtocol}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if p := ws.Subprotocol(); p != websocket.RefusedProtocol {
		t.Errorf("sub-protocol %q", p)
	}
	_, _, err = ws.Read(ctx)
	var closed cws.CloseError
	if !errors.As(err, &closed) || closed.Code != 4401 || !strings.HasPrefix(long, closed.Reason) || len(closed.Reason) < 100 {
		t.Errorf("closed with %v", err)
	}
}

// A peer checks the length of an erpc message before the WebSocket message around
// it has ended, so it never holds more than the read limit.
func TestReadLimitWithinAMessage(t *testing.T) {
	h := &websocket.Handler{Serve: func(c net.Conn, _ *http.Request) {
		b := make([]byte, 6)
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "largeü"[:6] {
			t.Errorf("read %q, %v", b, err)
		}
		_ = c.Close() // it announces too much
	}}
	web := httptest.NewServer(h)
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, kind := range []cws.MessageType{cws.MessageBinary, cws.MessageText} {
		ws, _, err := cws.Dial(ctx, "ws"+strings.TrimPrefix(web.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		w, err := ws.Writer(ctx, kind) // of a message without an end
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("largeü and more")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 64<<10)); err != nil { // the writer of the library has a buffer
			t.Fatal(err)
		}
		if _, _, err := ws.Read(ctx); cws.CloseStatus(err) != cws.StatusNormalClosure {
			t.Errorf("%v: %v", kind, err)
		}
	}
}
