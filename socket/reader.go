package socket

import (
	"bufio"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// Sizes in bytes.
const (
	readBuffer = 60 << 10 // what follows the beginning of a message of 64 KiB is read around it
	beginning  = 4 << 10  // of a message that is expected to be large
	firstBytes = 40       // enough for a protocol to tell whose message it is
)

var (
	readers  = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}
	errAgain = errors.New("socket: nothing to read")
)

// A reader is the read side of a socket. It holds a buffer only while there
// are bytes in it: wait polls the descriptor with a pooled buffer and gives that
// back before the goroutine parks. On a connection that can't be polled, wait
// reads into the few bytes of first.
type reader struct {
	out   *writer // holds the connection; flushed before every read
	poll  func(fd uintptr) bool
	br    *bufio.Reader
	err   error
	fd    int32 // of the poll in progress, else -1
	loop  bool  // the connection is a ReadNotifier, or one is below it
	large bool  // the last message did not fit into a buffer; the next one is likely to be large, too
	from  uint8 // first[from:to] is not in the buffer yet
	to    uint8
	first *[firstBytes]byte // what was read while there was no buffer; nil where the descriptor can be polled

	messages, bytes, reads atomic.Uint64 // written by the reading goroutine only
}

func (r *reader) init(out *writer) {
	r.out, r.fd = out, -1
	r.poll = r.fill
	if out.raw == nil {
		r.first = new([firstBytes]byte)
	}
}

// wait returns the buffered connection once there is something to read.
func (r *reader) wait() (*bufio.Reader, error) {
	if r.br != nil {
		if r.br.Buffered() > 0 {
			return r.br, nil
		}
		r.release()
	}
	r.out.flushBeforeRead()
	if r.out.raw == nil {
		n, err := r.readConn(r.first[:])
		if n == 0 && err != nil {
			return nil, err
		}
		r.from, r.to = 0, uint8(n)
		r.acquire()
		if _, err := r.br.Peek(1); err != nil { // from now on it is Buffered
			r.release()
			return nil, err
		}
		return r.br, nil
	}
	before := r.bytes.Load()
	if err := r.out.raw.Read(r.poll); err != nil {
		return nil, err
	}
	r.endTurn(before)
	return r.br, r.err
}

func (r *reader) acquire() {
	r.br = readers.Get().(*bufio.Reader)
	r.br.Reset(r)
}

func (r *reader) release() {
	r.br.Reset(nil)
	readers.Put(r.br)
	r.br = nil
}

// fill is called by the runtime with the descriptor, and again each time that
// becomes readable until fill returns true.
func (r *reader) fill(fd uintptr) bool {
	if r.br == nil {
		r.acquire()
	}
	r.fd = int32(fd)
	_, r.err = r.br.Peek(1)
	r.fd = -1
	if r.err == nil {
		return true
	}
	r.release()
	return r.err != errAgain
}

// Read implements [io.Reader] for the buffer. It does not block within fill.
func (r *reader) Read(p []byte) (n int, err error) {
	switch {
	case r.from < r.to:
		n = copy(p, r.first[r.from:r.to])
		r.from += uint8(n)
		return n, nil
	case r.fd >= 0 && r.large: // the protocol reads the rest to where it stays, without a copy
		n, err = readNow(int(r.fd), p[:min(len(p), beginning)])
	case r.fd >= 0:
		n, err = readNow(int(r.fd), p)
	default:
		r.out.flushBeforeRead()
		return r.readConn(p)
	}
	r.count(n)
	return n, err
}

// readConn reads from the connection. It may wait.
func (r *reader) readConn(p []byte) (int, error) {
	before := r.bytes.Load()
	n, err := r.out.conn.Read(p)
	r.count(n)
	if len(p) <= readBuffer { // a larger read spends its time in the system, where the runtime lends the processor to others
		r.endTurn(before)
	}
	return n, err
}

// endTurn lets other goroutines run each time that another turnBytes have been
// read; before is how many bytes had been read before the last read. The goroutine
// of a connection that always has something to read never waits. Without this, the
// others on its processor would wait until the runtime preempts it, which takes
// 10 ms, and an idle processor would not be told to look for other connections that
// have something to read.
func (r *reader) endTurn(before uint64) {
	if before/turnBytes != r.bytes.Load()/turnBytes {
		runtime.Gosched()
	}
}

// arrived notes that a message of n bytes was read.
func (r *reader) arrived(n uint32) {
	r.messages.Store(r.messages.Load() + 1)
	r.large = n > readBuffer
}

func (r *reader) count(n int) {
	if n > 0 {
		r.bytes.Store(r.bytes.Load() + uint64(n)) // one writer: no need for Add
		r.reads.Store(r.reads.Load() + 1)
	}
}
