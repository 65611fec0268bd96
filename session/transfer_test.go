package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/plugin"
)

// content returns n bytes that no filter can compress.
func content(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func streamOf(f func(CallCtx, *Stream) error) *Handler {
	return streamHandler(func(ctx CallCtx, s *Stream) *message.Status { return message.FromError(f(ctx, s)) })
}

// seesAll is a plugin with a hook for received messages, for which these are
// received in another way.
type seesAll struct{}

func (seesAll) Name() string                             { return "sees all" }
func (seesAll) PreRecvMessage(StreamCtx) *message.Status { return nil }

// Bytes of every interesting length arrive as they were sent, however they are
// read and written.
func TestTransfers(t *testing.T) {
	sizes := []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3*chunkSize + 7}
	hooks := map[string][]plugin.Plugin{"": nil, " with hooks": {seesAll{}}}
	for name, plugins := range hooks {
		t.Run("upload"+name, func(t *testing.T) {
			got := make(chan []byte, 1)
			h := streamOf(HandleUpload(func(_ context.Context, r io.Reader) error {
				b, err := io.ReadAll(iotest.OneByteReader(io.LimitReader(r, 100))) // in small steps at first
				rest, err2 := io.ReadAll(r)
				got <- append(b, rest...)
				return errors.Join(err, err2)
			}))
			duets(t, routes{stream: h}, func(d *duet) {
				got = make(chan []byte, 1)
				for _, size := range sizes {
					var progress []int64
					up := Transfer{Progress: func(n int64) { progress = append(progress, n) }}
					if err := up.Upload(d.Context(), d.here, "/s", iotest.HalfReader(bytes.NewReader(content(size)))); err != nil {
						d.Fatalf("%d bytes: %v", size, err)
					}
					if !bytes.Equal(<-got, content(size)) {
						d.Errorf("%d bytes arrived in another form", size)
					}
					if n := len(progress); !slices.IsSorted(progress) || size > 0 && (n == 0 || progress[n-1] != int64(size)) {
						d.Errorf("%d bytes: progress %v", size, progress)
					}
				}
			}, withPlugins(nil, plugins))
		})
		t.Run("download"+name, func(t *testing.T) {
			size := 0
			h := streamOf(HandleDownload(func(_ context.Context, w io.Writer) error {
				b := content(size)
				_, err := w.Write(b[:size/3])
				_, err2 := w.Write(b[size/3:])
				return errors.Join(err, err2)
			}))
			duets(t, routes{stream: h}, func(d *duet) {
				for _, size = range sizes {
					for _, hide := range []bool{false, true} { // io.Copy finds WriteTo, or does not
						r, err := (Transfer{}).Download(d.Context(), d.here, "/s")
						if err != nil {
							d.Fatal(err)
						}
						var from io.Reader = r
						if hide {
							from = io.MultiReader(r)
						}
						var b bytes.Buffer
						if n, err := io.Copy(&b, from); err != nil || n != int64(size) || !bytes.Equal(b.Bytes(), content(size)) {
							d.Errorf("%d bytes: %d, %v", size, n, err)
						}
						if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
							d.Errorf("after the end: %d, %v", n, err)
						}
						if err := r.Close(); err != nil {
							d.Error(err)
						}
					}
				}
			}, withPlugins(plugins, nil))
		})
	}
}

