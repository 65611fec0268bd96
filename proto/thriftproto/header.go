package thriftproto

import (
	"encoding/binary"
	"math"

	"github.com/apache/thrift/lib/go/thrift"
)

// Keys of the pairs in a header.
const (
	// HeaderStatus is the status, query text.
	HeaderStatus = "Tp-Status"
	// HeaderMeta is the metadata, query text.
	HeaderMeta = "Tp-Meta"
	// HeaderBodyCodec is the ID of the body codec, one byte.
	HeaderBodyCodec = "Tp-BodyCodec"
	// HeaderXferPipe is the IDs of the transfer filters, outermost first.
	HeaderXferPipe = "Tp-XferPipe"

	// headerMtype is the type of a message for which thrift has none, one byte.
	headerMtype = "Tp-Mtype"
)

const headerMagic = uint16(thrift.THeaderHeaderMagic >> 16)

// A header is what precedes the message in a THeader frame.
type header struct {
	compact bool   // the protocol of the message
	zlib    bool   // the message is compressed
	info    []byte // the pairs, unparsed
}

// header consumes a header that begins with its magic number.
func (c *cursor) header() (header, error) {
	if c.u16() != headerMagic {
		return header{}, malformed("a frame without a THeader")
	}
	c.take(2 + 4) // flags, and the sequence number, which the message has too
	in := cursor{b: c.take(4 * int(c.u16()))}
	if c.bad {
		return header{}, malformed("a frame shorter than its header")
	}
	var h header
	switch id := thrift.THeaderProtocolID(in.varint()); id {
	case thrift.THeaderProtocolBinary:
	case thrift.THeaderProtocolCompact:
		h.compact = true
	default:
		return header{}, malformed("protocol %d in a header; use binary (0) or compact (2)", id)
	}
	for range in.varint() {
		switch id := thrift.THeaderTransformID(in.varint()); {
		case in.bad:
		case id == thrift.TransformNone:
		case id == thrift.TransformZlib && !h.zlib:
			h.zlib = true
		default:
			return header{}, malformed("transform %d in a header; use none or zlib (1), once", id)
		}
		if in.bad {
			break
		}
	}
	if in.bad {
		return header{}, malformed("a header shorter than it says")
	}
	h.info = in.b
	return h, nil
}

// pairs calls f with every pair of the header. key and value are parts of the
// frame.
func (h header) pairs(f func(key, value []byte) error) error {
	in := cursor{b: h.info}
	for len(in.b) > 0 && thrift.THeaderInfoType(in.varint()) == thrift.InfoKeyValue {
		for range in.varint() {
			key, value := in.text(), in.text()
			if in.bad {
				return malformed("a header shorter than it says")
			}
			if err := f(key, value); err != nil {
				return err
			}
		}
	}
	if in.bad {
		return malformed("a header shorter than it says")
	}
	return nil
}

// A headerWriter appends a frame with a header.
type headerWriter struct {
	dst   []byte
	start int // of the header, after its length
}

// beginHeader appends room for the length of a frame, which [endFrame] fills in,
// and a header without pairs.
func beginHeader(dst []byte, seq int32, d dialect) headerWriter {
	dst = binary.BigEndian.AppendUint16(append(dst, 0, 0, 0, 0), headerMagic)
	dst = binary.BigEndian.AppendUint32(append(dst, 0, 0), uint32(seq))
	w := headerWriter{start: len(dst) + 2}
	id := thrift.THeaderProtocolBinary
	if d.compact {
		id = thrift.THeaderProtocolCompact
	}
	dst = append(dst, 0, 0, byte(id))
	if d.zlib {
		dst = append(dst, 1, byte(thrift.TransformZlib))
	} else {
		dst = append(dst, 0)
	}
	w.dst = dst
	return w
}

// count writes how many pairs follow.
func (w *headerWriter) count(n int) {
	if n > 0 {
		w.dst = appendVarint(append(w.dst, byte(thrift.InfoKeyValue)), uint32(n))
	}
}

// key appends a key. A value must follow.
func (w *headerWriter) key(k string) {
	w.dst = append(appendVarint(w.dst, uint32(len(k))), k...)
}

func (w *headerWriter) pair(k, v string) {
	w.key(k)
	w.key(v)
}

func (w *headerWriter) byte(k string, v byte) {
	w.key(k)
	w.dst = append(w.dst, 1, v)
}

// query appends a pair whose value f appends to a buffer.
func (w *headerWriter) query(k string, f func([]byte) []byte) {
	w.key(k)
	at := len(w.dst)
	w.dst = f(append(w.dst, 0)) // most lengths take one byte
	n := len(w.dst) - at - 1
	if n < 0x80 {
		w.dst[at] = byte(n)
		return
	}
	var length [binary.MaxVarintLen32]byte
	k1 := binary.PutUvarint(length[:], uint64(n))
	w.dst = append(w.dst, length[:k1-1]...) // to make room
	copy(w.dst[at+k1:], w.dst[at+1:at+1+n])
	copy(w.dst[at:], length[:k1])
}

// end pads the header and returns the buffer, to which the message is appended.
func (w *headerWriter) end() ([]byte, error) {
	for (len(w.dst)-w.start)%4 != 0 {
		w.dst = append(w.dst, 0)
	}
	words := (len(w.dst) - w.start) / 4
	if words > math.MaxUint16 {
		return w.dst, ErrHeaderTooLong
	}
	binary.BigEndian.PutUint16(w.dst[w.start-2:], uint16(words))
	return w.dst, nil
}
