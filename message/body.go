package message

import (
	"errors"
	"math"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/bufpool"
	"github.com/goerpc/erpc/internal/guard"
)

// Body returns the value of the body: what is to be sent, or what was decoded.
func (m *Message) Body() any { return m.body }

// SetBody sets the value of the body. Of a message to be sent it is what will
// be encoded; of one being read, what [Message.UnmarshalBody] decodes into.
func (m *Message) SetBody(v any) { m.body = v }

// SetNewBody sets a function that makes the value to decode into, for messages
// whose type is known only when their header has been read.
func (m *Message) SetNewBody(f NewBodyFunc) { m.newBody = f }

// Raw returns the undecoded body of a message just read, filters undone. It is
// valid until the message is reset.
func (m *Message) Raw() []byte { return m.raw }

// SetRaw sets the body bytes of a message just read. raw must stay as it is
// until the message is reset: a part of what [Message.Store] or
// [Message.Storage] returned, or bytes that nobody else uses.
func (m *Message) SetRaw(raw []byte) { m.raw = raw }

// Storage returns n bytes that belong to the message until it is reset. What
// was stored before is lost, but for bytes that the caller holds on to.
func (m *Message) Storage(n int) []byte {
	if cap(m.buf) < n {
		m.buf = bufpool.Make(n)
	}
	m.buf = m.buf[:n]
	return m.buf
}

// StorageUpTo is Storage for between n and most bytes: as many as there are at
// hand without allocating more than n.
func (m *Message) StorageUpTo(n, most int) []byte {
	if cap(m.buf) < most {
		if b := bufpool.Get(most); b != nil {
			m.buf = b
		}
	}
	if cap(m.buf) < n {
		m.Storage(n) // which may have more
	}
	m.buf = m.buf[:min(most, cap(m.buf))]
	return m.buf
}

// Keep makes b, what [Message.Storage] has grown to, the storage.
func (m *Message) Keep(b []byte) { m.buf = b }

// GiveStorage hands the storage to the caller, who owns it from now on.
func (m *Message) GiveStorage() []byte {
	b := m.buf
	m.buf = nil
	return b
}

// Store copies b into the storage of the message.
func (m *Message) Store(b []byte) []byte {
	s := m.Storage(len(b))
	copy(s, b)
	return s
}

// MarshalBody returns the encoded body. Bodies that are bytes are returned as
// they are.
func (m *Message) MarshalBody() ([]byte, error) {
	switch b := m.body.(type) {
	case []byte:
		return b, nil
	case *[]byte:
		if b == nil {
			return nil, nil
		}
		return *b, nil
	}
	return m.AppendBody(nil)
}

// AppendBody appends the encoded body to dst. Bodies that are bytes go as they
// are; without a body it appends nothing. A codec that panics gives a [PanicError].
func (m *Message) AppendBody(dst []byte) (_ []byte, err error) {
	switch b := m.body.(type) {
	case nil:
		return dst, nil
	case []byte:
		return appendLarge(dst, b), nil
	case *[]byte:
		if b == nil {
			return dst, nil
		}
		return appendLarge(dst, *b), nil
	}
	c, err := codec.Get(m.bodyCodec)
	if err != nil {
		return dst, err
	}
	defer guard.Catch(&err, "codec", c.Name())
	return codec.Append(dst, c, m.body)
}

// appendLarge is append that looks for a large buffer before it makes one.
func appendLarge(dst, b []byte) []byte {
	dst = bufpool.Grow(dst, len(b))
	for len(b) > copyPiece { // in pieces, because the collector can't interrupt a copy
		dst = append(dst, b[:copyPiece]...)
		b = b[copyPiece:]
	}
	return append(dst, b...)
}

const copyPiece = 256 << 10 // bytes

