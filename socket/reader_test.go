package socket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// A session calls Wait before it takes storage for a message, so Read must find
// what Wait has read.
func TestWaitThenRead(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := k.pair(t)
			s, r := newSocket(a, Config{}), newSocket(b, Config{})
			go func() {
				for i := range 3 {
					if err := s.Send(call(i, bytes.Repeat([]byte{byte(i)}, 40*i)), ByPolicy, FlushInline); err != nil {
						t.Error(err)
					}
				}
			}()
			for i := range 3 {
				var m message.Message
				if !r.Buffered() {
					if err := r.Wait(); err != nil {
						t.Fatal(err)
					}
				}
				if !r.Buffered() {
					t.Fatal("Wait returned and nothing is buffered")
				}
				if err := r.Wait(); err != nil { // there is something: it returns at once
					t.Fatal(err)
				}
				if err := r.Read(&m); err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if int(m.Seq()) != i || !bytes.Equal(m.Raw(), bytes.Repeat([]byte{byte(i)}, 40*i)) {
					t.Fatalf("message %d arrived as %d with %d bytes", i, m.Seq(), len(m.Raw()))
				}
			}
			_, _ = s.Close(), r.Close() // closing is tested elsewhere
		})
	}
}

// The connection may deliver a byte at a time, or many messages and a part of the
// next.
func TestReadWhateverTheChunks(t *testing.T) {
	var stream []byte
	sizes := []int{0, 1, 500, readBuffer - lengthHead, readBuffer, readBuffer + 1, 300 << 10}
	for i, n := range sizes {
		stream = append(stream, frameOf(t, call(i, bytes.Repeat([]byte{byte(i)}, n)))...)
	}
	for _, k := range kinds {
		for _, step := range []int{1, 24, 25, 1000, readBuffer, len(stream)} {
			if step < 1000 && k.name != "unix" && k.name != "pipe" {
				continue // slow, and a small step is as good
			}
			a, b := k.pair(t)
			r := newSocket(b, Config{})
			go func() {
				for rest := stream; len(rest) > 0; {
					n := min(step, len(rest))
					if step < 1000 && len(rest) < len(stream)-600 {
						n = len(rest) // the first messages by the byte are enough
					}
					if _, err := a.Write(rest[:n]); err != nil {
						t.Error(err)
					}
					rest = rest[n:]
				}
				_ = a.Close()
			}()
			for i, n := range sizes {
				var m message.Message
				if err := r.Read(&m); err != nil {
					t.Fatalf("%s by %d bytes, message %d: %v", k.name, step, i, err)
				}
				if int(m.Seq()) != i || !bytes.Equal(m.Raw(), bytes.Repeat([]byte{byte(i)}, n)) {
					t.Fatalf("%s by %d bytes: message %d is broken", k.name, step, i)
				}
			}
			var m message.Message
			if err := r.Read(&m); err != io.EOF {
				t.Errorf("%s by %d bytes: at the end %v, want io.EOF as it is", k.name, step, err)
			}
			st := r.Stats()
			if st.MessagesIn != uint64(len(sizes)) || st.BytesIn != uint64(len(stream)) || st.Reads == 0 {
				t.Errorf("%s by %d bytes: stats %+v", k.name, step, st)
			}
			_ = r.Close()
		}
	}
}

// After a large message only the beginning of the next one is read into the buffer.
// The rest, of a large one, goes to where it stays, without a copy. Small messages
// share reads again after the first of them.
func TestLargeMessagesAreReadAroundTheBuffer(t *testing.T) {
	for _, k := range kinds {
		a, b := k.pair(t)
		r := newSocket(b, Config{})
		if r.out.raw == nil {
			_, _ = a.Close(), b.Close() // it is read without a poll
			continue
		}
		large, small := frameOf(t, call(1, make([]byte, 64<<10))), frameOf(t, call(2, make([]byte, 100)))
		read := func(name string, seq int32, most, least int) {
			t.Helper()
			if err := r.Wait(); err != nil {
				t.Fatalf("%s, %s: %v", k.name, name, err)
			}
			if n := r.in.br.Buffered(); n > most || n < least {
				t.Errorf("%s, %s: %d bytes are in the buffer, want %d to %d", k.name, name, n, least, most)
			}
			var m message.Message
			if err := r.Read(&m); err != nil || m.Seq() != seq {
				t.Fatalf("%s, %s: message %d, %v", k.name, name, m.Seq(), err)
			}
		}
		write := func(frames ...[]byte) {
			t.Helper()
			if _, err := a.Write(bytes.Join(frames, nil)); err != nil {
				t.Fatal(err)
			}
		}
		for i, most := range []int{readBuffer, beginning, beginning} {
			written := make(chan struct{})
			go func() { // it may not fit into what the system holds
				defer close(written)
				if _, err := a.Write(large); err != nil {
					t.Error(err)
				}
			}()
			read(fmt.Sprintf("large message %d", i), 1, most, 1)
			within(t, "the writing", written)
		}
		write(small)
		read("a small one", 2, beginning, len(small))
		many := bytes.Repeat(small, 60) // fits into one packet everywhere
		write(many)
		read("the first of many", 2, readBuffer, beginning+1)
		_, _ = r.Close(), a.Close()
	}
}

