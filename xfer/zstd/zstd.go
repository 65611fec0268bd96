// Package zstd is the transfer filter that compresses with Zstandard (RFC
// 8878): smaller than gzip in less time. It starts no goroutines, and neither
// a frame's window nor its announced size makes it allocate more than the
// blocks of the frame can fill.
package zstd

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/internal/named"
	"github.com/goerpc/erpc/xfer/internal/scratch"
	"github.com/klauspost/compress/zstd"
)

// Window sizes in bytes: how far back a match may reach.
const (
	// encoderWindow limits how much of the last large message an idle encoder
	// keeps.
	encoderWindow = 4 << 20
	// maxWindow is what RFC 8878 recommends that decoders support at least.
	maxWindow = 8 << 20
)

// decoderSlack is room behind the result, with which the decoder can use its fast
// copies up to the end.
const decoderSlack = 16

// found is the id and name of a filter.
type found = named.Filter

// Filter compresses with Zstandard. It may be used concurrently.
type Filter struct {
	found
	level zstd.EncoderLevel
	// Encoders and decoders serve one call at a time. They are pooled so that
	// sessions don't wait for each other. With EncodeAll and DecodeAll they start
	// no goroutines and need no Close.
	encoders sync.Pool // *zstd.Encoder
	decoders sync.Pool // *zstd.Decoder
}

var (
	_ xfer.XferFilter      = (*Filter)(nil)
	_ xfer.LimitedUnpacker = (*Filter)(nil)
)

// Reg registers a Zstandard filter. It panics if the level is not one of 0 to
// 22, or if xfer.Reg does.
func Reg(id byte, name string, level int) {
	named.Reg(New(id, name, level))
}

// New returns a Zstandard filter that is not registered yet. The level is one of
// the zstd program, 1 to 22, and selects the nearest of four encoders (at about 1,
// 3, 7 and 11); 0 means 3.
func New(id byte, name string, level int) (xfer.XferFilter, error) {
	if level < 0 || level > 22 {
		return nil, fmt.Errorf("xfer/zstd: level %d of filter %q is not within 0 to 22", level, name)
	}
	if level == 0 {
		level = 3
	}
	f := &Filter{found: named.New(id, name), level: zstd.EncoderLevelFromZstd(level)}
	// Made once here, so that a wrong option fails at registration.
	enc, err := f.newEncoder()
	if err != nil {
		return nil, fmt.Errorf("xfer/zstd: encoder of filter %q: %w", name, err)
	}
	dec, err := newDecoder()
	if err != nil {
		return nil, fmt.Errorf("xfer/zstd: decoder of filter %q: %w", name, err)
	}
	f.encoders.Put(enc)
	f.decoders.Put(dec)
	return f, nil
}

func (f *Filter) newEncoder() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(f.level),
		zstd.WithWindowSize(encoderWindow),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(true),
	)
}

// newDecoder returns a decoder that writes only to the capacity it is given. It
// keeps the library's window limit, because that limit would apply to the content
// of a single-segment frame; inspect has checked the real windows.
func newDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxMemory(maxContent+maxBlock+decoderSlack),
		zstd.WithDecoderMaxWindow(maxContent),
	)
}

// OnPack returns src as one frame with its size and check sum; empty input
// becomes an empty frame.
func (f *Filter) OnPack(src []byte) ([]byte, error) {
	if uint64(len(src)) > maxContent {
		return nil, fmt.Errorf("xfer/zstd: pack: %d bytes of at most %d: %w", len(src), uint64(maxContent), xfer.ErrTooLarge)
	}
	enc, ok := f.encoders.Get().(*zstd.Encoder)
	if !ok {
		var err error
		enc, err = f.newEncoder()
		if err != nil {
			return nil, fmt.Errorf("xfer/zstd: pack: %w", err)
		}
	}
	buf := scratch.Get(0)
	defer scratch.Put(buf)
	buf.B = enc.EncodeAll(src, buf.B)
	f.encoders.Put(enc)
	return buf.Clone(), nil
}

// OnUnpack is OnUnpackLimit with xfer.DefaultLimit.
func (f *Filter) OnUnpack(src []byte) ([]byte, error) {
	return f.OnUnpackLimit(src, xfer.DefaultLimit)
}

// OnUnpackLimit decodes src, which must be exactly one frame without a dictionary,
// with a window of up to 8 MiB. The capacity of its blocks and the size in its
// header are compared with limit before anything is allocated.
func (f *Filter) OnUnpackLimit(src []byte, limit int) ([]byte, error) {
	room, err := inspect(src, limit)
	if err != nil {
		return nil, err
	}
	dec, ok := f.decoders.Get().(*zstd.Decoder)
	if !ok {
		dec, err = newDecoder()
		if err != nil {
			return nil, fmt.Errorf("xfer/zstd: unpack: %w", err)
		}
	}
	out, err := dec.DecodeAll(src, make([]byte, 0, room+decoderSlack))
	f.decoders.Put(dec)
	switch {
	case len(out) > limit: // also with an error
		return nil, tooLarge(limit)
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("xfer/zstd: unpack: %w", io.ErrUnexpectedEOF)
	case err != nil:
		return nil, fmt.Errorf("xfer/zstd: unpack: %w", err)
	}
	return out, nil
}
