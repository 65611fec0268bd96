package httproto

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/gzip"
)

// gzipped is the Content-Encoding for clients that do not know filters. It is not
// registered, so its ID has no meaning.
var gzipped = func() xfer.XferFilter {
	f, err := gzip.New(1, "gzip", gzip.BestSpeed)
	if err != nil {
		panic(err) // can't happen: the level is valid
	}
	return f
}()

const (
	maxChunkLine = 256      // bytes, extensions included
	maxOverhead  = 16 << 10 // bytes of chunk heads above a fixed part of their chunks
	maxTrailer   = 8 << 10  // bytes
	firstBody    = 4 << 10  // bytes of storage for a body of unknown length
)

// readBody returns the body as it is on the wire, in the storage of m. head is the
// length of what precedes it. untilEnd says that a body without a length ends with
// the connection.
func (f *format) readBody(r *bufio.Reader, m *message.Message, h *fields, head, limit int, untilEnd bool) ([]byte, error) {
	var b []byte
	var err error
	wire := head
	switch {
	case h.chunked:
		b, wire, err = readChunks(r, m, head, limit)
	case h.length > int64(limit-head):
		return nil, tooLarge(statusTooLarge, "a message of %d bytes", int64(head)+h.length)
	case h.length > 0:
		wire += int(h.length)
		var own bool
		b, own, err = proto.ReadFrame(r, m, int(h.length))
		if err == nil && !own {
			b = m.Store(b)
		}
	case h.length < 0 && untilEnd:
		b, err = readToEnd(r, m, limit-head)
		wire += len(b)
	}
	if err != nil {
		return nil, err
	}
	m.SetSize(uint32(wire))
	return b, nil
}

// readChunks reads a chunked body and its trailer, which is dropped.
func readChunks(r *bufio.Reader, m *message.Message, head, limit int) (b []byte, wire int, err error) {
	w := bodyWriter{m: m}
	wire = head
	for overhead := 0; ; {
		line, err := readLine(r, maxChunkLine)
		if err != nil {
			return nil, 0, err
		}
		n, err := chunkSize(line)
		if err != nil {
			return nil, 0, err
		}
		if n > limit-wire-len(w.b) {
			return nil, 0, tooLarge(statusTooLarge, "a body of more than %d bytes", limit-head)
		}
		overhead += len(line) + 4 - 16 - n
		if overhead > maxOverhead { // chunks of one byte have that much
			return nil, 0, malformed("chunks of little but their heads")
		}
		overhead = max(overhead, 0)
		if n == 0 {
			break
		}
		if err := w.read(r, n); err != nil {
			return nil, 0, err
		}
		if end, err := readLine(r, maxChunkLine); err != nil {
			return nil, 0, err
		} else if len(end) > 0 {
			return nil, 0, malformed("a chunk longer than it says")
		}
	}
	for left := maxTrailer; ; {
		line, err := readLine(r, maxTrailer)
		if err != nil {
			return nil, 0, err
		}
		if len(line) == 0 {
			return w.b, wire + len(w.b), nil
		}
		left -= len(line)
		if left < 0 {
			return nil, 0, tooLarge(statusHeadTooLarge, "a trailer of more than %d bytes", maxTrailer)
		}
	}
}

// chunkSize parses the first line of a chunk. Extensions are dropped.
func chunkSize(line []byte) (int, error) {
	size, _, _ := bytes.Cut(line, []byte{';'})
	n, err := strconv.ParseUint(string(bytes.TrimRight(size, " \t")), 16, 31)
	if errors.Is(err, strconv.ErrRange) {
		return 0, tooLarge(statusTooLarge, "a chunk of %.20s bytes", size)
	}
	if err != nil {
		return 0, malformed("a chunk of %.40q bytes", size)
	}
	return int(n), nil
}

