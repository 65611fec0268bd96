package proto

import (
	"bufio"
	"io"

	"github.com/goerpc/erpc/internal/bufpool"
	"github.com/goerpc/erpc/message"
)

// firstRead is how much of a large frame is read before more storage is made:
// storage grows with what has arrived, not with what a length claims. Only a
// connection that has carried a message of that length before gets all of it at once
// ([message.Message.EarnedStorage]), so that it does not wait, and nothing is copied.
const firstRead = 256 << 10

// ReadFrame reads the next n bytes. If they fit into r's buffer, b is a part of
// that buffer, own is false, and b is valid until the next read of r. Otherwise
// they are read into the storage of m, which owns them. If the stream ends inside
// the frame, the error is [io.ErrUnexpectedEOF]. The caller must have checked n
// against its limit.
func ReadFrame(r *bufio.Reader, m *message.Message, n int) (b []byte, own bool, err error) {
	if n <= r.Size() {
		b, err = r.Peek(n)
		if err != nil {
			return nil, false, midFrame(err)
		}
		_, err = r.Discard(n)
		return b, false, err
	}
	b = m.StorageUpTo(step(max(firstRead, m.EarnedStorage()), n), n)
	for got := 0; ; {
		k, err := io.ReadFull(r, b[got:])
		if err != nil {
			return nil, false, midFrame(err)
		}
		got += k
		if got == n {
			return b, true, nil
		}
		old := b
		b = m.StorageUpTo(step(8*got, n), n)
		copy(b, old)
		bufpool.Put(old) // still in the CPU's cache, for the next large frame
	}
}

// step returns next, the storage for a part of a frame of n bytes, or n if the rest
// is small: one more step would copy everything again.
func step(next, n int) int {
	if next >= n-n/8 {
		return n
	}
	return next
}

// PeekHead returns the next n bytes without consuming them. If the stream ends, it
// returns [io.EOF] between two messages and [io.ErrUnexpectedEOF] inside one.
func PeekHead(r *bufio.Reader, n int) ([]byte, error) {
	head, err := r.Peek(n)
	if err == io.EOF && len(head) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return head, err
}

func midFrame(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
