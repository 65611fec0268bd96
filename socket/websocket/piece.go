package websocket

import "sync"

// pieceSizes are the sizes in bytes of the first reads of a message; the last one is
// that of all others. A message that never ends holds little more than has arrived.
var pieceSizes = [...]int{1 << 10, 4 << 10, 16 << 10, 32 << 10}

// freePieces[i] keeps pieces of pieceSizes[i] bytes. New ones for each message would be
// half of the memory that a call allocates.
var freePieces [len(pieceSizes)]sync.Pool

// A piece is a part of what the other side sends, on its way from the pump to Read.
// It has one owner, who frees it.
type piece struct {
	storage []byte // of pieceSizes[step] bytes
	step    int
	unread  []byte // in storage, unless a whole message has outgrown it
}

// newPiece returns a piece of pieceSizes[step] bytes, which may have any contents.
func newPiece(step int) *piece {
	if p, ok := freePieces[step].Get().(*piece); ok {
		return p
	}
	return &piece{storage: make([]byte, pieceSizes[step]), step: step}
}

// read copies what is unread to b. more says that there is more.
func (p *piece) read(b []byte) (n int, more bool) {
	n = copy(b, p.unread)
	p.unread = p.unread[n:]
	return n, len(p.unread) > 0
}

// free keeps the storage for another piece. The caller must not use p after that.
func (p *piece) free() {
	p.unread = nil
	freePieces[p.step].Put(p)
}
