package zstd_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	kzstd "github.com/klauspost/compress/zstd"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/xfertest"
	"github.com/goerpc/erpc/xfer/zstd"
)

// TestMain also shows that encoders and decoders leave no goroutine behind.
func TestMain(m *testing.M) { wait.Main(m) }

func newFilter(tb testing.TB, level int) interface {
	xfer.XferFilter
	xfer.LimitedUnpacker
} {
	tb.Helper()
	f, err := zstd.New('z', "zstd", level)
	if err != nil {
		tb.Fatal(err)
	}
	return f.(*zstd.Filter)
}

func TestConformance(t *testing.T) {
	for _, level := range []int{0, 1} {
		t.Run(fmt.Sprint(level), func(t *testing.T) { xfertest.Run(t, newFilter(t, level)) })
	}
}

// TestLevels uses little data, because the slow levels take long under the race
// detector.
func TestLevels(t *testing.T) {
	data := xfertest.Text(10_000)
	for _, level := range []int{0, 1, 2, 3, 6, 9, 10, 15, 22} { // around those at which the encoder changes
		f := newFilter(t, level)
		packed, err := f.OnPack(data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.OnUnpackLimit(packed, len(data))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("level %d: %d bytes came back as %d, %v", level, len(data), len(got), err)
		}
		if len(packed) > len(data)/2 {
			t.Errorf("level %d: %d bytes packed to %d", level, len(data), len(packed))
		}
	}
}

// TestLargerThanTheWindow packs more than an encoder's window of 4 MiB.
func TestLargerThanTheWindow(t *testing.T) {
	f := newFilter(t, 1)
	data := xfertest.Text(6 << 20)
	packed, err := f.OnPack(data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.OnUnpackLimit(packed, len(data))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back as %d, %v", len(data), len(got), err)
	}
}

// Frames written by hand from RFC 8878: magic, descriptor, window or size,
// blocks of 3 bytes header (last, kind, size) and content.
var (
	magic    = "28b52ffd"
	oneRaw   = magic + "20" + "05" + "290000" + hex.EncodeToString([]byte("hello")) // single segment
	oneRLE   = magic + "00" + "58" + "4b0000" + "61"                                // 2 MiB window, size unknown
	twoBlock = magic + "00" + "58" + "280000" + hex.EncodeToString([]byte("hello")) + "1b0000" + "21"
)

