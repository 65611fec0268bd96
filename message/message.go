package message

import (
	"context"
	"fmt"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/bufpool"
	"github.com/goerpc/erpc/xfer"
)

// maxKept is the largest storage, in bytes, that a message keeps across resets, so
// that one large message does not enlarge a pool for good.
const maxKept = 16 << 10

// A Message is one unit of the wire. Its zero value is ready to use. It is not
// safe for concurrent use and is owned by one goroutine at a time.
//
// A message owns the bytes it was read from: protocols copy them out of the
// connection's buffer into the message ([Message.Store]), so a message may be
// passed to another goroutine while reading from the connection goes on.
type Message struct {
	Header
	pipe xfer.XferPipe

	ctx       context.Context
	body      any
	zero      bool // see BodyIsZero
	newBody   NewBodyFunc
	raw       []byte // undecoded body, part of buf or of the output of a filter
	buf       []byte // storage, kept across resets
	size      uint32
	earned    uint32     // see SetEarnedStorage
	readLimit int        // see SetReadLimit
	codecs    *codec.Set // see SetCodecs
	room      DecodeRoom // see SetDecodeRoom
	fault     error      // of a setting; packing returns it
	turn      bool       // see InTurn
}

// NewBodyFunc returns the value that the body is decoded into, once the header
// is known. It may return nil: then the body is not decoded.
type NewBodyFunc = func(*Header) any

// New returns a message with the settings applied.
func New(settings ...Setting) *Message {
	m := new(Message)
	m.Apply(settings)
	return m
}

// Apply applies settings in order and skips nil ones.
func (m *Message) Apply(settings []Setting) {
	for _, set := range settings {
		if set != nil {
			set(m)
		}
	}
}

// Context returns the context of the exchange, which is never nil.
func (m *Message) Context() context.Context {
	if m.ctx == nil {
		return context.Background()
	}
	return m.ctx
}

// SetContext sets the context of the exchange; nil stands for
// [context.Background].
func (m *Message) SetContext(ctx context.Context) { m.ctx = ctx }

// XferPipe returns the transfer filters, outermost first.
func (m *Message) XferPipe() *xfer.XferPipe { return &m.pipe }

// Size returns the length of the frame in bytes: of the one that was read, or of
// the last one packed. Before that it is 0.
func (m *Message) Size() uint32 { return m.size }

// SetSize records the length of the frame; protocols and sockets call it.
func (m *Message) SetSize(n uint32) { m.size = n }

// InTurn reports whether the protocol requires that this message is answered
// before the next one of its connection is read, as HTTP without sequence numbers
// does.
func (m *Message) InTurn() bool { return m.turn }

// SetInTurn is called by protocols; see [Message.InTurn].
func (m *Message) SetInTurn(on bool) { m.turn = on }

// Err returns the first error of a setting, such as an unknown transfer filter,
// else [ErrMetaTooLong] or [ErrStatusTooLong] if they apply. A message with an
// error can't be packed.
func (m *Message) Err() error {
	if m.fault != nil {
		return m.fault
	}
	if err := m.status.checkSize(); err != nil {
		return err
	}
	return m.meta.checkSize()
}

func (m *Message) fail(err error) {
	if m.fault == nil {
		m.fault = err
	}
}

// Reset clears m for reuse and applies settings. Storage of ordinary size is
// kept.
func (m *Message) Reset(settings ...Setting) {
	m.mtype, m.bodyCodec, m.seq, m.method, m.status = 0, 0, 0, "", nil
	m.meta.Reset()
	m.pipe.Reset()
	m.ctx, m.body, m.newBody, m.raw = nil, nil, nil, nil
	m.size, m.earned, m.readLimit, m.codecs, m.room, m.fault, m.turn, m.zero = 0, 0, 0, nil, nil, nil, false, false
	if cap(m.buf) > maxKept {
		bufpool.Put(m.buf)
		m.buf = nil
	}
	m.Apply(settings)
}

// String describes the message for logs and debugging. Of the body it shows only
// the type.
func (m *Message) String() string {
	return fmt.Sprintf("%s seq=%d method=%q status={%s} meta=%q codec=%d filters=%v body=%T size=%d",
		TypeText(m.mtype), m.seq, m.method, m.status, m.meta.QueryString(), m.bodyCodec, m.pipe.Names(), m.body, m.size)
}
