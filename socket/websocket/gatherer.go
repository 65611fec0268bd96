package websocket

import (
	"bufio"
	"net"
	"sync"
)

// Sizes in bytes.
const (
	gatherFrom = 4 << 10     // the library writes a message of that size in more than one piece
	gatherSize = 64<<10 + 16 // of a write; a piece of the socket's queue and the head of its frame
)

// A gatherer is the connection below the library on a side that has dialed. There the
// library copies a message through a buffer of 4 KiB, to mask it, and writes that each
// time it is full. Between begin and end such pieces become one write.
type gatherer struct {
	net.Conn
	mu  sync.Mutex    // held while something is written
	out *bufio.Writer // nil: pieces are not gathered
}

var gathers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, gatherSize) }}

// Write implements [io.Writer].
func (g *gatherer) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.out != nil {
		return g.out.Write(p)
	}
	return g.Conn.Write(p)
}

// begin makes the following writes wait for end, except those that find no room.
func (g *gatherer) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.out = gathers.Get().(*bufio.Writer)
	g.out.Reset(g.Conn)
}

// end writes what was gathered since begin. It must follow each begin.
func (g *gatherer) end() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.out.Flush()
	g.out.Reset(nil)
	gathers.Put(g.out)
	g.out = nil
	return err
}
