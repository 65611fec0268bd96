package thriftproto

import (
	"bufio"
	"encoding/binary"
	"errors"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// Errors of Pack. The message can't be written in this format, and nothing was
// written.
var (
	ErrTooManyFilters = errors.New("thriftproto: more than 8 transfer filters")
	ErrFilters        = errors.New("thriftproto: this format has no transfer filters, use thrift-binary for them")
	ErrHeaderTooLong  = errors.New("thriftproto: status and metadata are longer than 262140 bytes")
	ErrFrameTooLong   = errors.New("thriftproto: frame longer than 1 GiB, the most that thrift allows")
	ErrType           = errors.New("thriftproto: this format has no such type of message")
	ErrNotThrift      = errors.New("thriftproto: the body must be a thrift struct, or the bytes of one with codec thrift; use thrift-binary for others")
)

// prefix is the size of a frame's length, in bytes. The length does not include
// it.
const prefix = 4

// headWindow is how many bytes of a frame above the limit are searched for its
// type and sequence number. Only bytes that have arrived are searched, because a
// sender that announces a length may never send more.
const headWindow = 4 << 10

// readFrame reads the next frame, without its length, into the storage of m. It
// passes the beginning of a frame above the limit to owner, which reports whether
// more bytes would help.
func readFrame(r *bufio.Reader, m *message.Message, limit int, owner func(m *message.Message, head []byte) (cut bool)) ([]byte, error) {
	head, err := proto.PeekHead(r, prefix)
	if err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(head))
	switch size := n + prefix; {
	case n>>16 == binaryVersion || n>>24 == compactID && n>>16&compactVersionMask == compactVersion:
		return nil, malformed("a message without a frame; give the client a framed or a header transport")
	case n < 4:
		return nil, malformed("a frame of %d bytes", n)
	case size > int64(limit):
		head, err := r.Peek(int(min(size, headWindow, int64(r.Buffered()))))
		if err != nil {
			return nil, err
		}
		return nil, proto.TooLarge("thriftproto", size, owner(m, head[prefix:]) && len(head) < headWindow)
	default:
		m.SetSize(uint32(size))
	}
	if _, err := r.Discard(prefix); err != nil {
		return nil, err
	}
	b, own, err := proto.ReadFrame(r, m, int(n))
	if err != nil {
		return nil, err
	}
	if !own {
		b = m.Store(b)
	}
	return b, nil
}

// endFrame writes the length of the frame that begins at start and ends dst.
func endFrame(dst []byte, start int) ([]byte, error) {
	n := int64(len(dst) - start - prefix)
	if n > int64(thrift.THeaderMaxFrameSize) {
		return dst, ErrFrameTooLong
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(n))
	return dst, nil
}
