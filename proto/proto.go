package proto

import (
	"bufio"
	"net"

	"github.com/goerpc/erpc/message"
)

// A Proto is the wire format of one connection.
type Proto interface {
	// Version returns the identifier and the name of the format.
	Version() (id byte, name string)
	// Pack appends the wire form of m to dst and does no I/O, so that the
	// socket may coalesce several messages into one write. It may be called
	// concurrently: it runs outside of every lock, because encoding a body
	// runs code of the user. If it fails, what it returns is thrown away and
	// nothing is written.
	Pack(dst []byte, m *message.Message) ([]byte, error)
	// Unpack reads exactly one message. It fills the header and hands over
	// the body undecoded with [message.Message.SetRaw]; it keeps nothing of
	// r's buffer in m. limit bounds, in bytes, the frame and what its filters
	// inflate to; Unpack must check it before it allocates. It is never called
	// concurrently with itself. An error other than io.EOF between two
	// messages ends the connection.
	Unpack(r *bufio.Reader, m *message.Message, limit int) error
}

// A Func makes the Proto of a new connection.
type Func = func() Proto

// An InOrder is a [Proto] that can tell whether the other side reads a message
// only when it has answered the one before, as HTTP/1.1 does.
type InOrder interface {
	Proto
	AnswersInOrder() bool
}

// A HeadPacker is a [Proto] that can write a message whose body is bytes in two
// parts, so that a large body need not be copied as a whole.
type HeadPacker interface {
	// PackHead appends all of the wire form of m that stands in front of a
	// body of n bytes, which follow as they are and end the frame. ok is false
	// if m can't be written so; then dst is as it was.
	PackHead(dst []byte, m *message.Message, n int) (_ []byte, ok bool)
}

// A Refuser is a [Proto] that has something to say to the other side before
// the connection is closed because of err, which its Unpack returned.
type Refuser interface {
	AppendRefusal(dst []byte, err error) []byte
}

// An Ender is a [Proto] that can say, after a message was answered, that no
// more of them are to be read from the connection.
type Ender interface {
	Ended() bool
}

// An Attacher is a [Proto] that is told of its connection before anything else
// is asked of it.
type Attacher interface{ Attach(Conn) }

// A Conn is what a [Proto] may know and ask of its connection.
type Conn interface {
	RemoteAddr() net.Addr
	// Inform queues bytes that are not a message, such as a note that the rest of
	// one may be sent. They are on their way before the other side is waited
	// for. It is for Unpack; what does not fit into the queue is dropped.
	Inform(b []byte)
}

// A Sequencer is a [Proto] that has to know in which order its calls leave,
// because the other side answers in that order and does not number its replies.
type Sequencer interface {
	// Sent is told of each message just before it can leave, in their order.
	// It is called with a lock held and must not block.
	Sent(mtype byte, seq int32)
}

// A Limited is a [Proto] that has no form for some types of message. A Proto that
// is not Limited carries any.
type Limited interface {
	CarriesType(mtype byte) bool
}
