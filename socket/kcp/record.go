package kcp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"time"
)

// What two peers of this package send over KCP. Numbers are big-endian.
//
//	hello   = magic, keepalive period in ms (4 bytes; 0: none)
//	record  = type (1 byte), length (2 bytes), that many bytes
//
// The side that dials sends hello, the other side answers with its own. Records follow
// both ways. The last one is of type end; the other side answers with its own end once
// it has read everything and closes as well. Records of unknown types are ignored.
const (
	// No protocol of erpc begins with magic: as the size of a frame it would be
	// above 4 GB. Its last byte is the version.
	magic     = "\xfferpc\x01"
	helloSize = len(magic) + 4

	headSize  = 3
	maxRecord = 16 << 10 // bytes in a record that we send

	recordData = 0
	recordPing = 1
	recordEnd  = 2
)

// missed is after how many of its keepalive periods without a packet the other
// side is gone, but never before leastPatience.
const (
	missed        = 3
	leastPatience = time.Second
)

var errHello = errors.New("kcp: the other side sent something else than the hello of this version of erpc")

func appendHello(dst []byte, period time.Duration) []byte {
	ms := (period + time.Millisecond - 1) / time.Millisecond
	return binary.BigEndian.AppendUint32(append(dst, magic...), uint32(min(ms, math.MaxUint32)))
}

// helloPeriod returns the keepalive period of a hello.
func helloPeriod(hello []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(hello[len(magic):])) * time.Millisecond
}

// greet performs the handshake. On the accepting side the other one may turn out
// to be of v7.
func (c *Conn) greet() error {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.dialed && !c.greeted {
		if err := c.send(appendHello(nil, c.period)); err != nil {
			return err
		}
		c.greeted = true
	}
	for i := range len(magic) { // one by one: a client of v7 may send less at first
		b, err := c.in.Peek(i + 1)
		if err != nil {
			return err
		}
		if b[i] != magic[i] {
			if c.dialed {
				return errHello
			}
			return nil
		}
	}
	hello, err := c.in.Peek(helloSize)
	if err != nil {
		return err
	}
	period := helloPeriod(hello)
	if _, err := c.in.Discard(helloSize); err != nil {
		return err
	}
	if !c.dialed {
		if err := c.send(appendHello(nil, c.period)); err != nil {
			return err
		}
	}
	c.begin(period)
	return nil
}

// A recordReader extracts the data of records.
type recordReader struct {
	in   *bufio.Reader
	left int // bytes of the current record that are data
	skip int // bytes of the current record that are not
}

// Read returns io.EOF after the last record. After any other error of in, such as a
// deadline, the next Read continues where this one stopped.
func (r *recordReader) Read(p []byte) (int, error) {
	for r.left == 0 {
		n, err := r.in.Discard(r.skip)
		r.skip -= n
		if err != nil {
			return 0, err
		}
		head, err := r.in.Peek(headSize)
		if err != nil {
			return 0, err
		}
		size := int(binary.BigEndian.Uint16(head[1:]))
		switch head[0] {
		case recordEnd:
			return 0, io.EOF // again each time
		case recordData:
			r.left = size
		default:
			r.skip = size
		}
		if _, err := r.in.Discard(headSize); err != nil {
			return 0, err
		}
	}
	n, err := r.in.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

func appendHead(dst []byte, kind byte, n int) []byte {
	return binary.BigEndian.AppendUint16(append(dst, kind), uint16(n))
}