// readLine returns a line without its end, valid until r is read again.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case err == io.EOF:
		return nil, io.ErrUnexpectedEOF
	case err == bufio.ErrBufferFull || err == nil && len(line) > limit+2:
		return nil, malformed("a line of more than %d bytes within a body", limit)
	case err != nil:
		return nil, err
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.ContainsFunc(line, func(c rune) bool { return c < 0x80 && isControl(byte(c)) }) {
		return nil, malformed("a line %.40q within a body", line)
	}
	return line, nil
}

// A bodyWriter collects a body of unknown length in the storage of its message,
// which grows with what has arrived.
type bodyWriter struct {
	m *message.Message
	b []byte
}

// read reads n bytes.
func (w *bodyWriter) read(r *bufio.Reader, n int) error {
	for n > 0 {
		w.grow()
		k := min(n, cap(w.b)-len(w.b))
		got, err := io.ReadFull(r, w.b[len(w.b):len(w.b)+k])
		w.b = w.b[:len(w.b)+got]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// grow makes room for at least one byte.
func (w *bodyWriter) grow() {
	if len(w.b) < cap(w.b) {
		return
	}
	n := max(firstBody, 2*len(w.b))
	b := w.m.StorageUpTo(n, n)
	w.b = b[:copy(b, w.b)]
}

// readToEnd reads a body that ends with the connection.
func readToEnd(r *bufio.Reader, m *message.Message, limit int) ([]byte, error) {
	w := bodyWriter{m: m}
	for {
		_, err := r.Peek(1)
		if err == io.EOF {
			return w.b, nil
		}
		if err != nil {
			return nil, err
		}
		if r.Buffered() > limit-len(w.b) {
			return nil, tooLarge(statusTooLarge, "a body of more than %d bytes", limit)
		}
		if err := w.read(r, r.Buffered()); err != nil {
			return nil, err
		}
	}
}

// decode undoes the filters and encodings of a body.
func (h *fields) decode(m *message.Message, b []byte, limit int) ([]byte, error) {
	known, err := h.pipe(m)
	if err != nil {
		return nil, err
	}
	switch {
	case known:
		b, err = m.XferPipe().OnUnpackLimit(b, limit)
	case len(h.encoding) == 0 || bytes.EqualFold(h.encoding, []byte("identity")):
		return b, nil
	case bytes.EqualFold(h.encoding, []byte("gzip")) || bytes.EqualFold(h.encoding, []byte("x-gzip")):
		b, err = gzipped.(xfer.LimitedUnpacker).OnUnpackLimit(b, xfer.InflateLimit(len(b), limit))
	default:
		return nil, refuse(statusUnsupportedType, "Content-Encoding %.40q; only gzip is known", h.encoding)
	}
	switch {
	case errors.Is(err, xfer.ErrTooLarge):
		return nil, tooLarge(statusTooLarge, "%v", err)
	case err != nil:
		return nil, malformed("%v", err)
	}
	return b, nil
}

// pipe sets the filters that the sender names. known is false if it names none, or
// one that is not registered here while the Content-Encoding says gzip.
func (h *fields) pipe(m *message.Message) (known bool, err error) {
	for names := h.filters; len(names) > 0; known = true {
		var name []byte
		name, names, _ = bytes.Cut(names, []byte{','})
		filter, err := xfer.GetByName(string(bytes.TrimSpace(name)))
		if err == nil {
			err = m.XferPipe().Append(filter.ID())
		}
		if err == nil {
			continue
		}
		m.XferPipe().Reset()
		if len(h.encoding) > 0 && !bytes.Contains(h.filters, []byte{','}) {
			return false, nil
		}
		return false, malformed("%v", err)
	}
	return known, nil
}

// appendNames appends the names of the filters of a message, outermost first.
func appendNames(dst []byte, m *message.Message) ([]byte, error) {
	for i, name := range m.XferPipe().Names() {
		for _, c := range []byte(name) {
			if c == ',' || isControl(c) {
				return dst, fmt.Errorf("httproto: the filter name %q can't stand in a header; register it with another", name)
			}
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, name...)
	}
	return dst, nil
}
