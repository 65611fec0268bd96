package zstd

import (
	"errors"
	"fmt"
	"io"

	"github.com/goerpc/erpc/xfer"
	"github.com/klauspost/compress/zstd"
)

// maxContent is how many bytes a frame may hold whatever the limit: 512 MiB.
const maxContent = zstd.MaxWindowSize

// maxBlock is the maximum content of one block, in bytes (RFC 8878, 3.1.1.2.4).
const maxBlock = 128 << 10

// Kinds of block (RFC 8878, 3.1.1.2.2).
const (
	blockRaw = iota
	blockRLE
	blockCompressed
)

// ErrFrame says that the data is not exactly one complete frame of a supported
// kind.
var ErrFrame = errors.New("xfer/zstd: not one whole frame")

// inspect walks the headers of the frame and its blocks, without decoding, and
// returns the room in bytes for decoding it: the size that it announces, or else
// what its blocks can hold, but at most one block above limit. So after an error
// of the decoder, a frame above limit (which was decoded that far) can be
// distinguished from a broken one. A frame of a few bytes that announces gigabytes
// gives an error without an allocation.
func inspect(src []byte, limit int) (room int, err error) {
	limit = max(0, min(limit, maxContent))
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return 0, fmt.Errorf("%w: header: %w", ErrFrame, err)
	}
	switch {
	case h.Skippable:
		return 0, fmt.Errorf("%w: skippable", ErrFrame)
	case h.DictionaryID != 0:
		return 0, fmt.Errorf("%w: it needs dictionary %d", ErrFrame, h.DictionaryID)
	case !h.SingleSegment && h.WindowSize > maxWindow:
		return 0, fmt.Errorf("%w: its window of %d bytes exceeds %d", ErrFrame, h.WindowSize, maxWindow)
	case h.HasFCS && h.FrameContentSize > uint64(limit):
		return 0, tooLarge(limit)
	}
	// Blocks are no larger than the window, which is the content of a single segment.
	window := h.WindowSize
	if h.SingleSegment {
		window = max(h.FrameContentSize, zstd.MinWindowSize)
	}
	full := min(window, maxBlock)
	sure, may, rest, err := walkBlocks(src[h.HeaderSize:], full)
	if err != nil {
		return 0, err
	}
	if h.HasCheckSum {
		if len(rest) < 4 {
			return 0, fmt.Errorf("%w: check sum: %w", ErrFrame, io.ErrUnexpectedEOF)
		}
		rest = rest[4:]
	}
	if len(rest) > 0 {
		return 0, fmt.Errorf("%w: %d bytes follow it", ErrFrame, len(rest))
	}
	if h.HasFCS {
		if h.FrameContentSize > may || h.FrameContentSize < sure {
			return 0, fmt.Errorf("%w: it announces %d bytes, its blocks hold %d to %d", ErrFrame, h.FrameContentSize, sure, may)
		}
		return int(h.FrameContentSize), nil
	}
	if sure > uint64(limit) {
		return 0, tooLarge(limit)
	}
	return int(min(may, uint64(limit)+full)), nil
}

// walkBlocks returns how many bytes the blocks certainly hold, how many they may
// hold if each compressed one is full, and the bytes behind the last block.
func walkBlocks(b []byte, full uint64) (sure, may uint64, rest []byte, err error) {
	for {
		if len(b) < 3 {
			return 0, 0, nil, fmt.Errorf("%w: block header: %w", ErrFrame, io.ErrUnexpectedEOF)
		}
		head := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		last, kind, size := head&1 != 0, head>>1&3, head>>3
		b = b[3:]
		stored := size // bytes of the block in b
		switch kind {
		case blockRaw:
			sure += uint64(size)
			may += uint64(size)
		case blockRLE:
			stored = 1
			sure += uint64(size)
			may += uint64(size)
		case blockCompressed:
			may += full
		default:
			return 0, 0, nil, fmt.Errorf("%w: reserved kind of block", ErrFrame)
		}
		if uint64(size) > full {
			return 0, 0, nil, fmt.Errorf("%w: block of %d bytes, at most %d fit", ErrFrame, size, full)
		}
		if len(b) < stored {
			return 0, 0, nil, fmt.Errorf("%w: block: %w", ErrFrame, io.ErrUnexpectedEOF)
		}
		b = b[stored:]
		if last {
			return sure, may, b, nil
		}
	}
}

func tooLarge(limit int) error {
	return fmt.Errorf("xfer/zstd: unpack: more than %d bytes: %w", limit, xfer.ErrTooLarge)
}
