package socket

import (
	"sync"

	"github.com/goerpc/erpc/internal/bufpool"
)

// A chunk is a piece of what waits to be written. Chunks form a list; only the
// last one grows. Idle sockets hold none.
type chunk struct {
	b         []byte
	next      *chunk
	droppable bool   // one whole push, which may be left out (DropOld)
	own       bool   // one frame that was given away: it is not copied to make room behind it
	frame     []byte // of own: all of it, also when a part was written
	lent      bool   // a body that is its sender's; see stream.go
}

// Sizes in bytes.
const (
	smallChunk = 16 << 10
	largeChunk = 256 << 10 // the least that follows a small one
	maxChunk   = 4 << 20   // above that a chunk goes to the collector
	ownFrame   = 64 << 10  // a frame from here on is a chunk of its own, not copied
	maxLarge   = 8         // how many chunks above smallChunk are kept for the whole process
)

var smallChunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, smallChunk)} }}

// largeChunks is not a sync.Pool, because the collector empties those: it runs
// tens of times a second under load, and a large chunk is dear to make anew.
var largeChunks struct {
	sync.Mutex
	free []*chunk // the last put is the first to go, as it is in the cache
}

func getChunk() *chunk { return smallChunks.Get().(*chunk) }

func putChunk(c *chunk) {
	switch {
	case c.lent:
		return
	case c.own:
		bufpool.Put(c.frame)
		return
	}
	c.b, c.next, c.droppable = c.b[:0], nil, false
	switch n := cap(c.b); {
	case n == smallChunk:
		smallChunks.Put(c)
	case n >= largeChunk && n <= maxChunk:
		largeChunks.Lock()
		if len(largeChunks.free) < maxLarge {
			largeChunks.free = append(largeChunks.free, c)
		}
		largeChunks.Unlock()
	}
}

func getLarge(n int) *chunk {
	largeChunks.Lock()
	if i := len(largeChunks.free) - 1; i >= 0 && cap(largeChunks.free[i].b) >= n {
		c := largeChunks.free[i]
		largeChunks.free = largeChunks.free[:i]
		largeChunks.Unlock()
		return c
	}
	largeChunks.Unlock()
	return &chunk{b: make([]byte, 0, max(n, largeChunk))}
}

// grow returns a chunk with the bytes of c and room for n more; c is gone.
func (c *chunk) grow(n int) *chunk {
	grown := getLarge(max(len(c.b)+n, 2*cap(c.b)))
	grown.b = append(grown.b, c.b...)
	putChunk(c)
	return grown
}
