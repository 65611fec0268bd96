package prototest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/goerpc/erpc/message"
)

// survive reads messages of b until an error. It fails if the format panics,
// returns a message without reading anything, or returns one that can't be used.
func (s *suite) survive(b []byte, limit int) error {
	return guard(func() error {
		src := bytes.NewReader(b)
		r := bufio.NewReader(src)
		f := s.newProto()
		left := len(b)
		for {
			var m message.Message
			err := f.Unpack(r, &m, limit)
			now := src.Len() + r.Buffered()
			switch {
			case err == io.EOF && now > 0:
				return fmt.Errorf("io.EOF with %d bytes unread", now)
			case err != nil:
				return nil
			case now >= left:
				return errors.New("a message that takes no bytes")
			}
			left = now
			if len(m.Raw()) > max(limit, len(b)) {
				return fmt.Errorf("a body of %d bytes, limit %d", len(m.Raw()), limit)
			}
			_, _ = m.String(), m.Meta().Len() // parses the metadata
		}
	})
}

func checkGarbage(s *suite) error {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 700 {
		b := make([]byte, rng.IntN(300))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if len(b) >= 4 && rng.IntN(2) == 0 { // a length that fits, so that more of it is parsed
			binary.BigEndian.PutUint32(b, uint32(len(b)-4*rng.IntN(2)))
		}
		if err := s.survive(b, limit); err != nil {
			return fmt.Errorf("%q: %w", b, err)
		}
	}
	for i := range 6 {
		frame, err := s.pack(s.nth(i))
		if err != nil {
			return err
		}
		for at := range frame {
			for _, x := range []byte{0x01, 0x20, 0x80, 0xff} {
				b := bytes.Clone(frame)
				b[at] ^= x
				if err := s.survive(b, limit); err != nil {
					return fmt.Errorf("%q, byte %d xor %#x: %w", frame, at, x, err)
				}
			}
			cut := append(bytes.Clone(frame[:at]), frame[at+1:]...)
			if err := s.survive(cut, limit); err != nil {
				return fmt.Errorf("%q without byte %d: %w", frame, at, err)
			}
		}
	}
	return nil
}

// mayAllocate is how many bytes one Unpack of a short input may allocate.
const mayAllocate = 1 << 20

// checkAnnounced reads frames that announce more than they contain.
func checkAnnounced(s *suite) error {
	inputs := slices.Clone(s.Hostile)
	for i := range 3 {
		p := s.nth(i)
		p.body = p.body[:min(len(p.body), 64)]
		frame, err := s.pack(p)
		if err != nil {
			return err
		}
		for at := range min(len(frame)-3, 96) {
			for _, v := range []uint32{0x7fffffff, 0xffffffff, 0x03fffff0, 0xffffff7f} {
				b := bytes.Clone(frame)
				binary.BigEndian.PutUint32(b[at:], v)
				inputs = append(inputs, b)
			}
		}
	}
	var before, after runtime.MemStats
	for _, b := range inputs {
		for _, limit := range []int{64 << 20, 1<<31 - 1} {
			r := bufio.NewReader(bytes.NewReader(b))
			f, m := s.newProto(), new(message.Message)
			runtime.ReadMemStats(&before)
			var err error
			panicked := guard(func() error {
				err = f.Unpack(r, m, limit)
				return nil
			})
			runtime.ReadMemStats(&after)
			if panicked != nil {
				return fmt.Errorf("%.200q, limit %d: %w", b, limit, panicked)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > mayAllocate {
				return fmt.Errorf("%.200q, limit %d: allocates %d bytes (error: %v)", b, limit, n, err)
			}
		}
	}
	return nil
}
