package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/goerpc/erpc/message"
)

// MetaSHA256 is the key of the metadata at the end of a transfer: the SHA-256 of
// all its bytes, in lower-case hexadecimal.
const MetaSHA256 = "X-Erpc-Sha256"

// ErrChecksum means that the bytes received are not the bytes that were sent.
var ErrChecksum = errors.New("session: the checksum of the transfer is wrong")

var errCutTransfer = errors.New("session: the transfer ended without its checksum")

// chunkSize is how many bytes one message of a transfer carries: large enough to
// cost little, small enough that calls beside it do not wait long.
const chunkSize = 64 << 10

// A Transfer sends or receives the bytes of one stream. The zero value is ready
// to use.
type Transfer struct {
	// Progress, if set, is called after each chunk with the number of bytes so
	// far, Offset included, on the goroutine that reads or writes them.
	Progress func(bytes int64)
	// Offset is the number of bytes that the receiver already has. Only Progress
	// gets it: seek the reader of an upload to it, and tell the handler of a
	// download by metadata.
	Offset int64
	// Settings are those of the stream: metadata, transfer filters.
	Settings []message.Setting
	// Again, if set, reports whether [Transfer.Resume] makes another attempt after
	// an error of the program, such as a status which says that the file is busy.
	Again func(err error) bool
}

// Upload sends all bytes of r and their checksum to a handler of uploads
// ([HandleUpload]), and waits for the handler to return. It sends as fast as the
// handler reads, so memory does not grow with the size.
func (t Transfer) Upload(ctx context.Context, o StreamOpener, serviceMethod string, r io.Reader) error {
	s, st := o.OpenStream(ctx, serviceMethod, t.Settings...)
	if !st.OK() {
		return st.Err()
	}
	defer s.Close()
	w := &chunkWriter{s: s, sum: sha256.New(), progress: t.Progress, sent: t.Offset}
	err := w.copyFrom(r)
	switch {
	case errors.Is(err, io.EOF): // the handler has returned before the end
		return s.Status().Err()
	case err != nil:
		return err
	}
	var meta message.Meta
	meta.Set(MetaSHA256, w.checksum())
	err = s.CloseSendMeta(&meta)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return s.Status().Err()
}

// Download opens a stream to a handler of downloads ([HandleDownload]) and returns
// a reader of its bytes. Read returns io.EOF only if all bytes have arrived and
// their checksum is right. The caller must close the reader.
func (t Transfer) Download(ctx context.Context, o StreamOpener, serviceMethod string) (io.ReadCloser, error) {
	s, st := o.OpenStream(ctx, serviceMethod, t.Settings...)
	if !st.OK() {
		return nil, st.Err()
	}
	err := s.CloseSend()
	if err != nil && !errors.Is(err, io.EOF) { // a handler may have returned already
		return nil, err
	}
	return &chunkReader{s: s, sum: sha256.New(), progress: t.Progress, got: t.Offset}, nil
}

// HandleUpload returns the handler of a stream that receives an upload. fn reads
// it from r, whose Read returns io.EOF only if all bytes have arrived and the
// checksum is right.
func HandleUpload(fn func(ctx context.Context, r io.Reader) error) func(CallCtx, *Stream) error {
	return func(c CallCtx, s *Stream) error {
		ctx := new(HandlerContext)
		ctx.Bind(c)
		return fn(ctx, &chunkReader{s: s, sum: sha256.New()})
	}
}

// HandleDownload returns the handler of a stream that sends a download, which fn
// writes to w.
func HandleDownload(fn func(ctx context.Context, w io.Writer) error) func(CallCtx, *Stream) error {
	return func(c CallCtx, s *Stream) error {
		ctx := new(HandlerContext)
		ctx.Bind(c)
		w := &chunkWriter{s: s, sum: sha256.New()}
		err := fn(ctx, w)
		if err == nil {
			err = w.flush()
		}
		if err == nil {
			c.SetMeta(MetaSHA256, w.checksum())
		}
		return err
	}
}

