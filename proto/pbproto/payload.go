package pbproto

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/goerpc/erpc/message"
	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields.
const (
	seqField protowire.Number = 1 + iota
	mtypeField
	methodField
	statusField
	metaField
	codecField
	bodyField
)

// appendPayload appends the message, which goes through the filters.
func appendPayload(dst []byte, m *message.Message) ([]byte, error) {
	dst = appendInt(dst, seqField, m.Seq())
	dst = appendInt(dst, mtypeField, int32(m.Mtype()))
	if method := m.ServiceMethod(); method != "" {
		if !utf8.ValidString(method) { // readers of protobuf refuse it
			return dst, ErrMethodNotUTF8
		}
		dst = protowire.AppendString(appendTag(dst, methodField, protowire.BytesType), method)
	}
	dst, at := beginBytes(dst, statusField)
	dst = endBytes(m.Status().AppendQuery(dst), at)
	dst, at = beginBytes(dst, metaField)
	dst = endBytes(m.Meta().AppendQuery(dst), at)
	dst = appendInt(dst, codecField, int32(m.BodyCodec()))
	dst, at = beginBytes(dst, bodyField)
	dst, err := m.AppendBody(dst)
	if err != nil {
		return dst, err
	}
	return endBytes(dst, at), nil
}

func appendTag(dst []byte, field protowire.Number, t protowire.Type) []byte {
	return protowire.AppendTag(dst, field, t)
}

func appendInt(dst []byte, field protowire.Number, v int32) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(appendTag(dst, field, protowire.VarintType), uint64(v))
}

// beginBytes begins a field whose length is not known yet: it appends its tag
// and one byte for the length. The bytes are appended next.
func beginBytes(dst []byte, field protowire.Number) (_ []byte, at int) {
	dst = append(appendTag(dst, field, protowire.BytesType), 0)
	return dst, len(dst)
}

// endBytes completes the field whose bytes begin at at, or removes it if there are
// none.
func endBytes(dst []byte, at int) []byte {
	n := len(dst) - at
	if n == 0 {
		return dst[:at-2] // tags up to 15 take one byte
	}
	if more := protowire.SizeVarint(uint64(n)) - 1; more > 0 {
		dst = slices.Grow(dst, more)[:len(dst)+more]
		copy(dst[at+more:], dst[at:at+n])
	}
	protowire.AppendVarint(dst[:at-1], uint64(n))
	return dst
}

// parse fills m from the unfiltered part of a frame. Without own, the parts of b
// that m keeps are copied.
func parse(m *message.Message, b []byte, own bool, _ int) error {
	var method, status, meta, body []byte
	for len(b) > 0 {
		field, t, n, err := consumeTag(b)
		if err != nil {
			return err
		}
		b = b[n:]
		switch {
		case t == protowire.VarintType && (field <= mtypeField || field == codecField):
			v, k := protowire.ConsumeVarint(b)
			if k >= 0 && !setInt(m, field, int32(v)) {
				return malformed("field %d is %d", field, int32(v))
			}
			n = k
		case t == protowire.BytesType && field <= bodyField:
			v, k := protowire.ConsumeBytes(b)
			switch field {
			case methodField:
				method = v
			case statusField:
				status = v
			case metaField:
				meta = v
			case bodyField:
				body = v
			}
			n = k
		default: // unknown, or of the wrong type, which counts as unknown
			n = protowire.ConsumeFieldValue(field, t, b)
		}
		if n < 0 {
			return malformed("field %d: %w", field, protowire.ParseError(n))
		}
		b = b[n:]
	}
	if !utf8.Valid(method) {
		return malformed("service method %.100q is not UTF-8", method)
	}
	m.SetServiceMethod(message.Intern(method))
	st, err := message.ParseStatus(status)
	if err != nil {
		return malformed("%w", err)
	}
	m.SetStatus(st)
	if !own {
		s := m.Storage(len(meta) + len(body))
		n := copy(s, meta)
		copy(s[n:], body)
		meta, body = s[:n:n], s[n:]
	}
	if err := m.Meta().ReadQuery(meta); err != nil {
		return malformed("%w", err)
	}
	m.SetRaw(body)
	return nil
}

// consumeTag reads the tag of a field. Unlike protowire, it refuses numbers that
// are out of protobuf's range, as protobuf's own readers do.
func consumeTag(b []byte) (protowire.Number, protowire.Type, int, error) {
	field, t, n := protowire.ConsumeTag(b)
	if n < 0 {
		return 0, 0, 0, malformed("%w", protowire.ParseError(n))
	}
	if field > protowire.MaxValidNumber {
		return 0, 0, 0, malformed("a field with the number %d", field)
	}
	return field, t, n, nil
}

// setInt sets the field, unless v is out of its range.
func setInt(m *message.Message, field protowire.Number, v int32) bool {
	if field == seqField {
		m.SetSeq(v)
		return true
	}
	if v < 0 || v > math.MaxUint8 {
		return false
	}
	if field == mtypeField {
		m.SetMtype(byte(v))
	} else {
		m.SetBodyCodec(byte(v))
	}
	return true
}

// identitySize is the length, in bytes, of the fields that identify reads: each has
// a tag, and a negative integer takes ten bytes.
const identitySize = 2 * (1 + 10)

// identify is the Identify of the envelope, for messages as Pack and v7 write them.
func identify(m *message.Message, b []byte) {
	for _, field := range []protowire.Number{seqField, mtypeField} {
		f, t, n := protowire.ConsumeTag(b)
		if n < 0 || f != field || t != protowire.VarintType {
			continue // left out, because it is zero
		}
		v, k := protowire.ConsumeVarint(b[n:])
		if k < 0 || !setInt(m, field, int32(v)) {
			m.SetMtype(message.TypeUndefined)
			return
		}
		b = b[n+k:]
	}
}