func TestGolden(t *testing.T) {
	f := newFilter(t, 0)
	for _, v := range []struct{ packed, plain string }{
		{oneRaw, "hello"},
		{oneRLE, "aaaaaaaaa"},
		{twoBlock, "hello!!!"},
	} {
		n := len(v.plain)
		got, err := f.OnUnpackLimit(unhex(t, v.packed), n)
		if err != nil || string(got) != v.plain {
			t.Errorf("%s: got %q, %v; want %q", v.packed, got, err, v.plain)
		}
		if got, err := f.OnUnpackLimit(unhex(t, v.packed), n-1); !errors.Is(err, xfer.ErrTooLarge) {
			t.Errorf("%s with limit %d: got %q, %v; want xfer.ErrTooLarge", v.packed, n-1, got, err)
		}
	}
	packed, err := f.OnPack([]byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := kzstd.NewReader(nil, kzstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := r.DecodeAll(packed, nil); err != nil || string(got) != "hello" {
		t.Errorf("a decoder without our options: got %q, %v", got, err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	f := newFilter(t, 0)
	for _, tc := range []struct{ name, packed, want string }{
		{"empty", "", "header"},
		{"no magic", "1f8b0800000000000000", "header"},
		{"skippable frame", "502a4d1804000000" + "00000000", "skippable"},
		{"dictionary", magic + "21" + "07" + "05" + "290000" + hex.EncodeToString([]byte("hello")), "dictionary 7"},
		{"window of 16 MiB", magic + "00" + "70" + "4b0000" + "61", "window"},
		{"largest window", magic + "00" + "ff" + "4b0000" + "61", "window"},
		{"reserved block", magic + "00" + "58" + "4f0000" + "61", "reserved"},
		{"block above 128 KiB", magic + "00" + "58" + "0b0010" + "61", "at most"},
		{"no last block", magic + "00" + "58" + "4a0000" + "61", "block header"},
		{"no check sum", magic + "04" + "58" + "4b0000" + "61", "check sum"},
		{"wrong check sum", magic + "04" + "58" + "4b0000" + "61" + "00000000", "unpack"},
		{"trailing byte", oneRaw + "00", "follow"},
		{"second frame", oneRaw + oneRaw, "follow"},
		{"announces less", magic + "20" + "04" + "290000" + hex.EncodeToString([]byte("hello")), "announces 4"},
		{"announces more", magic + "20" + "06" + "290000" + hex.EncodeToString([]byte("hello")), "announces 6"},
		{"announces 60 MB", magic + "a0" + "00000004" + "290000" + hex.EncodeToString([]byte("hello")), "announces"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := unhex(t, tc.packed)
			var got []byte
			var err error
			used := allocated(func() { got, err = f.OnUnpack(b) })
			if err == nil {
				t.Fatalf("got %q, want an error", got)
			}
			if !strings.HasPrefix(err.Error(), "xfer/zstd: ") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %q, want the prefix xfer/zstd: and %q", err, tc.want)
			}
			if used > 1<<20 {
				t.Errorf("%d bytes allocated to refuse %d", used, len(b))
			}
		})
	}
}

func TestEveryTruncationIsAnError(t *testing.T) {
	f := newFilter(t, 0)
	for _, data := range [][]byte{nil, []byte("x"), xfertest.Text(400)} {
		packed, err := f.OnPack(data)
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(packed) {
			if got, err := f.OnUnpack(packed[:n]); err == nil {
				t.Errorf("first %d of %d bytes: got %q, want an error", n, len(packed), got)
			}
		}
	}
}

// TestForeignFrames reads frames as other encoders write them: without a size, and
// with a single segment larger than our window limit.
func TestForeignFrames(t *testing.T) {
	f := newFilter(t, 0)
	data := bytes.Repeat(xfertest.Text(1<<20), 10)

	var stream bytes.Buffer
	w, err := kzstd.NewWriter(&stream, kzstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(data, 1<<20) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	single, err := kzstd.NewWriter(nil, kzstd.WithEncoderConcurrency(1), kzstd.WithSingleSegment(true))
	if err != nil {
		t.Fatal(err)
	}
	defer single.Close()

	for name, packed := range map[string][]byte{
		"stream":         stream.Bytes(),
		"single segment": single.EncodeAll(data, nil),
	} {
		got, err := f.OnUnpackLimit(packed, len(data))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(data))
		}
		if _, err := f.OnUnpackLimit(packed, len(data)-1); !errors.Is(err, xfer.ErrTooLarge) {
			t.Errorf("%s, one byte over: got %v, want xfer.ErrTooLarge", name, err)
		}
	}
}

// TestBomb inflates 64 MiB of zeros, announced, not announced, and as RLE blocks
// of 4 bytes each, and checks that memory stays in the order of the limit.
func TestBomb(t *testing.T) {
	const limit = 1 << 20
	f := newFilter(t, 0)
	zeros := make([]byte, 64<<20)
	announced, err := f.OnPack(zeros)
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	w, err := kzstd.NewWriter(&stream, kzstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(zeros, 1<<20) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rle := unhex(t, magic+"00"+"58"+strings.Repeat("02001000", 2047)+"03001000")
	for name, b := range map[string][]byte{"announced": announced, "stream": stream.Bytes(), "RLE": rle} {
		var err error
		used := allocated(func() { _, err = f.OnUnpackLimit(b, limit) })
		if !errors.Is(err, xfer.ErrTooLarge) {
			t.Errorf("%s, %d bytes: got %v, want xfer.ErrTooLarge", name, len(b), err)
		}
		if used > 4*limit {
			t.Errorf("%s, %d bytes: %d bytes allocated for a limit of %d", name, len(b), used, limit)
		}
	}
}

// register makes -count work: registering a second filter with the same id panics.
var register = sync.OnceFunc(func() { zstd.Reg('z', "zstd", 3) })

func TestReg(t *testing.T) {
	register()
	f, err := xfer.GetByName("zstd")
	if err != nil || f.ID() != 'z' {
		t.Fatalf("got %v, %v", f, err)
	}
	for _, level := range []int{-1, 23} {
		if _, err := zstd.New('x', "bad", level); err == nil {
			t.Errorf("New with level %d: no error", level)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Reg with level %d did not panic", level)
				}
			}()
			zstd.Reg('x', "bad", level)
		}()
	}
}

func FuzzUnpack(f *testing.F) {
	filter := newFilter(f, 1)
	packed, err := filter.OnPack(xfertest.Text(2000))
	if err != nil {
		f.Fatal(err)
	}
	xfertest.Fuzz(f, filter, packed, unhex(f, oneRaw), unhex(f, oneRLE), unhex(f, twoBlock))
}

func Benchmark(b *testing.B) { xfertest.Benchmark(b, newFilter(b, 1)) }

// allocated returns how many bytes were allocated while f ran.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
