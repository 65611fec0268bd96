package thriftproto

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/xfer"
)

func (s *stock) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	b, err := readFrame(r, m, limit, s.owner)
	if err != nil {
		return err
	}
	c := cursor{b: b}
	d, h, err := c.head()
	if err != nil {
		return err
	}
	if d.zlib {
		c.b, err = inflate(c.b, limit)
		if err != nil {
			return err
		}
	}
	kind, err := s.begin(&c, m, d)
	if err != nil {
		return err
	}
	body := c.b
	if d.compact {
		body, err = transcode(nil, body, true, limit)
		switch {
		case errors.Is(err, proto.ErrTooLarge):
			return fmt.Errorf("thriftproto: in binary protocol: %w", err)
		case err != nil:
			body = nil
		}
	}
	if len(body) == 0 {
		body = undecodable
	}
	if kind == thrift.EXCEPTION {
		if err := exceptionReply(m, body); err != nil {
			return err
		}
	} else {
		m.SetBodyCodec(codec.ID_THRIFT)
		m.SetRaw(body)
	}
	return h.pairs(func(k, v []byte) error { return stockPair(m, kind, k, v) })
}

func stockPair(m *message.Message, kind thrift.TMessageType, k, v []byte) error {
	if string(k) != HeaderStatus {
		if m.Meta().Len() >= message.MaxMetaEntries {
			return malformed("%w", message.ErrMetaTooLong)
		}
		m.Meta().Add(string(k), string(v))
		return nil
	}
	if kind != thrift.EXCEPTION {
		return nil
	}
	st, err := message.ParseStatus(v)
	if err != nil {
		return malformed("%w", err)
	}
	if !st.OK() {
		m.SetStatus(st)
	}
	return nil
}

// head consumes what precedes the message and returns the message's dialect.
func (c *cursor) head() (d dialect, h header, err error) {
	switch first := (&cursor{b: c.b}).u16(); {
	case first == headerMagic:
		h, err = c.header()
		return dialect{header: true, compact: h.compact, zlib: h.zlib}, h, err
	case first == binaryVersion:
	case first>>8 == compactID:
		d.compact = true
	default:
		var word [4]byte
		copy(word[:], c.b)
		err = malformed("a frame that begins with %#08x; use binary protocol, strict, or compact, and plain frames or a THeader", binary.BigEndian.Uint32(word[:]))
	}
	return d, h, err
}

// begin consumes the beginning of the message.
func (s *stock) begin(c *cursor, m *message.Message, d dialect) (thrift.TMessageType, error) {
	b, err := c.begin(d.compact)
	if err != nil {
		return 0, err
	}
	mtype, err := mtypeOf(b.kind)
	if err != nil {
		return 0, err
	}
	m.SetSeq(b.seq)
	if mtype != message.TypeReply {
		name := string(b.name)
		if s.names.isOneway(name) {
			mtype = message.TypePush
		}
		s.speak(d)
		if mtype == message.TypeCall {
			s.ask(b.seq, name)
		}
		m.SetInTurn(!s.concurrent)
		m.SetServiceMethod(s.names.serviceMethod(name))
	}
	m.SetMtype(mtype)
	return b.kind, nil
}

// owner sets the type and sequence number of a message that will not be read, or
// reports that head is too short for that.
func (s *stock) owner(m *message.Message, head []byte) (cut bool) {
	c := cursor{b: head}
	if len(head) < 2 {
		return true
	}
	d, _, err := c.head()
	if err == nil && !d.zlib { // compression hides them
		_, err = s.begin(&c, m, d)
	}
	return err != nil && c.bad
}

func inflate(b []byte, limit int) ([]byte, error) {
	limit = xfer.InflateLimit(len(b), limit)
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, malformed("zlib: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return nil, malformed("zlib: %w", err)
	case len(out) > limit:
		return nil, fmt.Errorf("thriftproto: zlib: %w", proto.ErrTooLarge)
	}
	return out, nil
}
