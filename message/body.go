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

// SetBody sets the value of the body: in a message to send, the value to encode;
// in one being read, the value that [Message.UnmarshalBody] decodes into.
func (m *Message) SetBody(v any) { m.body, m.zero = v, false }

// BodyIsZero says that the body that was set points to a zero value, which no one has
// written to. Some codecs decode faster into one; see [codec.ZeroUnmarshaler].
func (m *Message) BodyIsZero() { m.zero = true }

// SetNewBody sets a function that makes the value to decode into, for messages
// whose type is known only after their header has been read.
func (m *Message) SetNewBody(f NewBodyFunc) { m.newBody = f }

// Raw returns the undecoded body of a message just read, with its filters undone.
// It is valid until the message is reset.
func (m *Message) Raw() []byte { return m.raw }

// SetRaw sets the undecoded body of a message just read. raw must not change until
// the message is reset: it is a part of what [Message.Store] or [Message.Storage]
// returned, or bytes that belong to the message alone.
func (m *Message) SetRaw(raw []byte) { m.raw = raw }

// Storage returns n bytes that belong to the message until it is reset. What was
// stored before may be overwritten.
func (m *Message) Storage(n int) []byte {
	if cap(m.buf) < n {
		m.buf = bufpool.Make(n)
	}
	m.buf = m.buf[:n]
	return m.buf
}

// StorageUpTo is like Storage, for between n and most bytes: as many as are
// available without allocating more than n.
func (m *Message) StorageUpTo(n, most int) []byte {
	if cap(m.buf) < most {
		if b := bufpool.Get(most); b != nil {
			m.buf = b
		}
	}
	if cap(m.buf) < n {
		m.Storage(n) // may return more
	}
	m.buf = m.buf[:min(most, cap(m.buf))]
	return m.buf
}

// SetEarnedStorage says how long a frame may be that gets its storage before its bytes
// have arrived. Sockets call it for the messages they read, with the length of the
// message before: a side that has sent that much once may be about to do it again.
func (m *Message) SetEarnedStorage(n uint32) { m.earned = n }

// EarnedStorage is what [Message.SetEarnedStorage] has set.
func (m *Message) EarnedStorage() int { return int(m.earned) }

// Keep makes b the storage. It is what the caller has grown from
// [Message.Storage].
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

// MarshalBody returns the encoded body. A body that is bytes is returned as it is.
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

// AppendBody appends the encoded body to dst. A body that is bytes is appended as
// it is; without a body it appends nothing. If the codec panics, it returns a
// [PanicError].
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

// appendLarge is append that tries to reuse a large buffer before it allocates
// one.
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
// function of [Message.SetNewBody] makes. Without data, or without a body, there
// is nothing to decode. A *[]byte gets a copy, or, if the body is large, the bytes
// themselves. The error wraps [codec.ErrTooLarge] if the body would decode to more
// than [codec.DecodeLimit] allows; it is a [codec.NotAcceptedError] if
// [Message.SetCodecs] leaves the codec out, and a [PanicError] if the codec
// panics. With a [DecodeRoom] it may wait for room, or return the error of the
// room.
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
	room := m.room
	if room == nil {
		room = unbounded{}
	}
	return m.unmarshalIn(room, c, data)
}

func (m *Message) unmarshalIn(room DecodeRoom, c codec.Codec, data []byte) error {
	limit := m.decodeLimit(len(data))
	// A rough bound is cheap, and sufficient while there is plenty of room.
	switch rough := codec.Cost(c, data, m.body, limit); {
	case rough <= FreeDecode:
		return m.decode(c, data)
	case rough <= limit && room.TryTake(rough):
		defer room.Give(rough)
		return m.decode(c, data)
	}
	cost, err := codec.CostWithin(c, data, m.body, limit)
	if err != nil {
		return err
	}
	if err := room.Take(cost); err != nil {
		return err
	}
	defer room.Give(cost)
	return m.decode(c, data)
}

// decode decodes data into the body.
func (m *Message) decode(c codec.Codec, data []byte) error {
	if m.zero {
		m.zero = false // from now on
		return codec.UnmarshalZero(c, data, m.body)
	}
	return c.Unmarshal(data, m.body)
}

// FreeDecode is how many bytes a body may decode to without asking a
// [DecodeRoom].
const FreeDecode = 1 << 10

// A DecodeRoom bounds the memory that a receiver spends on decoded bodies. Its
// methods may be called concurrently.
type DecodeRoom interface {
	// TryTake is Take for a rough bound, which may be far too large. It reports
	// false, and does not wait, if n bytes leave little room for others.
	TryTake(n int) bool
	// Take waits until a body that takes at most n bytes (see [codec.Coster]) may
	// be decoded, or returns the reason why it may not.
	Take(n int) error
	// Give returns the n bytes that Take or TryTake took, when the decoding has
	// ended.
	Give(n int)
}

// unbounded is a [DecodeRoom] with room for everything.
type unbounded struct{}

func (unbounded) TryTake(int) bool { return true }
func (unbounded) Take(int) error   { return nil }
func (unbounded) Give(int)         {}

// defaultReadLimit is the read limit, in bytes, of messages without one.
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

// SetReadLimit sets how long a frame of the connection may be, in bytes. How much
// a body may decode to follows from it (see [codec.DecodeLimit]). Sockets call it
// for the messages they read; 0 means 64 MiB.
func (m *Message) SetReadLimit(n int) { m.readLimit = n }

// SetCodecs sets which codecs the receiver decodes; nil means all registered ones.
// Sockets call it for the messages they read.
func (m *Message) SetCodecs(s *codec.Set) { m.codecs = s }

// leastGiven is the length, in bytes, from which the storage of the message is
// given away with a body. It is at least the size of a socket's read buffer, which
// holds shorter bodies.
const leastGiven = 64 << 10

// SetDecodeRoom sets the room to take from before the body is decoded; nil means
// no bound. Sockets call it for the messages they read.
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
