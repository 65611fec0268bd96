package prototest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing/iotest"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// readAll reads n messages from r and then the end.
func (s *suite) readAll(r *bufio.Reader, n int) error {
	f := s.newProto()
	var m message.Message
	for i := range n {
		m.Reset()
		if err := f.Unpack(r, &m, limit); err != nil {
			return fmt.Errorf("message %d of %d: %w", i, n, err)
		}
		if err := s.same(&m, s.nth(i)); err != nil {
			return fmt.Errorf("message %d of %d: %w", i, n, err)
		}
	}
	m.Reset()
	if err := f.Unpack(r, &m, limit); err != io.EOF {
		return fmt.Errorf("behind %d messages the error is %v, want io.EOF", n, err)
	}
	return nil
}

func checkStream(s *suite) error {
	for _, n := range []int{0, 2, 1000} {
		b, _, err := s.frames(n)
		if err != nil {
			return err
		}
		if err := s.readAll(bufio.NewReader(bytes.NewReader(b)), n); err != nil {
			return err
		}
	}
	return nil
}

func checkSlowReader(s *suite) error {
	const n = 12
	b, _, err := s.frames(n)
	if err != nil {
		return err
	}
	for name, r := range map[string]io.Reader{
		"byte by byte":            iotest.OneByteReader(bytes.NewReader(b)),
		"half of what is asked":   iotest.HalfReader(bytes.NewReader(b)),
		"end with the last bytes": iotest.DataErrReader(bytes.NewReader(b)),
	} {
		if err := s.readAll(bufio.NewReader(r), n); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

var errBroken = errors.New("the connection broke")

// checkReadError checks that an error of the connection can be distinguished from
// one of the format: a session handles deadlines itself.
func checkReadError(s *suite) error {
	frame, err := s.pack(s.base())
	if err != nil {
		return err
	}
	for _, n := range []int{0, 1, len(frame) / 2, len(frame) - 1} {
		r := io.MultiReader(bytes.NewReader(frame[:n]), iotest.ErrReader(errBroken))
		err := s.newProto().Unpack(bufio.NewReader(r), new(message.Message), limit)
		if !errors.Is(err, errBroken) {
			return fmt.Errorf("the connection breaks after %d bytes: the error is %v, want one that wraps that of the connection", n, err)
		}
	}
	return nil
}

// checkTruncated ends a stream of two messages at every byte of the second.
func checkTruncated(s *suite) error {
	for i := range 6 {
		p := s.nth(i)
		if len(p.body) > 300 {
			p.body = p.body[:300]
		}
		frame, err := s.pack(p)
		if err != nil {
			return err
		}
		for n := 1; n < len(frame); n++ {
			r := bufio.NewReader(bytes.NewReader(append(bytes.Clone(frame), frame[:n]...)))
			f := s.newProto()
			if err := f.Unpack(r, new(message.Message), limit); err != nil {
				return err
			}
			err := guard(func() error { return f.Unpack(r, new(message.Message), limit) })
			switch {
			case err == nil:
				return fmt.Errorf("%d of %d bytes are taken for a message: %v", n, len(frame), p)
			case errors.Is(err, io.EOF):
				return fmt.Errorf("after %d of %d bytes the error is io.EOF, which means an end between messages", n, len(frame))
			case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, proto.ErrMalformed):
				return fmt.Errorf("after %d of %d bytes the error is %v, want io.ErrUnexpectedEOF or proto.ErrMalformed", n, len(frame), err)
			}
		}
	}
	return nil
}

// checkOwnership overwrites the buffer from which a message was read.
func checkOwnership(s *suite) error {
	for i := range 24 {
		p := s.nth(i)
		p.body = s.Bodies[i%len(s.Bodies)]
		if i >= len(s.Bodies) && len(p.body) > manyBytes {
			continue
		}
		frame, err := s.pack(p)
		if err != nil {
			return err
		}
		r := bufio.NewReaderSize(bytes.NewReader(frame), 64<<10)
		f := s.newProto()
		m := new(message.Message)
		if err := f.Unpack(r, m, limit); err != nil {
			return err
		}
		for _, c := range []byte{0xa5, '"'} {
			r.Reset(bytes.NewReader(bytes.Repeat([]byte{c}, r.Size())))
			if _, err := r.Peek(r.Size()); err != nil {
				return err
			}
			if err := s.same(m, p); err != nil {
				return fmt.Errorf("after the reader's buffer was overwritten: %w", err)
			}
		}
	}
	return nil
}

// checkReuse reads messages into the same value, as sessions do, while others
// are still in use.
func checkReuse(s *suite) error {
	const n = 40
	b, _, err := s.frames(n)
	if err != nil {
		return err
	}
	r := bufio.NewReader(bytes.NewReader(b))
	f := s.newProto()
	var ring [3]message.Message
	var held [3]int
	for i := range n {
		slot := i % len(ring)
		ring[slot].Reset()
		held[slot] = i
		if err := f.Unpack(r, &ring[slot], limit); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		for k := range min(i+1, len(ring)) {
			if err := s.same(&ring[k], s.nth(held[k])); err != nil {
				return fmt.Errorf("message %d, after message %d was read into another value: %w", held[k], i, err)
			}
		}
	}
	return nil
}
