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

// A Coster is a [Codec] that can tell what decoding takes before it decodes.
// The size of a body says little about that: two bytes of JSON or protobuf may
// stand for a value of hundreds.
type Coster interface {
	Codec
	// Cost returns an upper bound, in bytes, of the memory that
	// Unmarshal(data, v) holds at its peak, without data itself: everything
	// that v refers to afterwards, and what slices and maps hold twice while
	// they grow. It may stop as soon as it knows that the result exceeds limit,
	// and may return anything for data that Unmarshal refuses before it
	// allocates. Cost itself allocates no more than its stack. What a method of
	// the user's own, such as UnmarshalJSON, allocates is not known; its text is
	// counted.
	Cost(data []byte, v any, limit int) int
}

// opaqueCost is what a codec that is not a Coster is taken to need, in bytes for a
// byte of the body.
const opaqueCost = 4

// Cost returns what c says about decoding data into v, and 4 bytes for each
// byte of data if c is not a [Coster].
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
// It looks closer where a codec was content with a rough bound below limit: its
// result is at most four times what c says at its closest, or four times len(data).
func CostWithin(c Codec, data []byte, v any, limit int) (int, error) {
	cost := Cost(c, data, v, limit)
	if cost > limit {
		return 0, tooLarge(c, data, limit)
	}
	// A Coster stops where it exceeds its limit, so that in all about as much is
	// looked at as the last time.
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
	// minDecode is what any message may decode to, in bytes, if the receiver
	// reads that much.
	minDecode = 8 << 20
	// decodeRatio is how many bytes each byte of a longer frame may decode to.
	decodeRatio = 128
	// maxDecodeRatio times the read limit is the most for any frame.
	maxDecodeRatio = 4
)

// DecodeLimit is how many bytes the body of a frame of wire bytes may decode
// to, at a receiver that reads frames of up to readLimit bytes: 128 times the
// frame but at least 8 MiB, and at most 4 times the read limit.
func DecodeLimit(wire, readLimit int) int {
	return min(max(minDecode, times(wire, decodeRatio)), max(times(readLimit, maxDecodeRatio), minDecode))
}

// times is a*b for non-negative numbers, and the largest int if that overflows.
func times(a, b int) int {
	if b != 0 && a > math.MaxInt/b {
		return math.MaxInt
	}
	return a * b
}

// plus is a+b for non-negative numbers, and the largest int if that overflows.
func plus(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

// grown is what a slice that grows by append holds for an element of size
// bytes: the old and the new array while it is copied.
func grown(size int) int { return times(size, 9)/4 + 1 }

// leastGrown is what the first bytes that are appended take at least.
const leastGrown = 8

// allocated is what one allocation of size bytes takes, with the rounding up
// to a size class, which is 12.5 % from 1 KiB on and less than 16 bytes below.
func allocated(size int) int {
	if size == 0 {
		return 0
	}
	return plus(size, 16+size/8)
}

const (
	mapBase  = 64 // an empty map
	mapGroup = 8  // entries that the first of a map makes room for
)

// entryCost is what a large map holds for an entry whose key and value are of
// these sizes, while it grows.
func entryCost(key, value int) int { return times(key+value+1, 3) }

// firstEntryCost is what a map with a few entries holds for all of them.
func firstEntryCost(key, value int) int {
	return plus(mapBase, times(key+value+1, mapGroup+1))
}