// UnmarshalBody decodes data into the body that was set, or into what the
// function of [Message.SetNewBody] makes. Without data, or without a body,
// there is nothing to decode. A *[]byte gets a copy, or a large body itself. A
// body that would decode to more than [codec.DecodeLimit] allows gives an error
// that wraps [codec.ErrTooLarge], one in a codec that [Message.SetCodecs] leaves
// out a [codec.NotAcceptedError], a codec that panics a [PanicError]. Where there
// is a [DecodeRoom] it may wait for room, or return the error of that.
func (m *Message) UnmarshalBody(data []byte) (err error) {
	if m.body == nil && m.newBody != nil {
		m.body = m.newBody(&m.Header)
	}
	if len(data) == 0 || m.body == nil {
		return nil
	}
	if b, ok := m.body.(*[]byte); ok {
		if b == nil {
			return errors.New("message: cannot decode a body into a nil *[]byte; pass the address of a []byte")
		}
		m.bytes(b, data)
		return nil
	}
	c, err := codec.Get(m.bodyCodec)
	if err != nil {
		return err
	}
	if err := m.codecs.Check(c); err != nil {
		return err
	}
	defer guard.Catch(&err, "codec", c.Name())
	limit := m.decodeLimit(len(data))
	if m.room == nil {
		return codec.UnmarshalLimit(c, data, m.body, limit)
	}
	return m.unmarshalInRoom(c, data, limit)
}

func (m *Message) unmarshalInRoom(c codec.Codec, data []byte, limit int) error {
	// A rough bound is cheap, and does as long as there is plenty of room.
	switch rough := codec.Cost(c, data, m.body, limit); {
	case rough <= FreeDecode:
		return c.Unmarshal(data, m.body)
	case rough <= limit && m.room.TryTake(rough):
		defer m.room.Give(rough)
		return c.Unmarshal(data, m.body)
	}
	cost, err := codec.CostWithin(c, data, m.body, limit)
	if err != nil {
		return err
	}
	if err := m.room.Take(cost); err != nil {
		return err
	}
	defer m.room.Give(cost)
	return c.Unmarshal(data, m.body)
}

// FreeDecode is how many bytes a body may decode to without asking a
// [DecodeRoom].
const FreeDecode = 1 << 10

// A DecodeRoom bounds the memory that a receiver spends on decoded bodies. Its
// methods may be called concurrently.
type DecodeRoom interface {
	// TryTake is Take for a bound that may be far too large. It reports false,
	// and does not wait, if n bytes leave little room for others.
	TryTake(n int) bool
	// Take waits until a body may be decoded that takes n bytes at most (see
	// [codec.Coster]), or returns why it may not.
	Take(n int) error
	// Give ends the decoding for which Take or TryTake took n bytes.
	Give(n int)
}

// defaultReadLimit, in bytes, is the read limit for messages that nobody has
// told theirs.
const defaultReadLimit = 64 << 20

// decodeLimit is how many bytes a body of n bytes may decode to.
func (m *Message) decodeLimit(n int) int {
	wire := int(min(int64(m.size), math.MaxInt32))
	if wire == 0 {
		wire = n
	}
	limit := m.readLimit
	if limit == 0 {
		limit = defaultReadLimit
	}
	return codec.DecodeLimit(wire, limit)
}

// SetReadLimit says how long a frame of the connection may be, in bytes, from
// which follows how much its body may decode to (see [codec.DecodeLimit]).
// Sockets call it for the messages they read; 0 stands for 64 MiB.
func (m *Message) SetReadLimit(n int) { m.readLimit = n }

// SetCodecs says which codecs the receiver decodes; nil stands for all that are
// registered. Sockets call it for the messages they read.
func (m *Message) SetCodecs(s *codec.Set) { m.codecs = s }

// leastGiven is the length, in bytes, from which a body is given away with the
// storage of the message. It is at least the size of a socket's read buffer, in
// which shorter bodies lie.
const leastGiven = 64 << 10

// SetDecodeRoom says whom to ask for room before the body is decoded; nil is
// nobody. Sockets call it for the messages they read.
func (m *Message) SetDecodeRoom(r DecodeRoom) { m.room = r }

// bytes gives data to *b: a copy, or, if it is large and there is no room in
// *b, the storage of the message itself.
func (m *Message) bytes(b *[]byte, data []byte) {
	if len(data) >= leastGiven && cap(*b) < len(data) && len(m.raw) == len(data) && &m.raw[0] == &data[0] {
		*b = data[:len(data):len(data)]
		m.buf, m.raw = nil, data
		return
	}
	*b = append((*b)[:0], data...)
}
