// Package bufpool keeps large buffers for the next large frame, so that it costs
// neither the allocation nor the clearing of its memory. What is not used again
// soon goes to the garbage collector.
package bufpool

import (
	"math/bits"
	"slices"
	"sync"
)

// The capacities that are kept, in bytes.
const (
	Min = 16 << 10
	Max = 128 << 20
)

const (
	lowest  = 14 // Min is 1<<lowest
	classes = 14
)

// kept holds buffers of a capacity from 1<<(lowest+i) to its double.
var kept [classes]sync.Pool

func class(n int) int { return bits.Len(uint(n)) - 1 - lowest }

// Get returns a buffer of length 0 and a capacity of at least n, nil if none is
// kept.
func Get(n int) []byte {
	if n < Min || n > Max {
		return nil
	}
	for i := class(n); i <= class(n)+1 && i < classes; i++ {
		b, _ := kept[i].Get().(*[]byte)
		if b == nil {
			continue
		}
		if cap(*b) >= n {
			return *b
		}
		kept[i].Put(b)
	}
	return nil
}

// Make returns a buffer of length 0 and a capacity of at least n: a kept one, or
// a new one whose capacity is rounded up, so that it fits others of about the
// same size.
func Make(n int) []byte {
	if b := Get(n); b != nil {
		return b
	}
	if n < Min || n > Max {
		return make([]byte, 0, n)
	}
	step := 1 << (bits.Len(uint(n)) - 1 - stepBits)
	return make([]byte, 0, (n+step-1)&^(step-1))
}

// stepBits is the logarithm of how many capacities there are between one power of
// two and the next.
const stepBits = 3

// Grow returns b with room for n bytes more. If it has to move b, and there are
// many bytes, the new place comes from Make.
func Grow(b []byte, n int) []byte {
	need := len(b) + n
	switch {
	case need <= cap(b):
		return b
	case need < Min:
		return slices.Grow(b, n)
	}
	return append(Make(need), b...)
}

// Put keeps b, which nobody uses any more, if it is of a fitting size.
func Put(b []byte) {
	if cap(b) < Min || cap(b) >= 2*Max {
		return
	}
	b = b[:0]
	if i := class(cap(b)); i < classes {
		kept[i].Put(&b)
	}
}
