package mux

import "bytes"

// A Verdict is the answer of a [Rule] for the bytes so far.
type Verdict int

// Verdicts.
const (
	No    Verdict = iota // whatever bytes follow
	Maybe                // more bytes are needed
	Yes
)

// A Rule tells whether a connection that begins with head is of its protocol. head
// holds at least one byte; in the next call it holds these and more. A rule is
// called concurrently and must not retain head.
//
// The rules of this package never say Yes to the same bytes, except for [HTTP],
// which also matches what is for [WebSocket] unless that is asked first.
type Rule func(head []byte) Verdict

// longest bounds the first byte of a big-endian length: from there on a frame
// would have 256 MiB or more. So a length never looks like TLS (0x16) or text.
const longest = 0x10

// maxFilters bounds the filters of a first message. 0x0f, 0x80 and 0x82 in this
// place are Thrift.
const maxFilters = 0x0e

// envelope checks what raw, json and protobuf begin with (the doc.go of
// proto/rawproto, proto/jsonproto and proto/pbproto): a length of four bytes and the
// number of filters. If there are no filters, it returns what follows.
func envelope(head []byte) (rest []byte, filters int, v Verdict) {
	switch {
	case head[0] >= longest:
		return nil, 0, No
	case len(head) < 5:
		return nil, 0, Maybe
	case head[4] > maxFilters:
		return nil, 0, No
	case len(head) < 6:
		return nil, 0, Maybe
	}
	return head[5:], int(head[4]), Yes
}

// maxSeq is the longest sequence number of raw: an int32 in base 36, with its sign.
const maxSeq = 7

// Raw matches the raw protocol (proto/rawproto): after the envelope, the length of a
// sequence number in base 36, the number, and the type of a message. Of a first
// message that went through transfer filters only their number can be seen; it is
// taken for raw.
func Raw(head []byte) Verdict {
	rest, filters, v := envelope(head)
	if v != Yes || filters > 0 {
		return v
	}
	n := int(rest[0])
	if n == 0 || n > maxSeq {
		return No
	}
	for i, c := range rest[1:] {
		switch {
		case i == n: // the type: CALL, REPLY, PUSH, AUTH_CALL or AUTH_REPLY
			if c < 1 || c > 5 {
				return No
			}
			return Yes
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '-' && i == 0:
		default:
			return No
		}
	}
	return Maybe
}

// JSON matches the JSON protocol (proto/jsonproto), whose first message must not
// go through transfer filters: an object after the envelope.
func JSON(head []byte) Verdict {
	rest, filters, v := envelope(head)
	if v != Yes {
		return v
	}
	if filters > 0 {
		return No
	}
	rest = bytes.TrimLeft(rest, " \t\r\n")
	switch {
	case len(rest) == 0:
		return Maybe
	case rest[0] == '{':
		return Yes
	}
	return No
}

// protobufTags are the tags of the seven fields of a message of proto/pbproto.
const protobufTags = "\x08\x10\x1a\x22\x2a\x30\x3a"

// Protobuf matches the protobuf protocol (proto/pbproto), whose first message must
// not go through transfer filters: the tag of one of its fields after the envelope.
func Protobuf(head []byte) Verdict {
	rest, filters, v := envelope(head)
	switch {
	case v != Yes:
		return v
	case filters == 0 && bytes.IndexByte([]byte(protobufTags), rest[0]) >= 0:
		return Yes
	}
	return No
}

// Thrift matches Apache Thrift in frames (proto/thriftproto): after a length of
// four bytes, the mark of THeader (0x0fff, also v7's formats), of the strict
// binary protocol (0x8001) or of the compact protocol (0x82, version 1).
func Thrift(head []byte) Verdict {
	switch {
	case head[0] >= longest:
		return No
	case len(head) < 5:
		return Maybe
	case head[4] != 0x0f && head[4] != 0x80 && head[4] != 0x82:
		return No
	case len(head) < 6:
		return Maybe
	}
	switch {
	case head[4] == 0x0f && head[5] == 0xff,
		head[4] == 0x80 && head[5] == 0x01,
		head[4] == 0x82 && head[5]&0x1f == 1: // the upper bits are the type
		return Yes
	}
	return No
}

