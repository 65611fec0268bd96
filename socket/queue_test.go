package socket

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A frameModel is a frame in the plain list with which the queue is compared.
type frameModel struct {
	b         []byte
	droppable bool
}

func content(q *queue) []byte {
	b := make([]byte, 0, q.n)
	for c := q.head; c != nil; c = c.next {
		b = append(b, c.b...)
		for _, f := range c.frames {
			b = append(b, f...)
		}
	}
	return b
}

// checkLinks checks the invariants of the list.
func checkLinks(t *testing.T, q *queue) {
	t.Helper()
	var last *chunk
	for c := q.head; c != nil; c = c.next {
		last = c
	}
	if q.tail != last {
		t.Fatal("tail is not the last")
	}
	n := 0
	for c := q.head; c != nil; c = c.next {
		n += len(c.b)
		for _, f := range c.frames {
			n += len(f)
		}
	}
	if n != q.n {
		t.Fatalf("n is %d with %d bytes in the queue", q.n, n)
	}
}

// After any sequence of adding, dropping, taking and putting back in part, the
// queue holds what a plain list would.
func TestQueueAgainstList(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var o writer
		var model []frameModel
		next := byte(0)
		frame := func(n int) []byte {
			next++
			return bytes.Repeat([]byte{next}, n)
		}
		for range 50 {
			switch op := rng.IntN(10); {
			case op < 3:
				f := frame(1 + rng.IntN(9000))
				o.queue.add(f)
				model = append(model, frameModel{b: bytes.Clone(f)})
				clear(f) // add keeps nothing of it
			case op < 4:
				f := frame(ownFrame + rng.IntN(1000))
				model = append(model, frameModel{b: bytes.Clone(f)})
				o.queue.addOwned(f[:len(f):len(f)])
			case op < 6:
				f := frame(1 + rng.IntN(9000))
				o.queue.addDroppable(f)
				model = append(model, frameModel{b: f, droppable: true})
			case op < 8:
				f := frame(1 + rng.IntN(9000))
				if rng.IntN(20) == 0 {
					f = frame(ownFrame)
				}
				o.queue.addReference(f)
				model = append(model, frameModel{b: f})
			case op < 9:
				n, limit := rng.IntN(9000), rng.IntN(200_000)
				dropped := o.queue.drop(n, limit)
				total := 0
				for _, f := range model {
					total += len(f.b)
				}
				var kept []frameModel
				for _, f := range model {
					if f.droppable && total+n > limit {
						total -= len(f.b)
						dropped--
					} else {
						kept = append(kept, f)
					}
				}
				model = kept
				if dropped != 0 {
					t.Fatalf("seed %d: drop counted %d frames too many", seed, int64(dropped))
				}
			default: // written in part, while more is put
				c := fetch(o.queue.take())
				checkLinks(t, &o.queue)
				for c != nil && rng.IntN(2) == 0 {
					for n := len(c.b); n > 0; model = model[1:] {
						n -= len(model[0].b)
					}
					c = c.next
				}
				if rng.IntN(2) == 0 {
					f := frame(500)
					o.queue.add(f)
					model = append(model, frameModel{b: f})
				}
				if c == nil {
					break
				}
				written := rng.IntN(len(c.b))
				o.putBack(c, c.b[written:])
				for written >= len(model[0].b) {
					written -= len(model[0].b)
					model = model[1:]
				}
				model[0].b = model[0].b[written:]
				// putBack makes the frame undroppable, even if nothing of it was
				// written.
				model[0].droppable = false
			}
			checkLinks(t, &o.queue)
			want := make([]byte, 0, o.queue.n)
			for _, f := range model {
				want = append(want, f.b...)
			}
			if !bytes.Equal(content(&o.queue), want) {
				t.Fatalf("seed %d: %d bytes in the queue are not the %d that should be", seed, o.queue.n, len(want))
			}
		}
	}
}

