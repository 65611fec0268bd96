package session

import (
	"context"

	"github.com/goerpc/erpc/message"
)

// A StreamCtx is what a hook of the messages of a stream sees.
type StreamCtx interface {
	// Swap is the store of the stream, which is also that of the hooks of its
	// opening. Context is that of the stream.
	PreCtx
	ServiceMethod() string
	// Opener reports whether this side opened the stream.
	Opener() bool
	// Index returns the number of the message in its direction, from 0.
	Index() uint64
	// Message returns the message. A message to be sent has its body, which is not
	// encoded yet; a received one has its bytes, which are not decoded yet. Its
	// metadata is sent with it.
	Message() *message.Message
}

// A StreamEndCtx is what a hook of the end of a stream sees.
type StreamEndCtx interface {
	// Swap is the store of the stream, which is also that of the hooks of its
	// opening. Context is that of the stream, which has ended.
	PreCtx
	ServiceMethod() string
	// Opener reports whether this side opened the stream.
	Opener() bool
	// Status returns how the stream ended.
	Status() *message.Status
	// Counts returns how many messages were sent, and how many have arrived.
	Counts() (sent, received uint64)
}

// A streamEndCtx lasts as long as its exchange.
type streamEndCtx struct {
	*exchange
	method         string
	opener         bool
	sent, received uint64
}

func (c *streamEndCtx) ServiceMethod() string           { return c.method }
func (c *streamEndCtx) Opener() bool                    { return c.opener }
func (c *streamEndCtx) Counts() (sent, received uint64) { return c.sent, c.received }

// A streamCtx is pooled with its exchange.
type streamCtx struct {
	*exchange
	s     *Stream
	m     *message.Message
	index uint64
}

func (c *streamCtx) Context() context.Context  { return c.s.ctx }
func (c *streamCtx) ServiceMethod() string     { return c.s.method }
func (c *streamCtx) Opener() bool              { return c.s.opener() }
func (c *streamCtx) Index() uint64             { return c.index }
func (c *streamCtx) Message() *message.Message { return c.m }

// tell runs the hooks of the end of a stream. A panic is logged.
func (c streamEndCtx) tell(hooks *Hooks) {
	for _, h := range hooks.postEndStream {
		end := c
		_ = c.hooked(func() *message.Status { // a failed hook stops nothing
			h.PostEndStream(&end)
			return nil
		})
	}
}
