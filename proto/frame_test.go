package proto

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/goerpc/erpc/message"
)

// pattern returns n bytes that do not repeat.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16*31)
	}
	return b
}

func TestReadFrameAroundEveryBoundary(t *testing.T) {
	const size = 4 << 10 // of the reader's buffer
	const rest = "the next message"
	for _, n := range []int{0, 1, 15, 16, size - 1, size, size + 1, 2 * size,
		firstRead - 1, firstRead, firstRead + 1, firstRead + size, 8*firstRead - 1, 8 * firstRead, 8*firstRead + 1, 20 * firstRead} {
		for name, chunks := range map[string]func(io.Reader) io.Reader{
			"whole":      func(r io.Reader) io.Reader { return r },
			"halves":     iotest.HalfReader,
			"error last": iotest.DataErrReader,
		} {
			for _, kept := range []int{0, 100, 300 << 10, 8 << 20} { // storage of the message before
				want := pattern(n)
				src := chunks(io.MultiReader(bytes.NewReader(want), bytes.NewReader([]byte(rest))))
				r := bufio.NewReaderSize(src, size)
				var m message.Message
				m.Keep(make([]byte, 0, kept))
				b, own, err := ReadFrame(r, &m, n)
				if err != nil || !bytes.Equal(b, want) {
					t.Fatalf("%d bytes %s: got %d, %v", n, name, len(b), err)
				}
				if own != (n > size) {
					t.Errorf("%d bytes %s: own is %v with a buffer of %d", n, name, own, size)
				}
				if own && &m.Storage(1)[0] != &b[0] {
					t.Errorf("%d bytes %s: they are not the message's", n, name)
				}
				if left, err := io.ReadAll(r); err != nil || string(left) != rest {
					t.Errorf("%d bytes %s: behind them stands %q, %v", n, name, left, err)
				}
			}
		}
	}
}

// The storage that ReadFrame returns is not shared with other messages that read
// large frames.
func TestReadFrameSharesNoStorage(t *testing.T) {
	var held []*message.Message
	var frames [][]byte
	for i := range 40 {
		n := 257<<10 + i*20_011
		want := bytes.Repeat([]byte{byte(i + 1)}, n)
		m := new(message.Message)
		b, _, err := ReadFrame(bufio.NewReader(bytes.NewReader(want)), m, n)
		if err != nil {
			t.Fatal(err)
		}
		held, frames = append(held, m), append(frames, b)
		if i%3 == 2 { // some are reset, and their storage is reused
			held[i-1].Reset()
			held[i-1], frames[i-1] = nil, nil
		}
		for j, f := range frames {
			if held[j] != nil && (f[0] != byte(j+1) || f[len(f)-1] != byte(j+1)) {
				t.Fatalf("frame %d was overwritten when %d was read", j, i)
			}
		}
	}
}

func TestReadFrameCutShort(t *testing.T) {
	broken := errors.New("connection reset")
	for _, n := range []int{2, 100, 5000, firstRead + 100, 9 * firstRead} {
		for _, got := range []int{0, 1, n / 2, n - 1} { // fewer than n
			src := pattern(got)
			for want, r := range map[error]io.Reader{
				io.ErrUnexpectedEOF: bytes.NewReader(src),
				broken:              io.MultiReader(bytes.NewReader(src), iotest.ErrReader(broken)),
			} {
				var m message.Message
				if b, _, err := ReadFrame(bufio.NewReader(r), &m, n); !errors.Is(err, want) || b != nil {
					t.Errorf("%d of %d bytes: %d, %v; want %v", got, n, len(b), err, want)
				}
			}
		}
	}
}

// A sender that announces a large frame and sends little of it does not make us
// allocate all of it.
func TestReadFrameAllocatesWhatArrives(t *testing.T) {
	const claim = 1 << 30
	for _, got := range []int{0, 1000, firstRead, 4 * firstRead} {
		var before, after runtime.MemStats
		src := pattern(got)
		runtime.GC()
		runtime.ReadMemStats(&before)
		var m message.Message
		_, _, err := ReadFrame(bufio.NewReader(bytes.NewReader(src)), &m, claim)
		runtime.ReadMemStats(&after)
		if err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(10*got+firstRead+64<<10) {
			t.Errorf("%d bytes were allocated for %d that came", n, got)
		}
	}
}

