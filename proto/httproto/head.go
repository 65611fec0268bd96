package httproto

import (
	"bufio"
	"io"
)

// readHead returns the lines of a head, including the empty one at its end. They
// are valid until the next read of r or of a head. It accepts only what HTTP
// allows there: lines that end in CR LF, without control characters, because
// anything that two readers interpret differently allows request smuggling.
func (f *format) readHead(r *bufio.Reader, limit int) ([]byte, error) {
	s := headScanner{maxLine: f.cfg.MaxLine, maxLines: f.cfg.MaxFields + 1}
	limit = min(f.cfg.MaxHead, limit)
	f.keepHead()
	for {
		if _, err := r.Peek(1); err != nil {
			if err == io.EOF && len(f.head) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		b, _ := r.Peek(r.Buffered()) // they are buffered
		n, done, err := s.scan(b)
		if err != nil {
			return nil, err
		}
		if len(f.head)+n > limit {
			return nil, tooLarge(statusHeadTooLarge, "a head of more than %d bytes", limit)
		}
		whole := done && len(f.head) == 0
		if !whole {
			f.head = append(f.head, b[:n]...)
		}
		if _, err := r.Discard(n); err != nil {
			return nil, err
		}
		switch {
		case whole:
			return b[:n], nil
		case done:
			return f.head, nil
		}
	}
}

// keepHead empties the storage of heads that arrive in pieces, and releases it and
// that of metadata if they have grown.
func (f *format) keepHead() {
	const maxKept = 4 << 10
	f.head = f.head[:0]
	if cap(f.head) > maxKept {
		f.head = nil
	}
	if cap(f.text) > maxKept {
		f.text = nil
	}
}

// maxBlank is how many empty lines may precede a message: old clients send one
// after a body.
const maxBlank = 2

// A headScanner finds the end of a head in pieces of it.
type headScanner struct {
	maxLine, maxLines int
	length            int // of the current line
	lines, blank      int
	cr                bool
}

// scan returns how much of b belongs to the head, and whether that ends there.
func (s *headScanner) scan(b []byte) (n int, done bool, err error) {
	for i, c := range b {
		switch {
		case s.cr:
			if c != '\n' {
				return 0, false, malformed("a carriage return within a line")
			}
			s.cr = false
			if s.length == 0 {
				if s.lines > 0 {
					return i + 1, true, nil
				}
				s.blank++
				if s.blank > maxBlank {
					return 0, false, malformed("empty lines in front of a message")
				}
				continue
			}
			s.length = 0
			s.lines++
			if s.lines > s.maxLines {
				return 0, false, tooLarge(statusHeadTooLarge, "more than %d header fields", s.maxLines-1)
			}
		case c == '\r':
			s.cr = true
		case isControl(c):
			return 0, false, malformed("a control character %#02x in a head", c)
		default:
			s.length++
			if s.length > s.maxLine {
				status := statusHeadTooLarge
				if s.lines == 0 {
					status = statusTargetTooLong
				}
				return 0, false, tooLarge(status, "a line of more than %d bytes", s.maxLine)
			}
		}
	}
	return len(b), false, nil
}

// isControl reports whether c is not allowed within a line of a head.
func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

// nextLine splits off the first line of a head.
func nextLine(b []byte) (line, rest []byte) {
	for i := range b {
		if b[i] == '\r' {
			return b[:i], b[i+2:]
		}
	}
	return b, nil
}

// isToken reports whether b is a token, as methods and names of fields are.
func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenByte[c] {
			return false
		}
	}
	return len(b) > 0
}

var tokenByte = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()
