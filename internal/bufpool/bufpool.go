// Package bufpool keeps large buffers for the next large frame, which saves
// allocating and clearing its memory. Buffers that are not reused soon go to the
// garbage collector.
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

// kept[i] holds buffers with a capacity from 1<<(lowest+i) to twice that.
var kept [classes]sync.Pool

func class(n int) int { return bits.Len(uint(n)) - 1 - lowest }

// Get returns a buffer of length 0 and a capacity of at least n, or nil if none is
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

// Make returns a buffer of length 0 and a capacity of at least n: a kept one, or a
// new one whose capacity is rounded up, so that it also fits other sizes nearby.
func Make(n int) []byte {
	if b := Get(n); b != nil {
		return b
	}
	if n < Min || n > Max {
		return make([]byte, 0, n)
	}
	step := min(1<<(bits.Len(uint(n))-1-stepBits), maxStep)
	return make([]byte, 0, (n+step-1)&^(step-1))
}

// stepBits is the binary logarithm of the number of capacities between two powers
// of two.
const stepBits = 3

// maxStep bounds how much larger a capacity is than what was asked for. A body of 16 MiB
// with its header would have 2 MiB more, which have to be cleared, too.
const maxStep = 256 << 10

// Grow returns b with room for n more bytes. If b is large and has to move, the
// new buffer comes from Make. It is for one large piece, not for many small ones.
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

// Put keeps b if its size fits. The caller must not use b after that.
func Put(b []byte) {
	if cap(b) < Min || cap(b) >= 2*Max {
		return
	}
	b = b[:0]
	if i := class(cap(b)); i < classes {
		kept[i].Put(&b)
	}
}
