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

// The answers to a client that does not use TLS on a TLS listener: for an HTTP
// client the text that net/http's server sends, for any other the TLS alert
// unexpected_message.
const (
	plainHTTP  = "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nThis is a TLS server, and the request came without TLS.\n"
	plainAlert = "\x15\x03\x01\x00\x02\x02\x0a"
)

// plainTimeout bounds how long writing the answer may take.
const plainTimeout = time.Second

// tellPlain answers a client whose first bytes are not TLS, and adds what they
// look like to the handshake error. It returns other errors unchanged.
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
		_, _ = io.WriteString(header.Conn, answer) // best effort: the connection is closed anyway
	}
	return fmt.Errorf("%w; %s", err, looks)
}
