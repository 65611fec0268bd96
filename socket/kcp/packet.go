package kcp

import "encoding/binary"

// A packet of KCP is one or more segments, each a head of 24 bytes and its data.
// Numbers are little endian:
//
//	conversation 4, command 1, fragment 1, window 2, timestamp 4,
//	sequence number 4, next one expected 4, length of the data 4
//
// With parity packets switched on, 8 bytes stand in front: a sequence number of 4
// bytes, the kind of packet of 2, and a length of 2 that a parity packet lacks.
const (
	segmentSize = 24
	parityHead  = 8

	kindData   = 0xf1 // segments follow
	kindParity = 0xf2
	kindAside  = 0xf3 // an unreliable message, which erpc does not use

	cmdPush  = 81 // data
	cmdAck   = 82
	cmdProbe = 83 // asks for the size of the window
)

// A segment has those fields of a segment's head that this package uses.
type segment struct {
	conv   uint32
	cmd    byte
	window uint16
	ts, sn uint32
}

func (s segment) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, s.conv)
	dst = append(dst, s.cmd, 0)
	dst = binary.LittleEndian.AppendUint16(dst, s.window)
	dst = binary.LittleEndian.AppendUint32(dst, s.ts)
	dst = binary.LittleEndian.AppendUint32(dst, s.sn)
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0) // expects the first; no data
}

// cutSegment returns the first segment of b and the bytes behind it.
func cutSegment(b []byte) (s segment, rest []byte, ok bool) {
	if len(b) < segmentSize {
		return segment{}, nil, false
	}
	s = segment{
		conv:   binary.LittleEndian.Uint32(b),
		cmd:    b[4],
		window: binary.LittleEndian.Uint16(b[6:]),
		ts:     binary.LittleEndian.Uint32(b[8:]),
		sn:     binary.LittleEndian.Uint32(b[12:]),
	}
	size := binary.LittleEndian.Uint32(b[20:])
	b = b[segmentSize:]
	if uint64(size) > uint64(len(b)) {
		return segment{}, nil, false
	}
	return s, b[size:], true
}

// segments returns the segments of an unencrypted packet; ok is false if it has
// none. parity says that it is a parity packet, which repairs other packets.
func segments(packet []byte) (b []byte, parity, ok bool) {
	if len(packet) < parityHead {
		return nil, false, false
	}
	switch binary.LittleEndian.Uint16(packet[4:]) {
	case kindData:
		return packet[parityHead:], false, true
	case kindParity:
		return nil, true, true
	case kindAside:
		return nil, false, false
	}
	return packet, false, true // without parity packets
}

// wantsAnswer reports whether the other side acknowledges an unencrypted packet
// that we send.
func wantsAnswer(packet []byte) bool {
	b, _, ok := segments(packet)
	for ok {
		var s segment
		s, b, ok = cutSegment(b)
		if ok && (s.cmd == cmdPush || s.cmd == cmdProbe) {
			return true
		}
	}
	return false
}
