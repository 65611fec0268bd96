package thriftproto

import (
	"encoding/binary"

	"github.com/goerpc/erpc/proto"
)

// A cursor consumes fields of b. Once one is missing, it stays bad.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || len(c.b) < n {
		c.bad = true
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// varint consumes an unsigned integer of 32 bits in at most five bytes. Thrift
// writes negative numbers this way too.
func (c *cursor) varint() uint32 {
	var n uint64
	for shift := 0; shift < 35; shift += 7 {
		x := c.u8()
		n |= uint64(x&0x7f) << shift
		if x < 0x80 {
			return uint32(n)
		}
	}
	c.bad = true
	return 0
}

// text consumes a length and a text.
func (c *cursor) text() []byte { return c.take(int(int32(c.varint()))) }

func appendVarint(dst []byte, n uint32) []byte { return binary.AppendUvarint(dst, uint64(n)) }

func malformed(form string, args ...any) error { return proto.Malformed("thriftproto", form, args...) }
