package main

import (
	"encoding/binary"
	"fmt"
	"net"
)

// A frame is the length of the body in 4 bytes, the number of the caller's
// slot in 4 bytes, both little-endian, and the body.
const headLen = 8

// maxBody is the maximum size that a frame may announce.
const maxBody = 1 << 20

// appendHead reserves the head of a frame at the end of b.
func appendHead(b []byte) []byte { return append(b, 0, 0, 0, 0, 0, 0, 0, 0) }

// setHead fills the head of the frame that begins at b[0] and ends with b.
func setHead(b []byte, slot uint32) {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-headLen))
	binary.LittleEndian.PutUint32(b[4:], slot)
}

// A frames reads frames from a connection, many with one read. It must not be
// used after an error.
type frames struct {
	conn net.Conn
	buf  []byte
	r, w int // what is read but not yet taken is buf[r:w]
}

const readSize = 64 << 10

func newFrames(conn net.Conn) *frames { return &frames{conn: conn, buf: make([]byte, readSize)} }

// buffered returns the next frame if it has been read whole. Its body is valid
// until the next call of fill.
func (f *frames) buffered() (slot uint32, body []byte, ok bool) {
	b := f.buf[f.r:f.w]
	if len(b) < headLen {
		return 0, nil, false
	}
	end := headLen + int(binary.LittleEndian.Uint32(b))
	if len(b) < end {
		return 0, nil, false
	}
	f.r += end
	return binary.LittleEndian.Uint32(b[4:]), b[headLen:end:end], true
}

// fill makes room for the next frame and reads once.
func (f *frames) fill() error {
	if f.r > 0 {
		f.w = copy(f.buf, f.buf[f.r:f.w])
		f.r = 0
	}
	if f.w >= headLen {
		n := int(binary.LittleEndian.Uint32(f.buf))
		if n > maxBody {
			return fmt.Errorf("limit: a frame of %d bytes", n)
		}
		n += headLen
		if n > len(f.buf) {
			f.buf = append(make([]byte, 0, n), f.buf[:f.w]...)[:n]
		}
	}
	n, err := f.conn.Read(f.buf[f.w:])
	f.w += n
	return err
}
