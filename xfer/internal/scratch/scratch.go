// Package scratch lends the output buffers that compressing filters write to
// before the size of the result is known, so that each result is one allocation of
// exactly its size.
package scratch

import "sync"

// maxKept is the capacity in bytes above which a buffer goes to the garbage
// collector: one large message must not keep its memory for small ones.
const maxKept = 1 << 20

// Buffer is a byte slice to append to. It is an io.Writer that never fails.
type Buffer struct{ B []byte }

// Write appends p.
func (b *Buffer) Write(p []byte) (int, error) {
	b.B = append(b.B, p...)
	return len(p), nil
}

var pool = sync.Pool{New: func() any { return new(Buffer) }}

// Get returns an empty buffer with room for at least n bytes. It belongs to the
// caller until Put. Get and Put may be called concurrently.
func Get(n int) *Buffer {
	b := pool.Get().(*Buffer)
	if cap(b.B) < n {
		b.B = make([]byte, 0, n)
	}
	return b
}

// Put takes b back. The caller must not use it or its bytes after that.
func Put(b *Buffer) {
	if cap(b.B) > maxKept {
		return
	}
	b.B = b.B[:0]
	pool.Put(b)
}

// Clone returns a copy of the bytes, which belongs to the caller and is never nil.
func (b *Buffer) Clone() []byte {
	out := make([]byte, len(b.B))
	copy(out, b.B)
	return out
}
