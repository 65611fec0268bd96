package prototest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

func checkHeader(s *suite) error {
	var errs []error
	try := func(change func(*sample)) {
		p := s.base()
		change(&p)
		errs = append(errs, guard(func() error { return s.roundTrip(p) }))
	}
	for _, v := range s.Types {
		try(func(p *sample) { p.mtype = v })
	}
	for _, v := range s.Seqs {
		try(func(p *sample) { p.seq = v })
	}
	for _, v := range s.Methods {
		try(func(p *sample) { p.method = v })
	}
	for _, v := range s.Codecs {
		try(func(p *sample) { p.codec = v })
	}
	for _, v := range s.Meta {
		try(func(p *sample) { p.meta = v })
	}
	for _, t := range s.Types {
		for _, v := range s.Statuses {
			try(func(p *sample) { p.mtype, p.status = t, v })
		}
	}
	return errors.Join(errs...)
}

// manyBytes is the length above which a body is tried only once.
const manyBytes = 64 << 10

func checkBody(s *suite) error {
	var errs []error
	for i, t := range s.Types {
		for _, v := range s.Bodies {
			if i > 0 && len(v) > manyBytes {
				continue
			}
			p := s.base()
			p.mtype, p.body = t, v
			errs = append(errs, guard(func() error { return s.roundTrip(p) }))
		}
	}
	return errors.Join(errs...)
}

func checkFilters(s *suite) error {
	var errs []error
	lists := [][]byte{s.Filters, append(bytes.Clone(s.Filters), s.Filters...)}
	for _, id := range s.Filters {
		lists = append(lists, []byte{id})
	}
	for _, v := range s.Bodies {
		for i, ids := range lists {
			if i > 0 && len(v) > manyBytes {
				continue
			}
			p := s.base()
			p.body, p.filters = v, ids
			errs = append(errs, guard(func() error { return s.roundTrip(p) }))
		}
	}
	return errors.Join(errs...)
}

func checkSize(s *suite) error {
	for i := range 20 {
		frame, err := s.pack(s.nth(i))
		if err != nil {
			return err
		}
		m, err := s.unpack(frame, limit)
		if err != nil {
			return err
		}
		if d := int(m.Size()) - len(frame); d > s.Slack || d < -s.Slack {
			return fmt.Errorf("%v: size is %d, but the frame has %d bytes", s.nth(i), m.Size(), len(frame))
		}
	}
	return nil
}

func checkLimit(s *suite) error {
	for _, body := range s.Bodies {
		p := s.base()
		p.body = body
		frame, err := s.pack(p)
		if err != nil {
			return err
		}
		m, err := s.unpack(frame, len(frame))
		if err != nil {
			return fmt.Errorf("a frame of %d bytes, limit %d: %w", len(frame), len(frame), err)
		}
		if err := s.same(m, p); err != nil {
			return err
		}
		for _, limit := range []int{len(frame) - 1 - s.Slack, len(frame) / 2, 1, 0} {
			if limit < 0 || limit >= len(frame)-s.Slack {
				continue
			}
			m, err := s.unpack(frame, limit)
			if !errors.Is(err, proto.ErrTooLarge) {
				return fmt.Errorf("a frame of %d bytes, limit %d: the error is %v, want one that wraps proto.ErrTooLarge", len(frame), limit, err)
			}
			if err := s.owner(m, p); err != nil {
				return fmt.Errorf("a frame of %d bytes, limit %d: %w", len(frame), limit, err)
			}
		}
	}
	return nil
}

// owner checks that a message that was too large has either its type and sequence
// number or neither.
func (s *suite) owner(m *message.Message, p sample) error {
	if m.Mtype() != message.TypeUndefined && (m.Mtype() != p.mtype || m.Seq() != p.seq) {
		return fmt.Errorf("type and sequence number of the message that was not read are %d and %d, want %d and %d, or type 0",
			m.Mtype(), m.Seq(), p.mtype, p.seq)
	}
	return nil
}

func checkInflatedLimit(s *suite) error {
	for _, id := range s.Filters {
		p := s.base()
		p.body, p.filters = make([]byte, 1<<20), []byte{id}
		if s.bodyIsText() {
			p.body = bytes.Repeat([]byte("a"), 1<<20)
		}
		frame, err := s.pack(p)
		if err != nil {
			return err
		}
		if len(frame) > len(p.body)/2 {
			continue // a filter that does not deflate
		}
		limit := len(frame) + len(p.body)/2
		if _, err := s.unpack(frame, limit); !errors.Is(err, proto.ErrTooLarge) {
			return fmt.Errorf("filter %q: a frame of %d bytes that inflates to %d, limit %d: the error is %v, want one that wraps proto.ErrTooLarge",
				id, len(frame), len(p.body), limit, err)
		}
	}
	return nil
}

// bodyIsText reports whether no body of the options has zero bytes.
func (s *suite) bodyIsText() bool {
	for _, b := range s.Bodies {
		if bytes.IndexByte(b, 0) >= 0 {
			return false
		}
	}
	return true
}
