package thriftproto

import (
	"encoding/binary"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/message"
)

const (
	binaryVersion      = 0x8001 // in the upper half of the first word
	compactID          = thrift.COMPACT_PROTOCOL_ID
	compactVersion     = thrift.COMPACT_VERSION
	compactVersionMask = thrift.COMPACT_VERSION_MASK
	compactTypeShift   = thrift.COMPACT_TYPE_SHIFT_AMOUNT
)

// A dialect is the encoding of a message.
type dialect struct {
	header  bool // in a THeader frame rather than a plain one
	compact bool // in thrift's compact protocol rather than its binary one
	zlib    bool // with header: compressed
}

// A begin is the first part of a message: its name, type and sequence number.
type begin struct {
	kind thrift.TMessageType
	name []byte
	seq  int32
}

// begin consumes the beginning of a message.
func (c *cursor) begin(compact bool) (begin, error) {
	var b begin
	if compact {
		id, version := c.u8(), c.u8()
		if !c.bad && (id != compactID || version&compactVersionMask != compactVersion) {
			return b, malformed("not a message of thrift's compact protocol")
		}
		b.kind = thrift.TMessageType(version >> compactTypeShift)
		b.seq = int32(c.varint())
		b.name = c.text()
	} else {
		version := c.u16()
		if !c.bad && version != binaryVersion {
			return b, malformed("not a message of thrift's strict binary protocol")
		}
		b.kind = thrift.TMessageType(c.u16() & 0xff)
		b.name = c.take(int(int32(c.u32())))
		b.seq = int32(c.u32())
	}
	if c.bad {
		return b, malformed("a frame shorter than the beginning of its message")
	}
	return b, nil
}

func (b begin) appendTo(dst []byte, compact bool) []byte {
	if compact {
		dst = append(dst, compactID, compactVersion|byte(b.kind)<<compactTypeShift)
		dst = appendVarint(dst, uint32(b.seq))
		return append(appendVarint(dst, uint32(len(b.name))), b.name...)
	}
	dst = binary.BigEndian.AppendUint16(dst, binaryVersion)
	dst = append(dst, 0, byte(b.kind))
	dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(b.name))), b.name...)
	return binary.BigEndian.AppendUint32(dst, uint32(b.seq))
}

// kindOf returns thrift's type of a message, 0 if it has none.
func kindOf(mtype byte) thrift.TMessageType {
	switch mtype {
	case message.TypeCall:
		return thrift.CALL
	case message.TypeReply:
		return thrift.REPLY
	case message.TypePush:
		return thrift.ONEWAY
	}
	return thrift.INVALID_TMESSAGE_TYPE
}

// mtypeOf is the inverse of kindOf; an EXCEPTION is a reply.
func mtypeOf(kind thrift.TMessageType) (byte, error) {
	switch kind {
	case thrift.CALL:
		return message.TypeCall, nil
	case thrift.REPLY, thrift.EXCEPTION:
		return message.TypeReply, nil
	case thrift.ONEWAY:
		return message.TypePush, nil
	}
	return 0, malformed("a message of type %d", kind)
}