// offered records how many bytes the first Read may fill.
type offered struct {
	io.Reader
	first int
}

func (o *offered) Read(p []byte) (int, error) {
	if o.first == 0 {
		o.first = len(p)
	}
	return o.Reader.Read(p)
}

// A connection that has carried a large message gets the storage for another one at
// once, and no more than that.
func TestReadFrameGivesEarnedStorageAtOnce(t *testing.T) {
	const earned = 16 * firstRead
	for _, c := range []struct{ earned, n, want int }{
		{0, earned, firstRead},
		{1000, earned, firstRead},
		{earned, earned, earned},
		{earned, earned + 40, earned + 40},
		{earned, 64 * earned, earned},
		{earned, 2 * firstRead, 2 * firstRead},
	} {
		runtime.GC()
		runtime.GC() // no storage is kept that could be used
		var m message.Message
		m.SetEarnedStorage(uint32(c.earned))
		src := &offered{Reader: bytes.NewReader(pattern(1000))}
		if _, _, err := ReadFrame(bufio.NewReader(src), &m, c.n); err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes after %d: %v", c.n, c.earned, err)
		}
		if src.first != c.want {
			t.Errorf("%d bytes after %d: there is storage for %d at once, want %d", c.n, c.earned, src.first, c.want)
		}
	}
}

// A part that is slightly smaller than the frame is the whole frame. What pooled
// storage holds does not matter here, so the rule is tested alone.
func TestStepTakesASmallRest(t *testing.T) {
	for _, c := range []struct{ next, n, want int }{
		{firstRead, firstRead / 2, firstRead / 2},
		{firstRead, firstRead, firstRead},
		{firstRead, firstRead + 40, firstRead + 40},
		{firstRead, firstRead + firstRead/7, firstRead + firstRead/7},
		{firstRead, firstRead + firstRead/2, firstRead},
		{8 * firstRead, 8*firstRead + firstRead/2, 8*firstRead + firstRead/2},
		{8 * firstRead, 16 * firstRead, 8 * firstRead},
	} {
		if got := step(c.next, c.n); got != c.want {
			t.Errorf("step(%d, %d) is %d, want %d", c.next, c.n, got, c.want)
		}
	}
}

// A body of a round size and its header are slightly larger than a step of the
// growth. The excess must not cost another step, which copies everything.
func TestReadFrameTakesNoStepForTheRest(t *testing.T) {
	const n = 8*8*firstRead + 40
	src := pattern(n)
	least := uint64(1 << 62)
	for range 3 { // earlier storage may be reused or collected
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var m message.Message
		if _, _, err := ReadFrame(bufio.NewReader(bytes.NewReader(src)), &m, n); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	if least > n+n/2 { // the steps before the last take a quarter
		t.Errorf("%d bytes were allocated for a frame of %d", least, n)
	}
}

func TestPeekHead(t *testing.T) {
	for _, c := range []struct {
		stream string
		want   error
	}{
		{"", io.EOF}, {"a", io.ErrUnexpectedEOF}, {"abc", io.ErrUnexpectedEOF}, {"abcd", nil}, {"abcde", nil},
	} {
		r := bufio.NewReader(iotest.OneByteReader(bytes.NewReader([]byte(c.stream))))
		head, err := PeekHead(r, 4)
		if err != c.want || err == nil && string(head) != "abcd" {
			t.Errorf("%q: %q, %v; want %v", c.stream, head, err, c.want)
		}
		if left, _ := io.ReadAll(r); string(left) != c.stream { // bytes.Reader has no errors
			t.Errorf("%q: PeekHead took something, %q is left", c.stream, left)
		}
	}
	timeout := errors.New("timeout")
	if _, err := PeekHead(bufio.NewReader(iotest.ErrReader(timeout)), 4); err != timeout {
		t.Errorf("error %v, want that of the connection", err)
	}
}
