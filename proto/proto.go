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
	// concurrently and holds no lock of the framework, because encoding a body
	// runs user code. If it fails, its result is discarded and nothing is written.
	Pack(dst []byte, m *message.Message) ([]byte, error)
	// Unpack reads exactly one message. It fills the header and sets the undecoded
	// body by [message.Message.SetRaw]. m must not refer to r's buffer. limit
	// bounds, in bytes, the frame and what its filters inflate to; Unpack must
	// check it before it allocates. It is never called concurrently with itself.
	// An error other than io.EOF between two messages ends the connection.
	Unpack(r *bufio.Reader, m *message.Message, limit int) error
}

// A Func makes the Proto of a new connection.
type Func = func() Proto

// An InOrder is a [Proto] that can tell whether the other side reads a message
// only after it has answered the previous one, as HTTP/1.1 does.
type InOrder interface {
	Proto
	AnswersInOrder() bool
}

// A HeadPacker is a [Proto] that can write a message whose body is bytes in two
// parts, so that a large body need not be copied as a whole.
type HeadPacker interface {
	// PackHead appends the part of the wire form of m in front of a body of n
	// bytes, which must follow unchanged and end the frame. If m can't be written
	// this way, ok is false and dst is returned unchanged.
	PackHead(dst []byte, m *message.Message, n int) (_ []byte, ok bool)
}

// A Refuser is a [Proto] that tells the other side why the connection is closed:
// because of err, which its Unpack returned.
type Refuser interface {
	AppendRefusal(dst []byte, err error) []byte
}

// An Ender is a [Proto] that can end the reading: Ended is asked after a message
// was answered whether no more must be read from the connection.
type Ender interface {
	Ended() bool
}

// An Attacher is a [Proto] that gets its connection before any other method is
// called.
type Attacher interface{ Attach(Conn) }

// A Conn is the connection as a [Proto] sees it.
type Conn interface {
	RemoteAddr() net.Addr
	// Inform queues bytes that are not a message, such as a permission to send the
	// rest of one. They are written before the next read waits for the other side.
	// Only Unpack may call it; bytes that do not fit into the queue are dropped.
	Inform(b []byte)
}

// A Sequencer is a [Proto] that has to know in which order its calls are sent,
// because the other side answers in that order and does not number its replies.
type Sequencer interface {
	// Sent is called for each message, in order, just before it can be written. It
	// is called with a lock held and must not block.
	Sent(mtype byte, seq int32)
}

// A Limited is a [Proto] that has no form for some types of message. A Proto that
// is not Limited carries any.
type Limited interface {
	CarriesType(mtype byte) bool
}