// Where a frame that other sockets send, too, goes in the queue, and what is written of
// it. f is such a frame, s a message of this socket that leaves room in its chunk, S one
// that does not, F a large frame.
func TestReferences(t *testing.T) {
	for _, c := range []struct {
		frames  string
		queued  []chunkKind
		written []chunkKind
	}{
		{"f", []chunkKind{references}, []chunkKind{shared}},
		{"fff", []chunkKind{references}, []chunkKind{shared}},
		{"sff", []chunkKind{shared}, []chunkKind{shared}},
		{"Sff", []chunkKind{shared, references}, []chunkKind{shared}},
		{"fsfsf", []chunkKind{references, shared}, []chunkKind{shared}},
		{"F", []chunkKind{lentFrame}, []chunkKind{lentFrame}},
		{"fFf", []chunkKind{references, lentFrame, references}, []chunkKind{shared, lentFrame, shared}},
	} {
		t.Run(c.frames, func(t *testing.T) {
			var q queue
			var want []byte
			for i, r := range c.frames {
				frame := bytes.Repeat([]byte{byte(i)}, map[rune]int{'f': 100, 's': 100, 'S': smallChunk, 'F': ownFrame}[r])
				want = append(want, frame...)
				if r == 'f' || r == 'F' {
					q.addReference(frame)
				} else {
					q.add(frame)
				}
				checkLinks(t, &q)
			}
			if got := kindsOf(q.head); !slices.Equal(got, c.queued) {
				t.Errorf("queued as %v, want %v", got, c.queued)
			}
			q.head = fetch(q.take())
			if got := kindsOf(q.head); !slices.Equal(got, c.written) {
				t.Errorf("written as %v, want %v", got, c.written)
			}
			if !bytes.Equal(content(&q), want) {
				t.Error("what is written is not what was queued")
			}
			freeAll(q.head)
		})
	}
}

func kindsOf(c *chunk) (all []chunkKind) {
	for ; c != nil; c = c.next {
		all = append(all, c.kind)
	}
	return all
}

// A chunk of references keeps no frame in memory once it is free, and is not used
// again if it has become large.
func TestReferencesAreForgotten(t *testing.T) {
	for _, n := range []int{1, fewReferences + 1, maxReferences + 1} {
		var q queue
		for range n {
			q.addReference([]byte("x"))
		}
		c := q.take()
		frames := c.frames
		c.free(true)
		left := 0
		for _, f := range frames {
			if f != nil {
				left++
			}
		}
		if again := len(c.frames) == 0; again != (n <= maxReferences) || again && left > 0 {
			t.Errorf("%d references: to be used again: %v, %d left", n, again, left)
		}
	}
}

// Small messages between references don't take a chunk each.
func TestReferencesBetweenMessages(t *testing.T) {
	var q queue
	for range 10_000 {
		q.add([]byte("x"))
		q.addReference([]byte("y"))
	}
	if n := len(kindsOf(q.head)); n > 3 {
		t.Errorf("%d bytes take %d chunks", q.n, n)
	}
	freeAll(q.take())
}

// Chunks are used again, and only a few large buffers are kept.
func TestChunksAreUsedAgain(t *testing.T) {
	for _, n := range []int{1, smallChunk, smallChunk + 1, largeChunk, maxChunk, maxChunk + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var q queue
			for range 2 * maxLarge {
				q.add(make([]byte, n))
			}
			freeAll(q.take())
			largeBuffers.Lock()
			kept := len(largeBuffers.free)
			for _, b := range largeBuffers.free {
				if len(b) != 0 || cap(b) > maxChunk {
					t.Errorf("a buffer is kept with %d bytes in it, %d in all", len(b), cap(b))
				}
			}
			largeBuffers.Unlock()
			if kept > maxLarge {
				t.Errorf("%d large buffers are kept, more than %d", kept, maxLarge)
			}
			if c := newShared(); len(c.b) != 0 || c.next != nil || cap(c.b) != smallChunk {
				t.Errorf("a small chunk has %d of %d bytes", len(c.b), cap(c.b))
			}
		})
	}
}