// TLS matches the beginning of TLS 1.0 to 1.3 (RFC 8446, 5.1: a record of type
// handshake). With [Config.TLS] the mux itself uses this rule. As the rule of a
// listener, it passes such connections on unchanged.
func TLS(head []byte) Verdict {
	const handshake, major, minor = 0x16, 3, 4
	switch {
	case head[0] != handshake, len(head) > 1 && head[1] != major, len(head) > 2 && head[2] > minor:
		return No
	case len(head) < 3:
		return Maybe
	}
	return Yes
}

// maxMethod is the longest method of an HTTP request that is taken for one.
const maxMethod = 16

// HTTP matches a request of HTTP/1 (RFC 9112, 3: method, space, target) and the
// beginning of HTTP/2 (RFC 9113, 3.4), which looks like one.
func HTTP(head []byte) Verdict {
	method, target, found := bytes.Cut(head[:min(len(head), maxMethod+1)], []byte{' '})
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return No
		}
	}
	switch {
	case len(method) == 0, len(method) > maxMethod:
		return No
	case !found:
		return Maybe
	case len(target) == 0:
		target = head[len(method)+1:]
		if len(target) == 0 {
			return Maybe
		}
	}
	switch target[0] {
	case '/', '*', 'h', 'H': // a path, the server as a whole, an absolute URL
		return Yes
	}
	return No
}

// maxEmptyLines is how many empty lines may stand in front of a request (RFC 9112,
// 2.2, asks for one).
const maxEmptyLines = 2

// emptyLines returns how many bytes of head are empty lines in front of an HTTP
// request, which are skipped. It is sure once it has seen the beginning of a method,
// which can't follow these bytes in a frame of erpc: as a length they announce more
// than 200 MB, and the next letters are not a number of filters.
func emptyLines(head []byte) (n int, sure bool) {
	const crlf = "\r\n"
	lines := 0
	for lines < maxEmptyLines && len(head) >= n+len(crlf) && string(head[n:n+len(crlf)]) == crlf {
		n += len(crlf)
		lines++
	}
	if n == 0 {
		return 0, string(head) != crlf[:1]
	}
	const letters = 3 // enough for a length and the number of filters
	method := head[n:]
	for i, c := range method[:min(len(method), letters)] {
		if c == '\r' && i == 0 && len(method) == 1 && lines < maxEmptyLines {
			return 0, false // the next empty line, perhaps
		}
		if c < 'A' || c > 'Z' {
			return 0, true
		}
	}
	if len(method) < letters {
		return 0, false
	}
	return n, true
}

// WebSocket matches a request of HTTP that asks for an upgrade to WebSocket (RFC
// 6455, 4.1), even among other protocols. It needs the whole head of the request;
// a head larger than [Config.Peek] does not match. Ask it before [HTTP].
func WebSocket(head []byte) Verdict {
	const get = "GET "
	if n := min(len(head), len(get)); string(head[:n]) != get[:n] {
		return No
	}
	// An incomplete head is only searched for its end, so that one in many pieces
	// costs little.
	head, _, whole := bytes.Cut(head, []byte("\r\n\r\n"))
	if !whole {
		return Maybe
	}
	_, fields, _ := bytes.Cut(head, []byte("\r\n"))
	for line := range bytes.SplitSeq(fields, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte{':'})
		if equalFold(name, "upgrade") && offersWebSocket(value) {
			return Yes
		}
	}
	return No
}

// offersWebSocket reports whether a field Upgrade names websocket among its
// protocols (RFC 9110, 7.8: a list, each with a version behind a slash or none).
func offersWebSocket(value []byte) bool {
	for protocol := range bytes.SplitSeq(value, []byte{','}) {
		name, _, _ := bytes.Cut(bytes.TrimSpace(protocol), []byte{'/'})
		if equalFold(name, "websocket") {
			return true
		}
	}
	return false
}

// equalFold compares ASCII text with a lower-case name. Unlike [bytes.EqualFold],
// it does not fold non-ASCII letters to ASCII ones.
func equalFold(text []byte, name string) bool {
	if len(text) != len(name) {
		return false
	}
	for i, c := range text {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}
