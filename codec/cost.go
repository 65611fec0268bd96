package codec

import (
	"errors"
	"fmt"
	"math"
)

// ErrTooLarge is wrapped by the error of [CostWithin] and [UnmarshalLimit] for a
// body that would take more memory than allowed, or is nested deeper than
// [MaxDepth].
var ErrTooLarge = errors.New("the decoded body would exceed the limit")

// MaxDepth bounds how deeply the values of a JSON, XML or protobuf body may be
// nested, because a decoder keeps state for each open value. encoding/json has
// the same bound.
const MaxDepth = 10_000

// A Coster is a [Codec] that can tell how much memory decoding takes before it
// decodes. The size of a body says little about that: two bytes of JSON or
// protobuf may decode to hundreds of bytes.
type Coster interface {
	Codec
	// Cost returns an upper bound, in bytes, of the memory that
	// Unmarshal(data, v) holds at its peak, without data itself: everything that v
	// refers to afterwards, including old arrays of slices and maps while they
	// grow. It may stop as soon as it knows that the result exceeds limit, and may
	// return anything for data that Unmarshal refuses before it allocates. Cost
	// itself allocates only stack. The allocations of user methods, such as
	// UnmarshalJSON, are not known; their text is counted.
	Cost(data []byte, v any, limit int) int
}

// opaqueCost is the assumed cost of a codec that is not a Coster, in bytes for
// each byte of the body.
const opaqueCost = 4

// Cost returns the cost by c of decoding data into v, or 4 bytes for each byte of
// data if c is not a [Coster].
func Cost(c Codec, data []byte, v any, limit int) int {
	if k, ok := c.(Coster); ok {
		return k.Cost(data, v, limit)
	}
	return times(len(data), opaqueCost)
}

// UnmarshalLimit is c.Unmarshal(data, v) if the [Cost] of that is at most limit
// bytes; otherwise it decodes nothing and returns an error that wraps
// [ErrTooLarge].
func UnmarshalLimit(c Codec, data []byte, v any, limit int) error {
	if Cost(c, data, v, limit) > limit {
		return tooLarge(c, data, limit)
	}
	return c.Unmarshal(data, v)
}

// CostWithin is [Cost], or an error that wraps [ErrTooLarge] if that exceeds limit.
// It asks again, with a lower limit, if the codec may have stopped at a rough bound
// below limit: the result is at most four times the tightest bound of c, or four
// times len(data).
func CostWithin(c Codec, data []byte, v any, limit int) (int, error) {
	cost := Cost(c, data, v, limit)
	if cost > limit {
		return 0, tooLarge(c, data, limit)
	}
	// A Coster stops when it exceeds its limit, so all passes together cost about
	// as much as the last one.
	for tight := times(max(len(data), 1), 4); tight < cost; tight = times(tight, 4) {
		if n := Cost(c, data, v, tight); n <= tight {
			return n, nil
		}
	}
	return cost, nil
}

func tooLarge(c Codec, data []byte, limit int) error {
	return fmt.Errorf("codec: %s: a body of %d bytes: %w of %d bytes; send less in one message, or raise the receiver's read limit",
		c.Name(), len(data), ErrTooLarge, limit)
}

const (
	// minDecode is how many bytes any message may decode to, as far as the read
	// limit allows.
	minDecode = 8 << 20
	// decodeRatio is how many bytes each byte of a longer frame may decode to.
	decodeRatio = 128
	// maxDecodeRatio times the read limit is the maximum for any frame.
	maxDecodeRatio = 4
)

// DecodeLimit is how many bytes the body of a frame of wire bytes may decode
// to, at a receiver that reads frames of up to readLimit bytes: 128 times the
// frame but at least 8 MiB, and at most 4 times the read limit.
func DecodeLimit(wire, readLimit int) int {
	return min(max(minDecode, times(wire, decodeRatio)), max(times(readLimit, maxDecodeRatio), minDecode))
}

// times returns a*b for non-negative numbers, or the largest int if that
// overflows.
func times(a, b int) int {
	if b != 0 && a > math.MaxInt/b {
		return math.MaxInt
	}
	return a * b
}

// plus returns a+b for non-negative numbers, or the largest int if that overflows.
func plus(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

// grown returns the memory for an element of size bytes in a slice that grows by
// append: old and new array exist while it is copied.
func grown(size int) int { return times(size, 9)/4 + 1 }

// leastGrown is the least that the first appended bytes take.
const leastGrown = 8

// allocated returns the memory of one allocation of size bytes, rounded up to a
// size class: by up to 12.5 % from 1 KiB on, and by less than 16 bytes below.
func allocated(size int) int {
	if size == 0 {
		return 0
	}
	return plus(size, 16+size/8)
}

const (
	mapBase  = 64 // an empty map
	mapGroup = 8  // entries for which the first one in a map allocates room
)

// entryCost returns the memory for an entry in a large map that grows, by the
// sizes of key and value.
func entryCost(key, value int) int { return times(key+value+1, 3) }

// firstEntryCost returns the memory of a map with a few entries.
func firstEntryCost(key, value int) int {
	return plus(mapBase, times(key+value+1, mapGroup+1))
}
