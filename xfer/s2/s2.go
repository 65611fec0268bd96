// Package s2 is the transfer filter that compresses with S2 blocks, the faster
// extension of Snappy by klauspost/compress; it also reads Snappy blocks. Use it
// if time matters more than size. A block has no checksum: put an md5 filter
// outside it if the transport does not check data.
package s2

import (
	"errors"
	"fmt"

	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/internal/named"
	"github.com/goerpc/erpc/xfer/internal/scratch"
	"github.com/klauspost/compress/s2"
)

// Levels of compression. The other end need not know the level.
const (
	Fast   = 1 // the default
	Better = 2 // about half as fast, somewhat smaller
	Best   = 3 // slow
)

// found is the id and name of a filter.
type found = named.Filter

// Filter compresses with S2. It may be used concurrently.
type Filter struct {
	found
	encode func(dst, src []byte) []byte
}

var (
	_ xfer.XferFilter      = (*Filter)(nil)
	_ xfer.LimitedUnpacker = (*Filter)(nil)
)

// Reg registers an S2 filter. It panics if the level is not one of 0 to 3, or
// if xfer.Reg does.
func Reg(id byte, name string, level int) {
	named.Reg(New(id, name, level))
}

// New returns an S2 filter that is not registered yet. Level 0 means Fast.
func New(id byte, name string, level int) (xfer.XferFilter, error) {
	f := &Filter{found: named.New(id, name)}
	switch level {
	case 0, Fast:
		f.encode = s2.Encode
	case Better:
		f.encode = s2.EncodeBetter
	case Best:
		f.encode = s2.EncodeBest
	default:
		return nil, fmt.Errorf("xfer/s2: level %d of filter %q is not within 0 to %d", level, name, Best)
	}
	return f, nil
}

// OnPack returns src as one S2 block.
func (f *Filter) OnPack(src []byte) ([]byte, error) {
	size := s2.MaxEncodedLen(len(src))
	if size < 0 {
		return nil, fmt.Errorf("xfer/s2: pack: %d bytes do not fit into a block: %w", len(src), xfer.ErrTooLarge)
	}
	buf := scratch.Get(size)
	defer scratch.Put(buf)
	buf.B = f.encode(buf.B[:cap(buf.B)], src)
	return buf.Clone(), nil
}

// OnUnpack is OnUnpackLimit with xfer.DefaultLimit.
func (f *Filter) OnUnpack(src []byte) ([]byte, error) {
	return f.OnUnpackLimit(src, xfer.DefaultLimit)
}

// OnUnpackLimit decodes src, which must be exactly one S2 or Snappy block. The
// length that it announces is compared with limit before it is allocated. A few
// bytes can validly announce megabytes (a repeat of 16 MiB takes five), so the
// limit is the only protection.
func (f *Filter) OnUnpackLimit(src []byte, limit int) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if errors.Is(err, s2.ErrTooLarge) { // above the int of a 32-bit system
		return nil, fmt.Errorf("xfer/s2: unpack: more than %d bytes: %w", limit, xfer.ErrTooLarge)
	}
	if err != nil {
		return nil, fmt.Errorf("xfer/s2: unpack: %w", err)
	}
	if n > limit {
		return nil, fmt.Errorf("xfer/s2: unpack: %d bytes of at most %d: %w", n, limit, xfer.ErrTooLarge)
	}
	out, err := s2.Decode(make([]byte, n), src)
	if err != nil {
		return nil, fmt.Errorf("xfer/s2: unpack: %w", err)
	}
	return out, nil
}
