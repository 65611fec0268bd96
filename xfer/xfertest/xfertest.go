// Package xfertest checks that a transfer filter keeps the contract of
// xfer.XferFilter and xfer.LimitedUnpacker. Call Run from a test of your filter.
package xfertest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/goerpc/erpc/xfer"
)

// Run checks f in subtests, in about a second for a fast filter. f need not be
// registered.
func Run(t *testing.T, f xfer.XferFilter) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(f); err != nil {
				t.Error(err)
			}
		})
	}
}

// checks return an error rather than take a testing.T, so that they can be tested
// with broken filters.
var checks = []struct {
	name  string
	check func(xfer.XferFilter) error
}{
	{"identity", checkIdentity},
	{"round trip", checkRoundTrip},
	{"source untouched", checkSource},
	{"results stay", checkResultsStay},
	{"limit", checkLimit},
	{"truncated", checkTruncated},
	{"hostile", checkHostile},
	{"concurrent", checkConcurrent},
}

// hostileLimit is how many bytes hostile input may become.
const hostileLimit = 1 << 16

func checkIdentity(f xfer.XferFilter) error {
	id, name := f.ID(), f.Name()
	if _, err := f.OnPack([]byte("anything")); err != nil {
		return fmt.Errorf("OnPack: %w", err)
	}
	if f.ID() != id || f.Name() != name {
		return fmt.Errorf("id %d and name %q became %d and %q", id, name, f.ID(), f.Name())
	}
	return nil
}

func checkRoundTrip(f xfer.XferFilter) error {
	large := sample{"1 MiB of text", text(1 << 20)}
	for _, s := range append(samples(), large) {
		packed, err := f.OnPack(s.data)
		if err != nil {
			return fmt.Errorf("%s: OnPack: %w", s.name, err)
		}
		got, err := f.OnUnpack(packed)
		if err != nil {
			return fmt.Errorf("%s: OnUnpack: %w", s.name, err)
		}
		if !bytes.Equal(got, s.data) {
			return fmt.Errorf("%s: %d bytes came back as %d, or different", s.name, len(s.data), len(got))
		}
	}
	return nil
}

// checkSource finds filters that write to their source, or behind it.
func checkSource(f xfer.XferFilter) error {
	const spare = 64
	for _, s := range samples() {
		whole := append(slices.Clone(s.data), bytes.Repeat([]byte{0xa5}, spare)...)
		before := slices.Clone(whole)
		packed, err := f.OnPack(whole[:len(s.data)])
		if err != nil {
			return fmt.Errorf("%s: OnPack: %w", s.name, err)
		}
		if !bytes.Equal(whole, before) {
			return fmt.Errorf("%s: OnPack wrote to its source, or behind it", s.name)
		}
		whole = append(slices.Clone(packed), bytes.Repeat([]byte{0xa5}, spare)...)
		before = slices.Clone(whole)
		_, err = f.OnUnpack(whole[:len(packed)])
		if err != nil {
			return fmt.Errorf("%s: OnUnpack: %w", s.name, err)
		}
		if !bytes.Equal(whole, before) {
			return fmt.Errorf("%s: OnUnpack wrote to its source, or behind it", s.name)
		}
	}
	return nil
}

// checkResultsStay finds results that later calls overwrite.
func checkResultsStay(f xfer.XferFilter) error {
	var packs, packCopies, plains, plainCopies [][]byte
	for i := range 20 {
		data := text(1000 + i)
		data[0] = byte(i)
		packed, err := f.OnPack(data)
		if err != nil {
			return fmt.Errorf("OnPack: %w", err)
		}
		plain, err := f.OnUnpack(slices.Clone(packed))
		if err != nil {
			return fmt.Errorf("OnUnpack: %w", err)
		}
		packs, packCopies = append(packs, packed), append(packCopies, slices.Clone(packed))
		plains, plainCopies = append(plains, plain), append(plainCopies, slices.Clone(plain))
	}
	for i := range packs {
		if !bytes.Equal(packs[i], packCopies[i]) {
			return errors.New("a result of OnPack was changed by a later call")
		}
		if !bytes.Equal(plains[i], plainCopies[i]) {
			return errors.New("a result of OnUnpack was changed by a later call")
		}
	}
	return nil
}

// checkLimit checks that filters that inflate stop exactly at their limit.
func checkLimit(f xfer.XferFilter) error {
	limited, ok := f.(xfer.LimitedUnpacker)
	for _, s := range samples() {
		packed, err := f.OnPack(s.data)
		if err != nil {
			return fmt.Errorf("%s: OnPack: %w", s.name, err)
		}
		n := len(s.data)
		if !ok {
			if n > len(packed) {
				return fmt.Errorf("%s: inflates %d bytes to %d, so it must implement xfer.LimitedUnpacker", s.name, len(packed), n)
			}
			continue
		}
		for _, limit := range []int{n, n + 1, 2*n + 1000} {
			got, err := limited.OnUnpackLimit(packed, limit)
			if err != nil {
				return fmt.Errorf("%s: %d bytes with limit %d: %w", s.name, n, limit, err)
			}
			if !bytes.Equal(got, s.data) {
				return fmt.Errorf("%s: %d bytes with limit %d came back different", s.name, n, limit)
			}
		}
		for _, limit := range []int{n - 1, n / 2, 0} {
			if limit < 0 || limit >= n {
				continue
			}
			if got, err := limited.OnUnpackLimit(packed, limit); !errors.Is(err, xfer.ErrTooLarge) {
				return fmt.Errorf("%s: %d bytes with limit %d: want xfer.ErrTooLarge, got %d bytes and error %w", s.name, n, limit, len(got), orNone(err))
			}
		}
	}
	return nil
}

