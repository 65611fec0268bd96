package httproto_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/internal/test/wiretest"
)

// A rawConn is one end of a connection on which a test controls every byte.
type rawConn struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dialRaw(t *testing.T, addr string) *rawConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, wiretest.Limit)
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, conn)
}

// listenRaw listens for a client under test.
func listenRaw(t *testing.T) *net.TCPListener {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() }) // its error does not matter
	return lis.(*net.TCPListener)
}

func acceptRaw(t *testing.T, lis *net.TCPListener) *rawConn {
	t.Helper()
	if err := lis.SetDeadline(time.Now().Add(wiretest.Limit)); err != nil {
		t.Fatal(err)
	}
	conn, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, conn)
}

func newRaw(t *testing.T, conn net.Conn) *rawConn {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() }) // its error does not matter
	if err := conn.SetDeadline(time.Now().Add(wiretest.Limit)); err != nil {
		t.Fatal(err)
	}
	return &rawConn{t, conn, bufio.NewReader(conn)}
}

func (c *rawConn) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// frame reads a head and the body whose length it gives.
func (c *rawConn) frame() []byte {
	c.t.Helper()
	var b []byte
	n := 0
	for !bytes.HasSuffix(b, []byte("\r\n\r\n")) {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("read a head: %v after %q%q", err, b, line)
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if n, err = strconv.Atoi(strings.TrimSpace(v)); err != nil {
				c.t.Fatal(err)
			}
		}
		b = append(b, line...)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.r, body); err != nil {
		c.t.Fatalf("read a body of %d bytes: %v after %q", n, err, b)
	}
	return append(b, body...)
}

// A response is an HTTP response as net/http reads it.
type response struct {
	status int
	header http.Header
	body   string
	close  bool
}

func (c *rawConn) response(method string) response {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("read a response: %v", err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatalf("read a body: %v", err)
	}
	return response{r.StatusCode, r.Header, string(b), r.Close}
}

// wantEnd checks that the other side closes without sending another byte.
func (c *rawConn) wantEnd() {
	c.t.Helper()
	b, err := c.r.ReadByte()
	var ne net.Error
	switch {
	case err == nil:
		c.t.Errorf("got byte %q, want the end", b)
	case errors.As(err, &ne) && ne.Timeout():
		c.t.Errorf("still open after %s, want the end", wiretest.Limit)
	}
}
