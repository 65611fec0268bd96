package compress

import (
	"bytes"
	"fmt"
	"io"
	"net"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// An Algorithm is a way to compress. The values are those of the wire.
type Algorithm byte

// The algorithms.
const (
	S2    Algorithm = 1 << iota // fast
	Zstd                        // smaller
	Flate                       // in every standard library
)

// String returns the name of the algorithm.
func (a Algorithm) String() string {
	switch a {
	case 0:
		return "none"
	case S2:
		return "s2"
	case Zstd:
		return "zstd"
	case Flate:
		return "flate"
	}
	return fmt.Sprintf("algorithm %d", byte(a))
}

// Sizes, in bytes, that both sides use: a stream that needs more is refused.
const (
	s2Block    = 64 << 10
	zstdWindow = 256 << 10
)

// compressor is implemented by the packages of all algorithms.
type compressor interface {
	io.Writer
	Flush() error
}

// compressor returns a compressor that writes to w. It starts no goroutines.
func (a Algorithm) compressor(w io.Writer) (compressor, error) {
	switch a {
	case S2:
		return s2.NewWriter(w, s2.WriterConcurrency(1), s2.WriterBlockSize(s2Block)), nil
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
			zstd.WithWindowSize(zstdWindow), zstd.WithEncoderLevel(zstd.SpeedFastest))
	case Flate:
		return flate.NewWriter(w, flate.BestSpeed)
	}
	return nil, fmt.Errorf("compress: %v is unknown", a)
}

// reader returns a reader of the uncompressed r. Its memory is bounded whatever r
// contains, and it starts no goroutines.
func (a Algorithm) reader(r io.Reader) (io.Reader, error) {
	switch a {
	case S2:
		return s2.NewReader(r, s2.ReaderMaxBlockSize(s2Block)), nil
	case Zstd:
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
	case Flate:
		return flate.NewReader(r), nil
	}
	return nil, fmt.Errorf("compress: %v is unknown", a)
}

// A packed connection is compressed both ways. Like the connection below, it
// allows one reader and one writer at a time.
type packed struct {
	net.Conn
	r   io.Reader
	w   compressor
	buf bytes.Buffer // the output of w
	err error        // of the writer; it stays, because a part of the stream is lost
}

func newPacked(conn net.Conn, a Algorithm) (*packed, error) {
	p := &packed{Conn: conn}
	var err error
	p.w, err = a.compressor(&p.buf)
	if err != nil {
		return nil, err
	}
	p.r, err = a.reader(conn)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (p *packed) Read(b []byte) (int, error) { return p.r.Read(b) }

// Write compresses b and sends it in one write, so that the other side can read
// all of it.
func (p *packed) Write(b []byte) (int, error) {
	if p.err != nil || len(b) == 0 {
		return 0, p.err
	}
	_, p.err = p.w.Write(b)
	if p.err == nil {
		p.err = p.w.Flush()
	}
	if p.err == nil {
		_, p.err = p.Conn.Write(p.buf.Bytes())
	}
	if p.err != nil {
		return 0, p.err
	}
	p.buf.Reset()
	if p.buf.Cap() > maxKept {
		p.buf = bytes.Buffer{}
	}
	return len(b), nil
}

// maxKept is the largest buffer, in bytes, that a connection keeps for its next
// write.
const maxKept = 64 << 10

// NetConn returns the connection below.
func (p *packed) NetConn() net.Conn { return p.Conn }
