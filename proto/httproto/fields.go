package httproto

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/goerpc/erpc/internal/wire"
	"github.com/goerpc/erpc/message"
)

// fields holds the header fields of a head. The slices are parts of the head.
type fields struct {
	mtype   int // of an erpc peer, -1 for others
	seq     int32
	hasSeq  bool
	length  int64 // of the body; -1 if unknown
	chunked bool

	host           []byte
	hosts          int
	contentType    []byte
	encoding       []byte // Content-Encoding
	filters        []byte // X-Content-Encoding
	expect         []byte
	close, persist bool // of Connection
	single         uint // which of the fields that may occur only once have occurred

	others []field // fields that become metadata
}

type field struct{ name, value []byte }

// Fields that may occur only once, as bits of fields.single.
const (
	onceLength = 1 << iota
	onceTransfer
	onceType
	onceEncoding
	onceFilters
	onceSeq
	onceMtype
	onceExpect
)

// reset also releases the head, which is in a shared buffer.
func (h *fields) reset() {
	const maxKept = 32 // fields whose storage is kept
	others := h.others[:cap(h.others)]
	clear(others)
	if len(others) > maxKept {
		others = nil
	}
	*h = fields{mtype: -1, length: -1, others: others[:0]}
}

// parse reads the lines after the first. In a reply a line may continue on the
// next one (RFC 9112, 5.2: a client replaces that by spaces), in a request it must
// not.
func (h *fields) parse(b []byte, reply bool) error {
	for {
		var line []byte
		line, b = nextLine(b)
		if len(line) == 0 {
			return nil
		}
		name, value, found := bytes.Cut(line, []byte{':'})
		if !found || !isToken(name) { // a space before the colon, or at the start of the line, is not allowed
			return malformed("%.40q is not a header field", line)
		}
		value = bytes.Trim(value, " \t")
		for reply && len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
			var more []byte
			more, b = nextLine(b)
			value = bytes.Trim(slices.Concat(value, []byte{' '}, bytes.Trim(more, " \t")), " ")
		}
		if err := h.set(name, value); err != nil {
			return err
		}
	}
}

// longestKnown is the length of the longest name that set handles.
const longestKnown = len("x-content-encoding")

func (h *fields) set(name, value []byte) error {
	var lower [longestKnown]byte
	if len(name) > len(lower) {
		h.others = append(h.others, field{name, value})
		return nil
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	switch string(lower[:len(name)]) {
	case "content-length":
		n, err := strconv.ParseUint(string(value), 10, 63)
		if err != nil {
			return malformed("Content-Length %.40q", value)
		}
		h.length = int64(n)
		return h.once(onceLength, name)
	case "transfer-encoding":
		if !strings.EqualFold(string(value), "chunked") || len(value) != len("chunked") {
			return refuse(statusNotImplemented, "Transfer-Encoding %.40q; only chunked is known", value)
		}
		h.chunked = true
		return h.once(onceTransfer, name)
	case "content-type":
		h.contentType = value
		h.others = append(h.others, field{name, value})
		return h.once(onceType, name)
	case "content-encoding":
		h.encoding = value
		return h.once(onceEncoding, name)
	case "x-content-encoding":
		h.filters = value
		return h.once(onceFilters, name)
	case "x-seq":
		n, err := strconv.ParseInt(string(value), 10, 32)
		if err != nil {
			return malformed("X-Seq %.40q", value)
		}
		h.seq, h.hasSeq = int32(n), true
		return h.once(onceSeq, name)
	case "x-mtype":
		n, err := strconv.ParseUint(string(value), 10, 8)
		if err != nil {
			return malformed("X-Mtype %.40q", value)
		}
		h.mtype = int(n)
		return h.once(onceMtype, name)
	case "connection":
		h.close = h.close || hasWord(value, "close")
		h.persist = h.persist || hasWord(value, "keep-alive")
		return nil
	case "expect":
		h.expect = value
		return h.once(onceExpect, name)
	case "keep-alive", "proxy-connection", "te", "trailer", "upgrade":
		return nil
	case "host":
		h.host = value
		h.hosts++
	}
	h.others = append(h.others, field{name, value})
	return nil
}

func (h *fields) once(bit uint, name []byte) error {
	if h.single&bit != 0 {
		return malformed("%s twice", name)
	}
	h.single |= bit
	return nil
}

// check refuses combinations that can be read in two ways.
func (h *fields) check(v version) error {
	switch {
	case h.chunked && h.length >= 0:
		return malformed("Content-Length and Transfer-Encoding")
	case h.chunked && v == http10:
		return malformed("Transfer-Encoding in HTTP/1.0")
	case h.hosts > 1:
		return malformed("Host twice")
	case bytes.ContainsAny(h.host, " \t/\\?#@,"):
		return malformed("Host %.40q", h.host)
	}
	return nil
}

// keep copies what is needed after the head is gone.
func (h *fields) keep() {
	h.encoding, h.filters = bytes.Clone(h.encoding), bytes.Clone(h.filters)
}

// hasWord reports whether word is in a list of words, whatever their case.
func hasWord(list []byte, word string) bool {
	for len(list) > 0 {
		var w []byte
		w, list, _ = bytes.Cut(list, []byte{','})
		w = bytes.Trim(w, " \t")
		if len(w) == len(word) && bytes.EqualFold(w, []byte(word)) { // same length: no non-ASCII letter that folds to an ASCII one
			return true
		}
	}
	return false
}

// fill makes metadata of the fields that are not for the protocol. It leaves out
// fields that an erpc peer adds to each message.
func (h *fields) fill(meta *message.Meta, text *[]byte) {
	b, kept := (*text)[:0], h.others[:0]
	for _, o := range h.others {
		start := len(b)
		b = appendKey(b, o.name)
		if h.mtype >= 0 && ofPeer(b[start:], o.value) {
			b = b[:start]
			continue
		}
		b = append(b, o.value...)
		kept = append(kept, o)
	}
	*text, h.others = b, kept
	all := string(b) // one allocation for all
	for _, o := range kept {
		n, end := len(o.name), len(o.name)+len(o.value)
		meta.Add(all[:n], all[n:end])
		all = all[end:]
	}
}

// ofPeer reports whether erpc sends that header field with each message.
func ofPeer(key, value []byte) bool {
	switch string(key) {
	case "Accept-Encoding", "Content-Type", "Host":
		return true
	case "User-Agent":
		return string(value) == userAgent
	}
	return false
}

// appendKey appends the key of metadata that a header field has: the name in
// canonical form, except for two keys of erpc.
func appendKey(dst, name []byte) []byte {
	switch {
	case bytes.EqualFold(name, []byte(message.MetaRealIP)):
		return append(dst, message.MetaRealIP...)
	case bytes.EqualFold(name, []byte(wire.MetaHeartbeat)):
		return append(dst, wire.MetaHeartbeat...)
	}
	return appendCanonical(dst, name)
}

// appendCanonical appends a name with each word capitalised.
func appendCanonical[T string | []byte](dst []byte, name T) []byte {
	first := true
	for i := range len(name) {
		c := name[i]
		switch {
		case first && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		case !first && c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		first = c == '-'
		dst = append(dst, c)
	}
	return dst
}
