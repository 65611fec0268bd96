package socket

import (
	"sync"

	"github.com/goerpc/erpc/internal/bufpool"
)

// chunkKind says what a chunk holds, and so what may be done with it.
type chunkKind uint8

const (
	shared     chunkKind = iota // frames, copied; more may be added behind them
	wholeFrame                  // a frame that was given away, so it is not copied
	droppable                   // one push that may be dropped (DropOld); nobody may change it
	begun                       // the rest of a droppable frame: half a frame can't be dropped
	lentBody                    // a body that its sender owns; see largebody.go
	references                  // frames that other sockets send, too, not copied until they are taken
	lentFrame                   // such a frame that is large, so that it is not copied at all
	marker                      // nothing: it tells Flush that the writer has come this far
)

// A chunk is a piece of what waits to be written. Chunks form a list; only the
// last one grows. Idle sockets hold none.
type chunk struct {
	kind    chunkKind
	b       []byte
	next    *chunk
	small   []byte    // of shared: the buffer that belongs to the chunk, which b is until it grows
	frame   []byte    // of wholeFrame: the whole buffer, even after a part was written
	frames  [][]byte  // of references; nobody may change them
	flushed chan bool // of marker, of capacity 1; true: the writer has come this far, false: it never will
}

// Sizes in bytes.
const (
	smallChunk = 16 << 10
	largeChunk = 256 << 10 // the least that a small one grows to
	maxChunk   = 4 << 20   // larger buffers are left to the collector
	ownFrame   = 64 << 10  // a frame of this size or more is a chunk of its own, not copied
	maxLarge   = 8         // how many large buffers are kept for the whole process
)

// How many frames a chunk of references has room for at first, and at most if it is
// to be used again.
const (
	fewReferences = 32
	maxReferences = 1 << 10
)

var (
	smallChunks     = sync.Pool{New: func() any { return &chunk{small: make([]byte, 0, smallChunk)} }}
	referenceChunks = sync.Pool{New: func() any {
		return &chunk{kind: references, frames: make([][]byte, 0, fewReferences)}
	}}
)

// largeBuffers is not a sync.Pool, because the collector empties those: it runs
// tens of times a second under load, and a large buffer is expensive to
// allocate again.
var largeBuffers struct {
	sync.Mutex
	free [][]byte // a stack: the last one put is still in the CPU's cache
}

// newShared returns an empty chunk that can grow.
func newShared() *chunk {
	c := smallChunks.Get().(*chunk)
	c.b = c.small
	return c
}

// takes reports whether n more bytes may be added to c.
func (c *chunk) takes(n int) bool {
	switch c.kind {
	case shared:
		return len(c.b)+n <= maxChunk
	case wholeFrame:
		return len(c.b)+n <= cap(c.b) // it must not grow: that would copy it
	}
	return false
}

// grow makes room for n more bytes.
func (c *chunk) grow(n int) {
	grown := getLarge(max(len(c.b)+n, 2*cap(c.b)))
	grown = append(grown, c.b...)
	putLarge(c.b)
	c.b = grown
}

// cut removes the first n bytes, which were written.
func (c *chunk) cut(n int) {
	c.b = c.b[n:]
	if c.kind == droppable {
		c.kind = begun
	}
}

// free gives back the memory of c, which must not be used after that. written
// tells whether c, and everything in front of it, was written.
func (c *chunk) free(written bool) {
	switch c.kind {
	case shared:
		putLarge(c.b)
		c.b, c.next = nil, nil
		smallChunks.Put(c)
	case wholeFrame:
		bufpool.Put(c.frame)
	case references:
		if cap(c.frames) <= maxReferences {
			clear(c.frames) // for the garbage collector
			c.frames, c.next = c.frames[:0], nil
			referenceChunks.Put(c)
		}
	case marker:
		c.flushed <- written
	}
}

// fetch returns the list at c with copies in place of references, ready to be
// written, in as few chunks as a small buffer allows. The last write on this processor
// used the same buffers, so they are in its cache; those of a thousand sockets are not.
func fetch(c *chunk) *chunk {
	if c == nil || c.next == nil && c.kind != references {
		return c
	}
	var q queue
	for c != nil {
		next := c.next
		c.next = nil
		switch {
		case c.kind == references:
			for _, frame := range c.frames {
				q.add(frame)
			}
			c.free(true)
		case c.kind == shared && q.hasSpare(len(c.b)):
			q.add(c.b)
			c.free(true)
		default:
			q.link(c)
		}
		c = next
	}
	return q.head
}

// freeAll frees c and all chunks behind it, which were not written.
func freeAll(c *chunk) {
	for c != nil {
		next := c.next
		c.free(false)
		c = next
	}
}

// putLarge keeps b for another chunk unless it is too small or too large.
func putLarge(b []byte) {
	if n := cap(b); n < largeChunk || n > maxChunk {
		return
	}
	largeBuffers.Lock()
	defer largeBuffers.Unlock()
	if len(largeBuffers.free) < maxLarge {
		largeBuffers.free = append(largeBuffers.free, b[:0])
	}
}

// getLarge returns an empty buffer with room for n bytes.
func getLarge(n int) []byte {
	largeBuffers.Lock()
	if i := len(largeBuffers.free) - 1; i >= 0 && cap(largeBuffers.free[i]) >= n {
		b := largeBuffers.free[i]
		largeBuffers.free[i] = nil
		largeBuffers.free = largeBuffers.free[:i]
		largeBuffers.Unlock()
		return b
	}
	largeBuffers.Unlock()
	return make([]byte, 0, max(n, largeChunk))
}
