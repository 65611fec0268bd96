package httproto

import (
	"bufio"
	"bytes"
	"net/url"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/httproto/httpgate"
)

// readRequest reads what follows the request line. The request must come from an
// erpc peer: net/http serves all other connections. size is the length of the
// head.
func (f *format) readRequest(r *bufio.Reader, m *message.Message, line, rest []byte, size, limit int) error {
	method, line, ok1 := bytes.Cut(line, []byte{' '})
	target, ver, ok2 := bytes.Cut(line, []byte{' '})
	if !ok1 || !ok2 || !isToken(method) || len(target) == 0 || bytes.IndexByte(target, '\t') >= 0 {
		return malformed("no request line")
	}
	v, err := parseVersion(ver)
	if err != nil {
		return err
	}
	h := &f.h
	if err := h.parse(rest, false); err != nil {
		return err
	}
	f.now.numbered, f.now.seq = h.mtype >= 0, h.seq
	switch {
	case h.mtype < 0:
		return refuse(statusMisdirected, "a request without X-Mtype on a connection of an erpc peer; send it on another")
	case string(method) != "POST" || v != http11 || h.chunked || len(h.expect) > 0:
		return malformed("an erpc peer sends POST in HTTP/1.1, with a Content-Length")
	}
	if err := h.check(v); err != nil {
		return err
	}
	path, query, err := parseTarget(target)
	if err != nil {
		return err
	}
	if err := f.begin(m, path); err != nil {
		return err
	}
	h.fill(m.Meta(), &f.text)
	addQuery(m.Meta(), query)
	id, _ := httpgate.CodecOf(h.contentType)
	m.SetBodyCodec(id)
	h.keep()
	b, err := f.readBody(r, m, h, size, limit, false)
	if err != nil {
		return err
	}
	b, err = h.decode(m, b, limit)
	if err != nil {
		return err
	}
	f.print(false, b)
	m.SetRaw(b)
	if m.Mtype() == message.TypePush {
		f.inform(appendAccepted(nil, m.Seq()))
	}
	if h.close {
		f.ended.Store(true)
		m.SetInTurn(true)
	}
	return nil
}

// begin sets the type, sequence number and method of a message.
func (f *format) begin(m *message.Message, path string) error {
	switch mtype := byte(f.h.mtype); mtype {
	case message.TypeCall, message.TypePush, message.TypeAuthCall:
		m.SetMtype(mtype)
	default:
		return malformed("a request with the X-Mtype %d", f.h.mtype)
	}
	f.greeted.Store(true) // first: a server that has not been greeted can't pack requests
	f.side.CompareAndSwap(unknownSide, serverSide)
	f.asked.known()
	if m.Mtype() == message.TypeAuthCall && path == "/" {
		path = ""
	}
	m.SetSeq(f.h.seq)
	m.SetServiceMethod(message.Intern([]byte(path)))
	return nil
}

// appendAccepted appends the answer to a push. It is the only one: a push has no
// reply.
func appendAccepted(dst []byte, seq int32) []byte {
	dst = append(dst, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n"...)
	return append(appendNumbers(dst, message.TypeReply, seq), "\r\n"...)
}

// parseTarget takes a path, an absolute URL or a service method that is neither.
// The path is unescaped, the query is not.
func parseTarget(b []byte) (path string, query []byte, err error) {
	if bytes.IndexByte(b, '#') >= 0 {
		return "", nil, malformed("a target with a fragment")
	}
	if !bytes.HasPrefix(b, []byte{'/'}) {
		scheme, rest, absolute := bytes.Cut(b, []byte("://"))
		if absolute && (bytes.EqualFold(scheme, []byte("http")) || bytes.EqualFold(scheme, []byte("https"))) {
			i := bytes.IndexAny(rest, "/?")
			if i < 0 {
				i = len(rest)
			}
			b = rest[i:]
			if len(b) == 0 || b[0] != '/' {
				b = append([]byte{'/'}, b...)
			}
		}
	}
	p, query, _ := bytes.Cut(b, []byte{'?'})
	path = string(p)
	if bytes.IndexByte(p, '%') >= 0 {
		path, err = url.PathUnescape(path)
		if err != nil {
			return "", nil, malformed("the target %.40q", b)
		}
	}
	return path, bytes.Clone(query), nil // reading the body overwrites the head
}

// addQuery adds the pairs of a query, under keys that no header field can have.
func addQuery(meta *message.Meta, query []byte) {
	if len(query) == 0 {
		return
	}
	var pairs message.Meta
	pairs.SetQuery(query)
	for k, v := range pairs.All {
		meta.Add("?"+k, v)
	}
}
