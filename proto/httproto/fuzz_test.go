package httproto_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/httproto"
)

const fuzzLimit = 1 << 16

// read reads the first message of b and returns how many bytes that took.
func read(b []byte) (m *message.Message, taken int, err error) {
	src := bytes.NewReader(b)
	r := bufio.NewReaderSize(src, 4<<10)
	m = new(message.Message)
	err = httproto.NewHTTProtoFunc()().Unpack(r, m, fuzzLimit)
	return m, len(b) - src.Len() - r.Buffered(), err
}

// checkError checks that err is a refusal, or an end in the middle.
func checkError(t *testing.T, b []byte, err error) {
	t.Helper()
	if !errors.Is(err, proto.ErrMalformed) && !errors.Is(err, proto.ErrTooLarge) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%q: %v", b, err)
	}
}

// FuzzRequest checks that a request which is accepted is the same one for
// net/http: the next request must begin at the same byte for both.
func FuzzRequest(f *testing.F) {
	for _, v := range wiretest.Golden(f, "http") {
		if v.Dir == wiretest.ToServer {
			f.Add(v.Bytes)
		}
	}
	const numbered = post + "X-Mtype: 1\r\nX-Seq: 1\r\n"
	f.Add([]byte(numbered + "Content-Length: 3\r\n\r\n[1]" + good))
	f.Add([]byte(numbered + "Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n2;a=b\r\n1]\r\n0\r\nA: b\r\n\r\n"))
	f.Add([]byte("GET /a?b=c&d=%20 HTTP/1.0\r\nConnection: keep-alive\r\nAccept: a/b;q=0.1, */*\r\n\r\n"))
	f.Add([]byte(numbered + "Content-Encoding: gzip\r\nContent-Length: " + bomb(10)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.HasPrefix(b, []byte("HTTP/")) {
			return
		}
		m, taken, err := read(b)
		if err != nil {
			checkError(t, b, err)
			return
		}
		if len(m.Raw()) > fuzzLimit || m.Mtype() == message.TypeUndefined || m.Mtype() == message.TypeReply {
			t.Fatalf("%q is read as %v", b, m)
		}
		src := strings.NewReader(strings.TrimLeft(string(b), "\r\n"))
		r := bufio.NewReader(src)
		req, err := http.ReadRequest(r)
		if err != nil {
			return // it may be stricter
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		if theirs := len(b) - src.Len() - r.Buffered(); theirs != taken {
			t.Fatalf("%q: %d bytes are one request, but for net/http %d", b, taken, theirs)
		}
	})
}

// FuzzReply checks that replies of erpc peers are the same after reading and
// packing.
func FuzzReply(f *testing.F) {
	for _, v := range wiretest.Golden(f, "http") {
		if v.Dir == wiretest.ToClient {
			f.Add(v.Bytes)
		}
	}
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Mtype: 2\r\nX-Seq: -1\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 200 OK\r\n\r\nold"))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append([]byte("HTTP/1.1 "), bytes.TrimPrefix(b, []byte("HTTP/1.1 "))...)
		m, _, err := read(b)
		if err != nil {
			checkError(t, b, err)
			return
		}
		if m.Mtype() != message.TypeReply && m.Mtype() != message.TypeAuthReply {
			return // a request after a 1xx
		}
		m.SetBody(m.Raw())
		want := m.String()
		frame, err := httproto.NewHTTProtoFunc()().Pack(nil, m)
		if err != nil {
			t.Fatalf("%q: %v can't be packed: %v", b, m, err)
		}
		again, _, err := read(frame)
		if err != nil {
			t.Fatalf("%q, packed again as %q: %v", b, frame, err)
		}
		if !bytes.Equal(again.Raw(), m.Raw()) || again.Status().String() != m.Status().String() {
			t.Fatalf("%q is %s, packed again %v", b, want, again)
		}
	})
}
