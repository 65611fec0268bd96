package proto_test

import (
	"bufio"
	"errors"
	"strings"
	"testing"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
)

// TestErrorsNameOtherProtocols gives each format the first bytes of other
// protocols.
func TestErrorsNameOtherProtocols(t *testing.T) {
	for _, tc := range []struct{ first, named string }{
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP request"},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP request"},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", "answer of an HTTP server"},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS handshake"},
		{"\x15\x03\x01\x00\x02\x02\x0a", "alert of TLS"},
		{"SSH-2.0-OpenSSH_9.2\r\n", "SSH"},
		{`{"seq":1}`, "JSON"},
		{"[1, 2, 3]", "JSON"},
		{"hello\n", `text ("hell")`},
	} {
		for name, format := range map[string]proto.Func{"raw": rawproto.New, "json": jsonproto.New, "pb": pbproto.New} {
			err := format().Unpack(bufio.NewReader(strings.NewReader(tc.first)), message.New(), 64<<20)
			if !errors.Is(err, proto.ErrTooLarge) || !strings.Contains(err.Error(), tc.named) {
				t.Errorf("%s of %q: %v, want it to name %s", name, tc.first, err, tc.named)
			}
		}
	}
	for _, ours := range []string{"", "\x00\x00\x00", "\x00\x00\x01\x00", "\x16\x04\x00\x00", "\x80\x01\x00\x01", "{\x00\x00\x00"} {
		if got := proto.Foreign([]byte(ours)); got != "" {
			t.Errorf("%q: %s", ours, got)
		}
	}
}
