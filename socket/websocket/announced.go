package websocket

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// The library counts the bytes of a message as they arrive. A message whose head
// announces more than the limit is refused here, as soon as the head has arrived, so
// that nothing of it is held in memory.

// announced is a response writer whose connection is watched once it is taken over.
type announced struct {
	http.ResponseWriter
	limit int64
}

// Unwrap is for [http.ResponseController].
func (a announced) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Hijack implements [http.Hijacker].
func (a announced) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil { // can't happen: so many bytes are buffered
		_ = conn.Close() // discarded
		return nil, nil, err
	}
	w := &watched{Conn: conn, in: io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn), heads: heads{limit: a.limit}}
	rw.Reader.Reset(w)
	return w, rw, nil
}

// A watched connection stops reading at the head of a message that is too large.
type watched struct {
	net.Conn
	in     io.Reader
	answer *answer // of the server, in front of the frames; nil once it is over, and on the server side
	heads  heads   // of the reader
	err    error   // sticky
}

// watchDialed returns conn, on which the handshake has not begun.
func watchDialed(conn net.Conn, limit int64) *watched {
	return &watched{Conn: conn, in: conn, answer: new(answer), heads: heads{limit: limit}}
}

// An answer follows the head of an HTTP response, to find where frames begin. It
// recognises the end of a head as net/http does, where a line feed alone ends a
// line.
type answer struct {
	status []byte // the first line, up to maxStatusLine bytes
	first  bool   // the first line is over
	length int    // of the line that has begun, without carriage returns
	done   bool   // the head is over
}

// maxStatusLine is how much of the first line is kept, in bytes.
const maxStatusLine = 64

// see returns how many of the next bytes belong to the head.
func (a *answer) see(b []byte) int {
	for i, c := range b {
		switch {
		case a.done:
			return i
		case c == '\n':
			a.done = a.length == 0
			a.first, a.length = true, 0
		case c != '\r':
			a.length++
			if !a.first && len(a.status) < maxStatusLine {
				a.status = append(a.status, c)
			}
		}
	}
	return len(b)
}

// code returns the status code of the head, "" if there is none.
func (a *answer) code() string {
	f := strings.Fields(string(a.status))
	if len(f) < 2 {
		return ""
	}
	return f[1]
}

func (w *watched) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.in.Read(p)
	if w.answer != nil {
		return w.readAnswer(p[:n], err)
	}
	w.err = w.heads.see(p[:n])
	if w.err != nil {
		return 0, w.err
	}
	return n, err
}

// readAnswer completes a read of b, which begins in the server's answer. Bytes
// behind the answer are left to the next read, so that a wrong frame does not fail
// the handshake.
func (w *watched) readAnswer(b []byte, err error) (int, error) {
	n := w.answer.see(b)
	if !w.answer.done {
		return n, err
	}
	switch code := w.answer.code(); {
	case code == "101":
		w.answer = nil
	case strings.HasPrefix(code, "1"):
		w.answer = new(answer) // another one follows
	default:
		return len(b), err // not an upgrade: the handshake fails
	}
	if n < len(b) {
		w.in = io.MultiReader(bytes.NewReader(bytes.Clone(b[n:])), w.in)
		err = nil // the next read returns it
	}
	return n, err
}

// heads follows the heads of frames in a stream (RFC 6455, 5.2): two bytes, of which
// the second has the length or says that 2 or 8 bytes of it follow, then 4 of a mask.
type heads struct {
	limit int64
	head  []byte // the bytes of an incomplete head
	skip  int64  // bytes of a payload that have not arrived yet
	size  int64  // of the message so far
}

// see looks at the next bytes. It returns an error if they announce too much.
func (h *heads) see(b []byte) error {
	for len(b) > 0 {
		if h.skip > 0 {
			n := min(h.skip, int64(len(b)))
			h.skip -= n
			b = b[n:]
			continue
		}
		h.head = append(h.head, b[0])
		b = b[1:]
		n, whole := frameHead(h.head)
		if !whole {
			continue
		}
		control, fin := h.head[0]&8 != 0, h.head[0]&0x80 != 0
		h.head = h.head[:0]
		if n < 0 || control {
			h.skip = max(n, 0) // the library refuses a wrong length
			continue
		}
		if n > h.limit-h.size {
			return fmt.Errorf("%w: %d bytes are announced, the limit is %d", websocket.ErrMessageTooBig, n, h.limit)
		}
		h.size += n
		h.skip = n
		if fin {
			h.size = 0
		}
	}
	return nil
}

// frameHead returns the length of the payload if head is the whole head of a frame.
// It is negative if the number is, as an int64.
func frameHead(head []byte) (n int64, whole bool) {
	if len(head) < 2 {
		return 0, false
	}
	more := 0
	if head[1]&0x80 != 0 {
		more = 4
	}
	short := head[1] & 0x7f
	switch short {
	case 126:
		if len(head) < 4+more {
			return 0, false
		}
		return int64(binary.BigEndian.Uint16(head[2:])), true
	case 127:
		if len(head) < 10+more {
			return 0, false
		}
		return int64(binary.BigEndian.Uint64(head[2:])), true
	default:
		return int64(short), len(head) >= 2+more
	}
}