// checkTruncated undoes every prefix of packed messages. A filter without a
// checksum may accept a prefix; it must not panic or exceed its limit.
func checkTruncated(f xfer.XferFilter) error {
	for _, data := range [][]byte{{}, []byte("x"), text(300), noise(300)} {
		packed, err := f.OnPack(data)
		if err != nil {
			return fmt.Errorf("OnPack: %w", err)
		}
		for n := range len(packed) {
			if err := survive(f, packed[:n:n]); err != nil {
				return fmt.Errorf("first %d of %d bytes: %w", n, len(packed), err)
			}
		}
	}
	return nil
}

// checkHostile undoes noise, and packed messages with one byte changed or with
// bytes behind them.
func checkHostile(f xfer.XferFilter) error {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		b := make([]byte, rnd.IntN(300))
		for j := range b {
			b[j] = byte(rnd.Uint32())
		}
		if err := survive(f, b); err != nil {
			return fmt.Errorf("noise %d: %w", i, err)
		}
	}
	for _, data := range [][]byte{{}, text(200), noise(200)} {
		packed, err := f.OnPack(data)
		if err != nil {
			return fmt.Errorf("OnPack: %w", err)
		}
		for i := range packed {
			for _, x := range []byte{0x01, 0x80, 0xff} {
				b := slices.Clone(packed)
				b[i] ^= x
				if err := survive(f, b); err != nil {
					return fmt.Errorf("byte %d changed by %#x: %w", i, x, err)
				}
			}
		}
		if err := survive(f, append(slices.Clone(packed), packed...)); err != nil {
			return fmt.Errorf("twice the message: %w", err)
		}
	}
	return nil
}

// survive undoes f on b and checks that it does not panic or change b, and that a
// filter with limits returns at most hostileLimit bytes.
func survive(f xfer.XferFilter, b []byte) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	before := slices.Clone(b)
	if l, ok := f.(xfer.LimitedUnpacker); ok {
		// An error is fine.
		if out, err := l.OnUnpackLimit(b, hostileLimit); err == nil && len(out) > hostileLimit {
			return fmt.Errorf("%d bytes despite the limit of %d", len(out), hostileLimit)
		}
	} else {
		_, _ = f.OnUnpack(b)
	}
	if !bytes.Equal(b, before) {
		return errors.New("OnUnpack wrote to its source")
	}
	return nil
}

// checkConcurrent finds most under the race detector.
func checkConcurrent(f xfer.XferFilter) error {
	const workers, rounds = 8, 40
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				data := text(100 + 37*i + w)
				packed, err := f.OnPack(data)
				if err != nil {
					errs[w] = fmt.Errorf("OnPack: %w", err)
					return
				}
				got, err := f.OnUnpack(packed)
				if err != nil || !bytes.Equal(got, data) {
					errs[w] = fmt.Errorf("%d bytes came back as %d, or different, with error %w", len(data), len(got), orNone(err))
					return
				}
				// An error must not spoil a filter's pooled state.
				_, _ = f.OnUnpack(packed[:len(packed)/2])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

type sample struct {
	name string
	data []byte
}

func samples() []sample {
	s := []sample{{"nil", nil}, {"empty", []byte{}}}
	for _, n := range []int{1, 15, 16, 17, 255, 256, 1023, 1025, 4096, 1<<16 - 1, 1<<17 + 1} {
		s = append(s,
			sample{fmt.Sprintf("%d of text", n), text(n)},
			sample{fmt.Sprintf("%d of noise", n), noise(n)})
	}
	return append(s, sample{"1 MB of zeros", make([]byte, 1e6)})
}

// text returns n bytes that compress about as messages do.
func text(n int) []byte {
	rnd := rand.New(rand.NewPCG(uint64(n), 1))
	b := make([]byte, 0, n+32)
	for len(b) < n {
		b = fmt.Appendf(b, `{"id":%d,"name":"peer"},`, rnd.IntN(1e6))
	}
	return b[:n]
}

// noise returns n bytes that don't compress.
func noise(n int) []byte {
	rnd := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	_, _ = rnd.Read(b) // never fails
	return b
}

var errNone = errors.New("none")

// orNone lets a nil error be wrapped.
func orNone(err error) error {
	if err == nil {
		return errNone
	}
	return err
}
