package message

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// Bounds of the metadata of one message, in every protocol. Each entry takes far
// more memory than its text, so their number is bounded too.
const (
	MaxMeta        = 65535 // bytes of the query text
	MaxMetaEntries = 1024
)

// ErrMetaTooLong says that metadata is above [MaxMeta] or [MaxMetaEntries]. Such
// a message is not sent; if one arrives the connection ends.
var ErrMetaTooLong = errors.New("message: metadata is too long")

// keptEntries is how many entries keep their storage across resets.
const keptEntries = 64

// Meta is the metadata of a message: an ordered list of entries that may repeat a
// key. Metadata read from the wire stays query text until a method needs more than
// one entry; for most messages none does. The zero value is empty. It is not safe
// for concurrent use.
type Meta struct {
	raw []byte // unparsed text, owned by the message; kv is empty while it is set
	kv  []pair
}

type pair struct{ k, v string }

func (m *Meta) parse() {
	if m.raw == nil {
		return
	}
	raw := m.raw
	m.raw = nil
	eachPair(raw, func(k, v []byte) bool {
		m.kv = append(m.kv, pair{unescape(k), unescape(v)})
		return true
	})
}

// Peek returns the first value of key, nil if there is none. The bytes are
// valid until the message is reset and must not be changed.
func (m *Meta) Peek(key string) []byte {
	if m.raw != nil {
		if v, ok := peekRaw(m.raw, key); ok {
			return v
		}
		m.parse()
	}
	for i := range m.kv {
		if m.kv[i].k == key {
			return []byte(m.kv[i].v)
		}
	}
	return nil
}

// peekRaw looks key up in query text without unescaping; ok is false if the text
// needs it.
func peekRaw(raw []byte, key string) (value []byte, ok bool) {
	if bytes.IndexByte(raw, '%') >= 0 || bytes.IndexByte(raw, '+') >= 0 {
		return nil, false
	}
	eachPair(raw, func(k, v []byte) bool {
		if string(k) != key {
			return true
		}
		value = v[:len(v):len(v)]
		if value == nil {
			value = []byte{}
		}
		return false
	})
	return value, true
}

// Get returns the first value of key, or "".
func (m *Meta) Get(key string) string {
	if m.raw != nil {
		if v, ok := peekRaw(m.raw, key); ok {
			return string(v)
		}
		m.parse()
	}
	for i := range m.kv {
		if m.kv[i].k == key {
			return m.kv[i].v
		}
	}
	return ""
}

// PeekMulti returns all values of key, in their order.
func (m *Meta) PeekMulti(key string) [][]byte {
	var values [][]byte
	m.parse()
	for i := range m.kv {
		if m.kv[i].k == key {
			values = append(values, []byte(m.kv[i].v))
		}
	}
	return values
}

// Has reports whether there is an entry with that key.
func (m *Meta) Has(key string) bool { return m.Peek(key) != nil }

// RawLen returns how many bytes of query text m keeps, 0 once they were parsed.
func (m *Meta) RawLen() int { return len(m.raw) }

// Len returns the number of entries.
func (m *Meta) Len() int {
	if m.raw == nil && len(m.kv) == 0 {
		return 0
	}
	m.parse()
	return len(m.kv)
}

// Add appends an entry.
func (m *Meta) Add(key, value string) {
	m.parse()
	m.kv = append(m.kv, pair{key, value})
}

// Set replaces the first value of key, or adds an entry.
func (m *Meta) Set(key, value string) {
	m.parse()
	for i := range m.kv {
		if m.kv[i].k == key {
			m.kv[i].v = value
			return
		}
	}
	m.kv = append(m.kv, pair{key, value})
}

// Del deletes every entry with that key.
func (m *Meta) Del(key string) {
	m.parse()
	m.kv = slices.DeleteFunc(m.kv, func(p pair) bool { return p.k == key })
}

// VisitAll calls f for every entry in order. f must not change the bytes.
func (m *Meta) VisitAll(f func(key, value []byte)) {
	for k, v := range m.All {
		f([]byte(k), []byte(v))
	}
}

// All is an iterator over the entries in order.
func (m *Meta) All(yield func(key, value string) bool) {
	m.parse()
	for _, p := range m.kv {
		if !yield(p.k, p.v) {
			return
		}
	}
}

// CopyTo makes dst a copy that owns its bytes.
func (m *Meta) CopyTo(dst *Meta) {
	if dst == m {
		return
	}
	dst.Reset()
	if m.raw != nil {
		dst.raw = bytes.Clone(m.raw)
		return
	}
	dst.kv = append(dst.kv, m.kv...)
}

// Parse sets m to the metadata in query text. It does not retain query.
func (m *Meta) Parse(query string) {
	m.Reset()
	m.SetQuery([]byte(query))
}

// SetQuery sets m to the metadata in query text. It retains query, which must not
// change until the message is reset.
func (m *Meta) SetQuery(query []byte) {
	m.kv = m.kv[:0]
	m.raw = nil
	if len(query) > 0 {
		m.raw = query
	}
}

// ReadQuery is [Meta.SetQuery] for text from the network: if the text is above
// [MaxMeta] or [MaxMetaEntries], it returns an error that wraps [ErrMetaTooLong]
// and leaves m empty.
func (m *Meta) ReadQuery(query []byte) error {
	m.SetQuery(query)
	err := m.checkSize()
	if err != nil {
		m.Reset()
	}
	return err
}

// checkSize returns an ErrMetaTooLong if m is above its bounds.
func (m *Meta) checkSize() error {
	size, entries := len(m.raw), len(m.kv)
	switch {
	case m.raw != nil && size > MaxMetaEntries: // shorter text cannot have as many
		entries = bytes.Count(m.raw, []byte{'&'}) + 1
	case entries > 0:
		for _, p := range m.kv {
			size += len(p.k) + len("&")
			if p.v != "" {
				size += len("=") + len(p.v)
			}
		}
		size--                                   // no & after the last
		if size > MaxMeta/3 && size <= MaxMeta { // escapes may count
			size = len(m.AppendQuery(nil))
		}
	}
	if size > MaxMeta || entries > MaxMetaEntries {
		return fmt.Errorf("%w: %d bytes in %d entries; at most %d and %d are sent", ErrMetaTooLong, size, entries, MaxMeta, MaxMetaEntries)
	}
	return nil
}

// entryWeight is the memory of an entry besides its text, in bytes.
const entryWeight = 64

// Weight returns how much memory, in bytes, the entries of m may take besides the
// text they were read from.
func (m *Meta) Weight() int {
	if m.raw == nil {
		return len(m.kv) * entryWeight
	}
	return len(m.raw) + (bytes.Count(m.raw, []byte{'&'})+1)*entryWeight
}

// QueryString returns m as query text.
func (m *Meta) QueryString() []byte { return m.AppendQuery(nil) }

// String returns m as query text.
func (m *Meta) String() string { return string(m.AppendQuery(nil)) }

// AppendQuery appends m as query text: k=v&k=v, in order, an empty value as a
// bare k.
func (m *Meta) AppendQuery(dst []byte) []byte {
	if m.raw != nil {
		return append(dst, m.raw...)
	}
	for i, p := range m.kv {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = appendEscaped(dst, p.k)
		if p.v != "" {
			dst = appendEscaped(append(dst, '='), p.v)
		}
	}
	return dst
}

// Reset empties m.
func (m *Meta) Reset() {
	m.raw = nil
	if cap(m.kv) > keptEntries {
		m.kv = nil
		return
	}
	clear(m.kv)
	m.kv = m.kv[:0]
}
