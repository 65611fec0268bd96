package httproto

import (
	"bufio"
	"bytes"
	"net/url"
	"slices"
	"strconv"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/message"
)

// readRequest reads what follows the line of a request. size is that of the
// head.
func (f *format) readRequest(r *bufio.Reader, m *message.Message, line, rest []byte, size, limit int) (got bool, err error) {
	method, line, ok1 := bytes.Cut(line, []byte{' '})
	target, ver, ok2 := bytes.Cut(line, []byte{' '})
	if !ok1 || !ok2 || !isToken(method) || len(target) == 0 || bytes.IndexByte(target, '\t') >= 0 {
		return false, malformed("no request line")
	}
	v, err := parseVersion(ver)
	if err != nil {
		return false, err
	}
	f.now.turn = turn{noBody: string(method) == "HEAD", old: v == http10}
	h := &f.h
	if err := h.parse(rest); err != nil {
		return false, err
	}
	numbered := h.mtype >= 0
	f.now.numbered, f.now.seq = numbered, h.seq
	t := &f.now.turn
	t.close = h.close || v == http10 && !h.persist
	t.gzip, t.origin = h.gzip, string(h.origin)
	if err := h.check(v, true); err != nil {
		return false, err
	}
	to, err := parseTarget(target, numbered)
	if err != nil {
		return false, err
	}
	allowed := numbered || slices.Contains(f.cfg.Methods, string(method))
	switch {
	case allowed && to.path == "*":
		return false, malformed("the target * is for OPTIONS only")
	case len(h.expect) == 0:
	case !bytes.EqualFold(h.expect, []byte("100-continue")):
		return false, refuse(statusExpectationFailed, "Expect %.40q; only 100-continue is known", h.expect)
	}
	if err := f.begin(m, to.path); err != nil {
		return false, err
	}
	query := bytes.Clone(to.query) // the head does not outlast the body
	options, simple := string(method) == "OPTIONS", len(h.contentType) == 0
	h.fill(m.Meta(), &f.text)
	addQuery(m.Meta(), query)
	h.setCodec(m)
	h.keep()
	if len(h.expect) > 0 && v == http11 && r.Buffered() == 0 && h.length <= int64(limit-size) {
		f.inform([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
	b, err := f.readBody(r, m, h, size, limit, false)
	if err != nil {
		return false, err
	}
	if b, err = h.decode(m, b, limit); err != nil {
		return false, err
	}
	f.print(false, b)
	if !allowed {
		return f.answerOther(options)
	}
	if !numbered && len(b) == 0 && simple && len(query) > 0 {
		b = query
		m.SetBodyCodec(codec.ID_FORM)
	}
	m.SetRaw(b)
	return f.started(m)
}

// begin says whose message it is, and of what kind.
func (f *format) begin(m *message.Message, path string) error {
	h := &f.h
	if h.mtype < 0 {
		f.seq++
		f.now.seq, f.now.turn.seq = f.seq, f.seq
		m.SetMtype(message.TypeCall)
	} else {
		switch mtype := byte(h.mtype); mtype {
		case message.TypeCall, message.TypePush, message.TypeAuthCall:
			m.SetMtype(mtype)
		default:
			return malformed("a request with the X-Mtype %d", h.mtype)
		}
		f.asked.known()
		if m.Mtype() == message.TypeAuthCall && path == "/" {
			path = ""
		}
	}
	m.SetSeq(f.now.seq)
	m.SetServiceMethod(message.Intern([]byte(path)))
	return nil
}

// started settles how the message is answered.
func (f *format) started(m *message.Message) (got bool, err error) {
	h, t := &f.h, f.now.turn
	if h.mtype < 0 {
		f.client.Store(true)
		f.turn.Store(&t)
		f.ended.Store(t.close)
		m.SetInTurn(true)
		return true, nil
	}
	f.turn.Store(nil)
	switch {
	case m.Mtype() == message.TypePush:
		f.inform(appendAccepted(nil, m.Seq()))
	case h.close || !h.hasSeq: // what was asked before is not waited for: nobody who numbers closes
		f.ended.Store(h.close)
		m.SetInTurn(true)
	}
	return true, nil
}

// appendAccepted appends the answer to a push: the request was taken, and that
// is all that will be said of it.
func appendAccepted(dst []byte, seq int32) []byte {
	dst = append(dst, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nX-Mtype: 2\r\nX-Seq: "...)
	return append(strconv.AppendInt(dst, int64(seq), 10), "\r\n\r\n"...)
}

// setCodec sets the codec of the body. For a client that knows no codecs it
// adds which one the reply shall have.
func (h *fields) setCodec(m *message.Message) {
	id, ok := codecOf(h.contentType)
	if len(h.contentType) == 0 && h.mtype < 0 {
		id, ok = codec.ID_JSON, true
	}
	m.SetBodyCodec(id)
	if h.mtype >= 0 || m.Meta().Has(message.MetaAcceptBodyCodec) {
		return
	}
	reply, wished := preferred(h.accept)
	switch {
	case wished:
	case !ok || id == codec.ID_FORM:
		reply = codec.ID_JSON // what a form was sent for is seldom a form
	default:
		reply = id
	}
	m.Meta().Add(message.MetaAcceptBodyCodec, strconv.Itoa(int(reply)))
}

// answerOther answers a request with a method that no handler is called for.
func (f *format) answerOther(options bool) (got bool, err error) {
	t := &f.now.turn
	var b []byte
	if options {
		b = f.appendOptions(nil, t, f.h.preflight)
	} else {
		m := message.New(message.WithStatus(message.NewStatus(message.CodeMtypeNotAllowed, "Method Not Allowed", "")))
		if b, err = f.packTurn(nil, m, t, statusMethodNotAllowed); err != nil {
			return false, err
		}
	}
	if !f.inform(b) {
		return false, refuse(statusMethodNotAllowed, "the method is none of %s", f.cfg.allow)
	}
	f.ended.Store(t.close)
	return false, nil
}

// A target is what a request asks for.
type target struct {
	path  string // unescaped
	query []byte // as it is
}

// parseTarget takes a path, an absolute URL or *; and, of an erpc peer, a
// service method that is none of these.
func parseTarget(b []byte, numbered bool) (t target, err error) {
	if string(b) == "*" {
		return target{path: "*"}, nil
	}
	if bytes.IndexByte(b, '#') >= 0 {
		return t, malformed("a target with a fragment")
	}
	if !bytes.HasPrefix(b, []byte{'/'}) {
		scheme, rest, absolute := bytes.Cut(b, []byte("://"))
		switch {
		case absolute && (bytes.EqualFold(scheme, []byte("http")) || bytes.EqualFold(scheme, []byte("https"))):
			i := bytes.IndexAny(rest, "/?")
			if i < 0 {
				i = len(rest)
			}
			if b = rest[i:]; len(b) == 0 || b[0] != '/' {
				b = append([]byte{'/'}, b...)
			}
		case !numbered:
			return t, malformed("the target %.40q", b)
		}
	}
	path, query, _ := bytes.Cut(b, []byte{'?'})
	t = target{string(path), query}
	if bytes.IndexByte(path, '%') >= 0 {
		if t.path, err = url.PathUnescape(t.path); err != nil {
			return t, malformed("the target %.40q", b)
		}
	}
	return t, nil
}

// addQuery adds the pairs of a query behind the header fields, so that it can't
// take the place of one.
func addQuery(meta *message.Meta, query []byte) {
	if len(query) == 0 {
		return
	}
	var pairs message.Meta
	pairs.SetQuery(query)
	for k, v := range pairs.All {
		meta.Add(k, v)
	}
}
