package jsonproto

import (
	"bytes"
	"math"

	"github.com/goerpc/erpc/message"
)

// maxDepth is how deep a value that is skipped, or is a body, may be nested.
const maxDepth = 256

// The fields of the object, as bits of fields.seen.
const (
	seqField = 1 << iota
	mtypeField
	methodField
	statusField
	metaField
	codecField
	bodyField
	allFields = 1<<iota - 1
)

type fields struct {
	seen                       uint8
	mtype, codec               byte
	seq                        int32
	method, status, meta, body text
}

// parse fills m from the unfiltered part of a frame. With own, b belongs to the
// message and is unescaped in place.
func parse(m *message.Message, b []byte, own bool, _ int) error {
	return parseInto(m, parser{b: b}, own)
}

func parseInto(m *message.Message, p parser, own bool) error {
	var f fields
	b := p.b
	if err := p.object(&f); err != nil && !cutByV7(f.seen, b) {
		return err
	}
	m.SetSeq(f.seq)
	m.SetMtype(f.mtype)
	m.SetBodyCodec(f.codec)

	method, ok := f.method.bytes()
	if !ok {
		return malformed("escapes of the service method %.100q", f.method.b)
	}
	m.SetServiceMethod(message.Intern(method))
	status, ok := f.status.bytes()
	if !ok {
		return malformed("escapes of the status %.100q", f.status.b)
	}
	st, err := message.ParseStatus(status)
	if err != nil {
		return malformed("%w", err)
	}
	m.SetStatus(st)

	var meta, body []byte
	if own {
		meta, ok = f.meta.inPlace()
		if ok {
			body, ok = f.body.inPlace()
		}
	} else {
		s := m.Storage(len(f.meta.b) + len(f.body.b))
		meta, ok = f.meta.appendTo(s[:0:len(f.meta.b)])
		if ok {
			body, ok = f.body.appendTo(s[len(f.meta.b):len(f.meta.b)])
		}
	}
	if !ok {
		return malformed("escapes of the metadata %.100q", f.meta.b)
	}
	if err := m.Meta().ReadQuery(meta); err != nil {
		return malformed("%w", err)
	}
	m.SetRaw(body)
	return nil
}

// cutByV7 reports whether v7 may have written b, which is not an object, but
// was parsed as far as the fields seen: the body had a backslash before a
// quote, or at its end. v7 writes the body last.
func cutByV7(seen uint8, b []byte) bool {
	return seen == allFields && bytes.HasSuffix(b, []byte(`"}`))
}

// bytes returns t unescaped. It copies only if there are escapes.
func (t text) bytes() ([]byte, bool) {
	if !t.escaped {
		return t.b, true
	}
	return t.appendTo(make([]byte, 0, len(t.b)))
}

// inPlace returns t unescaped, in the bytes of t.
func (t text) inPlace() ([]byte, bool) {
	if !t.escaped {
		return t.b, true
	}
	return t.appendTo(t.b[:0])
}

// object parses the object, which is all of b.
func (p *parser) object(f *fields) error {
	p.space()
	if !p.literal("{") {
		return malformed("%.100q is not an object", p.b)
	}
	p.space()
	if p.literal("}") {
		return p.end()
	}
	for {
		key, err := p.key()
		if err != nil {
			return err
		}
		if err := p.field(f, key); err != nil {
			return err
		}
		p.space()
		switch {
		case p.literal("}"):
			return p.end()
		case !p.literal(","):
			return p.unexpected()
		}
	}
}

// field parses the value of the field key. The value of a field seen before is
// skipped, so that a body can't fake a header field, wherever it ends.
func (p *parser) field(f *fields, key []byte) (err error) {
	bit := fieldOf(key)
	if bit == 0 && p.ids != nil && string(key) == "xferPipe" {
		return p.filters()
	}
	if bit == 0 || f.seen&bit != 0 {
		return p.skip(0)
	}
	if bit != bodyField && p.literal("null") {
		f.seen |= bit
		return nil
	}
	var n int64
	switch bit {
	case seqField:
		n, err = p.integer(math.MinInt32, math.MaxInt32)
		f.seq = int32(n)
	case mtypeField:
		n, err = p.integer(0, math.MaxUint8)
		f.mtype = byte(n)
	case codecField:
		n, err = p.integer(0, math.MaxUint8)
		f.codec = byte(n)
	case methodField:
		f.method, err = p.text(header)
	case statusField:
		f.status, err = p.text(header)
	case metaField:
		f.meta, err = p.text(header)
	case bodyField:
		f.body, err = p.body(f)
	}
	if err == nil {
		f.seen |= bit
	}
	return err
}

func fieldOf(key []byte) uint8 {
	switch string(key) {
	case "seq":
		return seqField
	case "mtype":
		return mtypeField
	case "serviceMethod":
		return methodField
	case "status":
		return statusField
	case "meta":
		return metaField
	case "bodyCodec":
		return codecField
	case "body":
		return bodyField
	}
	return 0
}

// body parses the body: a string, or the text of any other value.
func (p *parser) body(f *fields) (text, error) {
	if p.i >= len(p.b) || p.b[p.i] != '"' {
		at := p.i
		if err := p.skip(0); err != nil {
			return text{}, err
		}
		if v := p.b[at:p.i]; string(v) != "null" {
			return text{b: v}, nil
		}
		return text{}, nil
	}
	at := p.i
	t, err := p.text(body)
	if p.ids != nil {
		return p.subBody(at, t, err)
	}
	if err != nil && len(p.b)-at >= len(`""}`) && cutByV7(f.seen|bodyField, p.b) {
		p.i = len(p.b) - 1 // the position of the brace
		return text{b: p.b[at+1 : p.i-1], escaped: true, rule: openBody}, nil
	}
	return t, err
}
