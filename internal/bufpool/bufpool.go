// Package bufpool keeps large buffers for the next large frame, so that it costs
// neither the allocation nor the clearing of its memory. What is not used again
// soon goes to the garbage collector.
package bufpool

import (
	"math/bits"
	"sync"
)

// The capacities that are kept, in bytes.
const (
	Min = 64 << 10
	Max = 128 << 20
)

const (
	lowest  = 16 // Min is 1<<lowest
	classes = 12
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