// A conn that has always more to read records how much of it is asked for.
type endless struct {
	net.Conn
	left  []byte
	taken int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.left)
	e.left, e.taken = e.left[n:], e.taken+n
	return n, nil
}

// Nothing behind a message of 64 KiB is read with it, which would mean that a part
// of it was copied.
func TestNothingIsReadBehindALargeMessage(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	frame := frameOf(t, call(1, make([]byte, 64<<10+10))) // with a head as short as this protocol's, 64 KiB alone fit into a buffer of 64 KiB
	src := &endless{Conn: b, left: bytes.Repeat(frame, 3)}
	r := newSocket(src, Config{})
	defer r.Close()
	for i := 1; i <= 3; i++ {
		var m message.Message
		if err := r.Read(&m); err != nil {
			t.Fatal(err)
		}
		if src.taken != i*len(frame) {
			t.Errorf("%d bytes were read for %d messages of %d", src.taken, i, len(frame))
		}
	}
}

func TestReadErrors(t *testing.T) {
	whole := frameOf(t, call(1, []byte("body")))
	for _, k := range kinds {
		for _, c := range []struct {
			name   string
			stream []byte
			want   error
		}{
			{"end between messages", nil, io.EOF},
			{"end in the head", whole[:5], io.ErrUnexpectedEOF},
			{"end in the body", whole[:len(whole)-1], io.ErrUnexpectedEOF},
			{"above the limit", frameOf(t, call(1, make([]byte, 1001))), proto.ErrTooLarge},
			{"no frame", make([]byte, 100), proto.ErrMalformed},
		} {
			a, b := k.pair(t)
			r := newSocket(b, Config{ReadLimit: 1000})
			go func() {
				_, _ = a.Write(c.stream) // the reader may be gone
				_ = a.Close()
			}()
			var m message.Message
			if err := r.Read(&m); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v, want %v", k.name, c.name, err, c.want)
			}
			_ = r.Close()
		}
	}
}

func TestReadObeysDeadlineAndClose(t *testing.T) {
	for _, k := range kinds {
		a, b := k.pair(t)
		r := newSocket(b, Config{})
		_ = r.Conn().SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		var m message.Message
		if err := r.Read(&m); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v, want a timeout", k.name, err)
		}
		_ = r.Conn().SetReadDeadline(time.Time{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			if r.Wait() == nil {
				t.Errorf("%s: Wait found something on a closed connection", k.name)
			}
		}()
		_ = r.Close()
		within(t, k.name+": Wait after Close", done)
		_ = a.Close()
	}
}

// Idle connections hold no buffer: otherwise a hundred of them would hold 6 MB,
// over unixpacket 25 MB.
func TestIdleReaderHoldsNoBuffer(t *testing.T) {
	const n, most = 100, 2 << 20
	for _, k := range kinds {
		if k.name == "tls" {
			continue // crypto/tls has buffers of its own
		}
		t.Run(k.name, func(t *testing.T) {
			before := heap()
			var wg sync.WaitGroup
			var socks []*Socket
			ready := make(chan struct{}, n)
			for range n {
				a, b := k.pair(t)
				r := newSocket(b, Config{})
				socks = append(socks, r)
				wg.Go(func() { // reads one whole frame, then nothing
					var m message.Message
					if err := r.Read(&m); err != nil {
						t.Error(err)
					}
					m.Reset()
					ready <- struct{}{}
					_ = r.Wait() // until the end of the test
				})
				if _, err := a.Write(frameOf(t, call(1, make([]byte, 1000)))); err != nil {
					t.Fatal(err)
				}
			}
			for range n {
				<-ready
			}
			for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
				held := heap() - before
				if held < most {
					break
				}
				if time.Now().After(end) {
					t.Errorf("%d idle connections hold %d bytes", n, held)
					break
				}
			}
			for _, s := range socks {
				_ = s.Close()
			}
			wg.Wait()
		})
	}
}

// heap returns the bytes in use, with the pools emptied.
func heap() int {
	runtime.GC()
	runtime.GC() // a sync.Pool survives one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Stats counts the reads that returned something.
func TestEmptyReadsDoNotCount(t *testing.T) {
	for _, k := range kinds {
		a, b := k.pair(t)
		r := newSocket(a, Config{})
		_ = b.Close()
		if err := r.Read(new(message.Message)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", k.name, err)
		}
		if st := r.Stats(); st.Reads != 0 || st.BytesIn != 0 {
			t.Errorf("%s: %+v after the end alone", k.name, st)
		}
		_ = r.Close()
	}
}
