package proto

import (
	"bytes"
	"fmt"
)

// httpStarts are the first four bytes of HTTP requests.
var httpStarts = [][]byte{
	[]byte("GET "), []byte("POST"), []byte("PUT "), []byte("HEAD"), []byte("OPTI"), []byte("DELE"), []byte("PATC"), []byte("CONN"),
	[]byte("TRAC"), []byte("PRI "), // of HTTP/2
}

// Foreign tells which other protocol the first bytes of a frame look like, and
// what to do. It returns "" if it recognises none. head has at least four bytes.
func Foreign(head []byte) string {
	if len(head) < 4 {
		return ""
	}
	start := head[:4]
	for _, s := range httpStarts {
		if bytes.Equal(start, s) {
			return "this looks like an HTTP request; serve HTTP clients with httproto, erpc.HTTPHandler or a mux"
		}
	}
	switch {
	case bytes.Equal(start, []byte("HTTP")):
		return "this looks like the answer of an HTTP server; use httproto to call it"
	case head[0] == 0x16 && head[1] == 3:
		return "this looks like a TLS handshake; give this side a TLS configuration, or remove that of the other side"
	case head[0] == 0x15 && head[1] == 3:
		return "this looks like an alert of TLS: the other side uses TLS; give this side a TLS configuration too"
	case bytes.Equal(start, []byte("SSH-")):
		return "this looks like SSH; the address or port belongs to another server"
	case (head[0] == '{' || head[0] == '[') && printable(start[1:]):
		return "this looks like JSON text without frames; jsonproto has a length in front of each message"
	case printable(start):
		return fmt.Sprintf("this looks like text (%q)", start)
	}
	return ""
}

// printable reports whether b is ASCII text.
func printable(b []byte) bool {
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}
