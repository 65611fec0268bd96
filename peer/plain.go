package peer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goerpc/erpc/proto"
)

// What a client that speaks no TLS reads from a listener that does: an HTTP client
// what net/http's server says, any other an alert, unexpected_message.
const (
	plainHTTP  = "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nThis is a TLS server, and the request came without TLS.\n"
	plainAlert = "\x15\x03\x01\x00\x02\x02\x0a"
)

// plainTimeout bounds the writing of that.
const plainTimeout = time.Second

// tellPlain tells a client whose first bytes are not of TLS so, and names these in
// the error of the handshake. It returns other errors as they are.
func tellPlain(err error) error {
	var header tls.RecordHeaderError
	if !errors.As(err, &header) || header.Conn == nil {
		return err
	}
	looks := proto.Foreign(header.RecordHeader[:])
	answer := plainAlert
	switch {
	case strings.Contains(looks, "HTTP"):
		answer = plainHTTP
	case looks == "":
		looks = "this looks like erpc without TLS; give the client a TLS configuration"
	}
	if derr := header.Conn.SetWriteDeadline(time.Now().Add(plainTimeout)); derr == nil {
		_, _ = io.WriteString(header.Conn, answer) // the connection is closed whether it arrives or not
	}
	return fmt.Errorf("%w; %s", err, looks)
}