// A chunkWriter sends what is written to it in chunks.
type chunkWriter struct {
	s        *Stream
	sum      hash.Hash
	progress func(int64)
	sent     int64  // from the start of the whole
	buf      []byte // not sent yet
}

// Write implements [io.Writer].
func (w *chunkWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if w.buf == nil {
			w.buf = make([]byte, 0, chunkSize)
		}
		part := p[:min(len(p), cap(w.buf)-len(w.buf))]
		w.buf = append(w.buf, part...)
		if len(w.buf) == cap(w.buf) {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
		n += len(part)
		p = p[len(part):]
	}
	return n, nil
}

// flush sends what was written. Send has copied it when it returns.
func (w *chunkWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	if err := w.s.Send(w.buf); err != nil {
		return err
	}
	_, _ = w.sum.Write(w.buf) // it never fails
	w.sent += int64(len(w.buf))
	w.buf = w.buf[:0]
	if w.progress != nil {
		w.progress(w.sent)
	}
	return nil
}

// copyFrom sends all of r.
func (w *chunkWriter) copyFrom(r io.Reader) error {
	w.buf = make([]byte, 0, chunkSize)
	for {
		n, err := io.ReadFull(r, w.buf[:cap(w.buf)])
		w.buf = w.buf[:n]
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("session: reading what is to be sent: %w", err)
		}
		if sendErr := w.flush(); sendErr != nil {
			return sendErr
		}
		if err != nil {
			return nil // the end of r
		}
	}
}

func (w *chunkWriter) checksum() string { return hex.EncodeToString(w.sum.Sum(nil)) }

// A chunkReader reads the chunks of a stream.
type chunkReader struct {
	s        *Stream
	sum      hash.Hash
	progress func(int64)
	got      int64         // from the start of the whole
	m        streamMessage // that holds chunk
	chunk    []byte        // not read yet
	err      error
}

// Read implements [io.Reader].
func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.chunk) == 0 && r.err == nil {
		r.next()
	}
	if len(r.chunk) == 0 {
		return 0, r.err
	}
	n := copy(p, r.chunk)
	r.chunk = r.chunk[n:]
	if len(r.chunk) == 0 {
		r.m.release()
	}
	return n, nil
}

// WriteTo implements [io.WriterTo]: chunks are written without a copy.
func (r *chunkReader) WriteTo(w io.Writer) (written int64, err error) {
	for {
		for len(r.chunk) == 0 && r.err == nil {
			r.next()
		}
		switch {
		case len(r.chunk) > 0:
		case errors.Is(r.err, io.EOF):
			return written, nil
		default:
			return written, r.err
		}
		n, err := w.Write(r.chunk)
		written += int64(n)
		r.chunk = r.chunk[n:]
		if err == nil && len(r.chunk) > 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return written, err
		}
		r.m.release()
	}
}

// next receives a chunk, or sets the error with which the transfer ended.
func (r *chunkReader) next() {
	r.err = r.receive()
	switch {
	case r.err == nil:
		_, _ = r.sum.Write(r.chunk) // it never fails
		r.got += int64(len(r.chunk))
		if r.progress != nil {
			r.progress(r.got)
		}
	case errors.Is(r.err, io.EOF):
		want := r.s.Trailer().Peek(MetaSHA256)
		if len(want) == 0 {
			r.err = errCutTransfer
		} else if string(want) != hex.EncodeToString(r.sum.Sum(nil)) {
			r.err = ErrChecksum
		}
	}
}

// receive makes the next message the chunk. It copies the bytes only if there are
// hooks that see them.
func (r *chunkReader) receive() error {
	if r.s.hooks.preRecvMessage != nil {
		return r.s.Recv(&r.chunk)
	}
	m, err := r.s.take(context.Background())
	r.m, r.chunk = m, m.body
	return err
}

// Close implements [io.Closer].
func (r *chunkReader) Close() error { return r.s.Close() }
