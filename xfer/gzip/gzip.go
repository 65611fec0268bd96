// Package gzip is the transfer filter that compresses with gzip (RFC 1952),
// byte-compatible with that of erpc v7: one member, no name, no time, operating
// system 255. Use it if one of the programs is erpc v7 or not erpc; zstd is
// smaller and faster, s2 faster still.
package gzip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/internal/named"
	"github.com/goerpc/erpc/xfer/internal/scratch"
	"github.com/klauspost/compress/gzip"
)

// Compression levels, as in compress/gzip. Levels between 1 and 9 trade time
// for size.
const (
	HuffmanOnly        = gzip.HuffmanOnly
	DefaultCompression = gzip.DefaultCompression
	NoCompression      = gzip.NoCompression
	BestSpeed          = gzip.BestSpeed
	BestCompression    = gzip.BestCompression
)

// noTime is written as MTIME 0, unlike the zero time.Time, whose seconds since
// 1970 are truncated to 32 bits.
var noTime = time.Unix(0, 0)

// ErrTrailingData says that bytes follow the gzip member. Packed messages are
// one member and nothing else.
var ErrTrailingData = errors.New("xfer/gzip: data after the end of the member")

// found is the id and name of a filter.
type found = named.Filter

// Filter compresses with gzip. It may be used concurrently.
type Filter struct {
	found
	writers sync.Pool // *gzip.Writer, all of one level
	readers sync.Pool // *reader
}

// reader is a gzip.Reader with its source, reused together.
type reader struct {
	gzip.Reader
	src   bytes.Reader // an io.ByteReader, so that nothing is read past the member
	probe [1]byte      // finds the end, or the first byte too many, without growing the result
}

var (
	_ xfer.XferFilter      = (*Filter)(nil)
	_ xfer.LimitedUnpacker = (*Filter)(nil)
)

// Reg registers a gzip filter. It panics if the level is not one of -2 to 9, or
// if xfer.Reg does.
func Reg(id byte, name string, level int) {
	named.Reg(New(id, name, level))
}

// New returns a gzip filter that is not registered yet.
func New(id byte, name string, level int) (xfer.XferFilter, error) {
	if level < HuffmanOnly || level > BestCompression {
		return nil, fmt.Errorf("xfer/gzip: level %d of filter %q is not within %d to %d", level, name, HuffmanOnly, BestCompression)
	}
	f := &Filter{found: named.New(id, name)}
	f.writers.New = func() any {
		// The level is valid, so there is no error.
		w, _ := gzip.NewWriterLevel(io.Discard, level)
		return w
	}
	f.readers.New = func() any { return new(reader) }
	return f, nil
}

// Is reports whether the filter registered under id is one of this package.
func Is(id byte) bool {
	f, err := xfer.Get(id)
	if err != nil {
		return false
	}
	_, ok := f.(*Filter)
	return ok
}

// OnPack returns src as one gzip member.
func (f *Filter) OnPack(src []byte) ([]byte, error) {
	out := scratch.Get(0)
	defer scratch.Put(out)
	w := f.writers.Get().(*gzip.Writer)
	w.Reset(out)
	w.ModTime = noTime
	_, err := w.Write(src)
	if err == nil {
		err = w.Close()
	}
	w.Reset(io.Discard) // releases out
	f.writers.Put(w)
	if err != nil {
		return nil, fmt.Errorf("xfer/gzip: pack: %w", err)
	}
	return out.Clone(), nil
}

// OnUnpack is OnUnpackLimit with xfer.DefaultLimit.
func (f *Filter) OnUnpack(src []byte) ([]byte, error) {
	return f.OnUnpackLimit(src, xfer.DefaultLimit)
}

// OnUnpackLimit inflates src, which must be exactly one gzip member with a correct
// checksum. Empty input is returned as it is, as in v7. Memory grows with the
// inflated data up to limit, whatever the member's trailer says.
func (f *Filter) OnUnpackLimit(src []byte, limit int) ([]byte, error) {
	if len(src) == 0 {
		return src, nil
	}
	r := f.readers.Get().(*reader)
	out, err := r.inflate(src, limit)
	r.src.Reset(nil)
	r.Header = gzip.Header{}
	f.readers.Put(r)
	if err == nil || errors.Is(err, xfer.ErrTooLarge) || errors.Is(err, ErrTrailingData) {
		return out, err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("xfer/gzip: unpack: %w", err)
}

func (r *reader) inflate(src []byte, limit int) ([]byte, error) {
	r.src.Reset(src)
	if err := r.Reset(&r.src); err != nil {
		return nil, err
	}
	r.Multistream(false)
	out := make([]byte, 0, max(0, min(sizeHint(src), limit)))
	for {
		var n int
		var err error
		if len(out) < cap(out) {
			n, err = r.Read(out[len(out):cap(out)])
			out = out[:len(out)+n]
		} else {
			n, err = r.Read(r.probe[:])
			if n > 0 && len(out) >= limit {
				return nil, fmt.Errorf("xfer/gzip: unpack: more than %d bytes: %w", limit, xfer.ErrTooLarge)
			}
			if n > 0 {
				out = append(grow(out, limit), r.probe[0])
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if n := r.src.Len(); n > 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrTrailingData, n)
	}
	return out, nil
}

// sizeHint returns how much to allocate at first: the size that the trailer
// announces, but at most what a message of that length usually inflates to.
func sizeHint(src []byte) int {
	usual := 4096 + 8*len(src)
	if len(src) < 4 {
		return usual
	}
	t := src[len(src)-4:]
	announced := int64(t[0]) | int64(t[1])<<8 | int64(t[2])<<16 | int64(t[3])<<24
	return int(min(announced, int64(usual)))
}

// grow doubles the capacity of out up to limit; len(out) < limit.
func grow(out []byte, limit int) []byte {
	size := limit
	if cap(out) < limit/2 {
		size = max(2*cap(out), min(4096, limit))
	}
	next := make([]byte, len(out), size)
	copy(next, out)
	return next
}
