package prototest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/message"
)

// checkAppend packs into buffers that are not empty and whose spare capacity is
// not zeroed.
func checkAppend(s *suite) error {
	for i := range 12 {
		p := s.nth(i)
		for _, room := range []int{0, 1, 64, 1 << 20} {
			held := []byte("what was there before")
			dst := bytes.Repeat([]byte{0xa5}, len(held)+room)
			dst = dst[:copy(dst, held)]
			out, err := s.newProto().Pack(dst, p.message())
			if err != nil {
				return fmt.Errorf("pack of %v: %w", p, err)
			}
			frame, ok := bytes.CutPrefix(out, held)
			if !ok || !bytes.Equal(dst, held) {
				return fmt.Errorf("pack of %v changed what was in the buffer: %.100q", p, out)
			}
			m, err := s.unpack(frame, limit)
			if err != nil {
				return fmt.Errorf("unpack of %v, packed behind %d bytes with room for %d: %w", p, len(held), room, err)
			}
			if err := s.same(m, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFailedPack packs values that can't be encoded, and then a good one.
func checkFailedPack(s *suite) error {
	f := s.newProto()
	held := []byte("what was there before")
	dst := append(make([]byte, 0, 4096), held...)
	for name, body := range map[string]any{
		"a channel as JSON":          make(chan int),
		"a value that panics":        panics{},
		"a value without an encoder": func() {},
	} {
		m := s.base().message()
		m.SetBodyCodec(codec.ID_JSON)
		m.SetBody(body)
		if _, err := f.Pack(dst, m); err == nil {
			return fmt.Errorf("%s is packed", name)
		}
		if !bytes.Equal(dst, held) {
			return fmt.Errorf("%s: pack changed what was in the buffer: %.100q", name, dst)
		}
		p := s.base()
		frame, err := f.Pack(nil, p.message())
		if err != nil {
			return fmt.Errorf("%s: the next message fails too: %w", name, err)
		}
		m, err = s.unpack(frame, limit)
		if err != nil {
			return fmt.Errorf("%s: the next message: %w", name, err)
		}
		if err := s.same(m, p); err != nil {
			return fmt.Errorf("%s: the next message: %w", name, err)
		}
	}
	return nil
}

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("an encoder of the user") }

// checkConcurrent packs on several goroutines at once, while another one reads.
func checkConcurrent(s *suite) error {
	const workers, rounds = 8, 60
	f := s.newProto()
	stream, lengths, err := s.frames(rounds)
	if err != nil {
		return err
	}
	errs := make([]error, workers+1)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			errs[w] = guard(func() error {
				for i := range rounds {
					p := s.nth(w*7 + i)
					frame, err := f.Pack(nil, p.message())
					if err != nil {
						return err
					}
					m, err := s.unpack(frame, limit)
					if err != nil {
						return fmt.Errorf("packed concurrently: %w", err)
					}
					if err := s.same(m, p); err != nil {
						return fmt.Errorf("packed concurrently: %w", err)
					}
				}
				return nil
			})
		})
	}
	wg.Go(func() {
		errs[workers] = guard(func() error {
			r := bufio.NewReader(bytes.NewReader(stream))
			for i := range lengths {
				var m message.Message
				if err := f.Unpack(r, &m, limit); err != nil {
					return fmt.Errorf("read while others pack: %w", err)
				}
				if err := s.same(&m, s.nth(i)); err != nil {
					return fmt.Errorf("read while others pack: %w", err)
				}
			}
			return nil
		})
	})
	wg.Wait()
	return errors.Join(errs...)
}