// What can go wrong with an upload, as both sides see it.
func TestUploadsThatFail(t *testing.T) {
	broken := errors.New("broken disk")
	readAll := HandleUpload(func(_ context.Context, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	for _, c := range []struct {
		name    string
		handler func(CallCtx, *Stream) error
		from    io.Reader
		is      error // what errors.Is finds; or
		code    int32
	}{
		{"the source fails", readAll, io.MultiReader(bytes.NewReader(content(chunkSize)), iotest.ErrReader(broken)), broken, 0},
		{"the handler fails at once", HandleUpload(func(context.Context, io.Reader) error { return message.NewStatus(1234, "no").Err() }),
			bytes.NewReader(content(20 * chunkSize)), nil, 1234},
		{"the handler fails at the end", HandleUpload(func(_ context.Context, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return errors.Join(err, message.NewStatus(1234, "no").Err())
		}), bytes.NewReader(content(10)), nil, 1234},
		{"the handler panics", HandleUpload(func(context.Context, io.Reader) error { panic("oops") }), bytes.NewReader(content(10)), nil, message.CodeInternalServerError},
	} {
		t.Run(c.name, func(t *testing.T) {
			duets(t, routes{stream: streamOf(c.handler)}, func(d *duet) {
				err := (Transfer{}).Upload(d.Context(), d.here, "/s", c.from)
				if c.is != nil && !errors.Is(err, c.is) || c.is == nil && code(err) != c.code {
					d.Errorf("got %v", err)
				}
			})
		})
	}
	duets(t, routes{}, func(d *duet) {
		if err := (Transfer{}).Upload(d.Context(), d.here, "/s", bytes.NewReader(nil)); code(err) != message.CodeNotFound {
			d.Errorf("without a handler: %v", err)
		}
		_ = d.here.Close()
		if err := (Transfer{}).Upload(d.Context(), d.here, "/s", bytes.NewReader(nil)); code(err) != message.CodeConnClosed {
			d.Errorf("without a session: %v", err)
		}
		if r, err := (Transfer{}).Download(d.Context(), d.here, "/s"); r != nil || code(err) != message.CodeConnClosed {
			d.Errorf("a download without a session: %v, %v", r, err)
		}
	})
}

// A handler that does not read everything does not make the upload fail.
func TestUploadOfWhichAPartIsEnough(t *testing.T) {
	h := streamOf(HandleUpload(func(_ context.Context, r io.Reader) error {
		_, err := io.ReadFull(r, make([]byte, 10))
		return err
	}))
	duets(t, routes{stream: h}, func(d *duet) {
		if err := (Transfer{}).Upload(d.Context(), d.here, "/s", bytes.NewReader(content(30*chunkSize))); err != nil {
			d.Error(err)
		}
	})
}

// Wrong or missing bytes are never followed by io.EOF.
func TestTransfersThatAreNotWhole(t *testing.T) {
	sends := func(meta string, n int) func(CallCtx, *Stream) error {
		return func(ctx CallCtx, s *Stream) error {
			if meta != "" {
				ctx.SetMeta(MetaSHA256, meta)
			}
			return s.Send(content(n))
		}
	}
	const ofNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, c := range []struct {
		name    string
		handler func(CallCtx, *Stream) error
		is      error
		code    int32
	}{
		{"no checksum", sends("", 10), errCutTransfer, 0},
		{"the checksum of something else", sends(ofNothing, 10), ErrChecksum, 0},
		{"the handler fails", HandleDownload(func(_ context.Context, w io.Writer) error {
			_, err := w.Write(content(2 * chunkSize))
			return errors.Join(err, message.NewStatus(1234, "no").Err())
		}), nil, 1234},
	} {
		for _, way := range []string{"Read", "WriteTo"} {
			t.Run(c.name+", "+way, func(t *testing.T) {
				duets(t, routes{stream: streamOf(c.handler)}, func(d *duet) {
					r, err := (Transfer{}).Download(d.Context(), d.here, "/s")
					if err != nil {
						d.Fatal(err)
					}
					defer r.Close()
					if way == "Read" {
						_, err = io.ReadAll(r)
					} else {
						_, err = r.(io.WriterTo).WriteTo(io.Discard)
					}
					if c.is != nil && !errors.Is(err, c.is) || c.is == nil && code(err) != c.code || err == nil {
						d.Errorf("got %v", err)
					}
				})
			})
		}
	}
	upload := make(chan error, 1)
	h := streamOf(HandleUpload(func(_ context.Context, r io.Reader) error {
		_, err := io.ReadAll(r)
		upload <- err
		return err
	}))
	duets(t, routes{stream: h}, func(d *duet) {
		upload = make(chan error, 1)
		s := d.open(d.Context())
		if err := errors.Join(s.Send(content(10)), s.CloseSend()); err != nil {
			d.Fatal(err)
		}
		if err := <-upload; !errors.Is(err, errCutTransfer) {
			d.Errorf("an upload without its checksum: %v", err)
		}
		<-s.Done()
	})
}

// shortWriter takes a few bytes, with no error or one.
type shortWriter struct{ err error }

func (w shortWriter) Write(p []byte) (int, error) { return min(len(p), 3), w.err }

func TestDownloadToAWriterThatFails(t *testing.T) {
	full := errors.New("disk full")
	h := streamOf(HandleDownload(func(_ context.Context, w io.Writer) error {
		_, err := w.Write(content(100))
		return err
	}))
	duets(t, routes{stream: h}, func(d *duet) {
		for _, c := range []struct {
			w    io.Writer
			want error
		}{{shortWriter{}, io.ErrShortWrite}, {shortWriter{full}, full}} {
			r, err := (Transfer{}).Download(d.Context(), d.here, "/s")
			if err != nil {
				d.Fatal(err)
			}
			if n, err := r.(io.WriterTo).WriteTo(c.w); n != 3 || !errors.Is(err, c.want) {
				d.Errorf("%d, %v; want %v", n, err, c.want)
			}
			if rest, err := io.ReadAll(r); err != nil || !bytes.Equal(rest, content(100)[3:]) { // nothing is lost
				d.Errorf("%d bytes are left, %v", len(rest), err)
			}
			_ = r.Close() // never fails
		}
	})
}

// The context of a handler of transfers is that of a typed handler.
func TestContextOfATransferHandler(t *testing.T) {
	seen := make(chan string, 1)
	h := streamOf(HandleUpload(func(ctx context.Context, r io.Reader) error {
		seen <- CallCtxFrom(ctx).GetMeta("name")
		_, err := io.ReadAll(r)
		return err
	}))
	duets(t, routes{stream: h}, func(d *duet) {
		seen = make(chan string, 1)
		t := Transfer{Settings: []message.Setting{message.WithSetMeta("name", "a.txt")}}
		if err := t.Upload(d.Context(), d.here, "/s", bytes.NewReader(content(5))); err != nil {
			d.Fatal(err)
		}
		if got := <-seen; got != "a.txt" {
			d.Errorf("the handler sees the name %q", got)
		}
	})
}
