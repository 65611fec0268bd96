package gzip_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/xfertest"
)

func newFilter(tb testing.TB, level int) interface {
	xfer.XferFilter
	xfer.LimitedUnpacker
} {
	tb.Helper()
	f, err := gzip.New('g', "gzip", level)
	if err != nil {
		tb.Fatal(err)
	}
	return f.(*gzip.Filter)
}

func TestConformance(t *testing.T) {
	for _, level := range []int{gzip.HuffmanOnly, gzip.NoCompression, 5} {
		t.Run(fmt.Sprint(level), func(t *testing.T) { xfertest.Run(t, newFilter(t, level)) })
	}
}

// TestLevels uses little data, because the slow levels take long under the race
// detector.
func TestLevels(t *testing.T) {
	data := xfertest.Text(10_000)
	for level := gzip.HuffmanOnly; level <= gzip.BestCompression; level++ {
		f := newFilter(t, level)
		packed, err := f.OnPack(data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.OnUnpackLimit(packed, len(data))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("level %d: %d bytes came back as %d, %v", level, len(data), len(got), err)
		}
		if small := len(packed) < len(data); small != (level != gzip.NoCompression) {
			t.Errorf("level %d: %d bytes packed to %d", level, len(data), len(packed))
		}
	}
}

// v7Members are what erpc v7 sent, from wire/golden.json (raw/gzip, both
// directions, and ws-pb/gzip's reply).
var v7Members = []struct{ packed, plain string }{
	{
		"1f8b08000000000000ff624c64e4d4cf4d2cc9d04f4c4961604bce4f49b5356060c88a36d431d2318e05040000fffffc3f793a1f000000",
		"016101092f6d6174682f6164640006636f64653d3000006a5b312c322c335d",
	},
	{
		"1f8b08000000000000ff624c646260604bce4f49b5356060c83203040000ffff65cc85cd10000000",
		"016102000006636f64653d3000006a36",
	},
	{"1f8b08000000000000ff3203040000ffff147ab81d01000000", "36"},
}

func TestReadsWhatV7Wrote(t *testing.T) {
	f := newFilter(t, 5)
	for _, v := range v7Members {
		got, err := f.OnUnpack(unhex(t, v.packed))
		if err != nil || hex.EncodeToString(got) != v.plain {
			t.Errorf("%s: got %x, %v; want %s", v.packed, got, err, v.plain)
		}
	}
}

// TestV7ReadsWhatWeWrite compares the bytes that the format determines with v7's,
// and reads the rest with compress/gzip, which v7 uses.
func TestV7ReadsWhatWeWrite(t *testing.T) {
	f := newFilter(t, 5)
	for _, v := range v7Members {
		plain, theirs := unhex(t, v.plain), unhex(t, v.packed)
		ours, err := f.OnPack(plain)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours[:10], theirs[:10]) {
			t.Errorf("header %x, want %x", ours[:10], theirs[:10])
		}
		if !bytes.Equal(ours[len(ours)-8:], theirs[len(theirs)-8:]) {
			t.Errorf("trailer %x, want %x", ours[len(ours)-8:], theirs[len(theirs)-8:])
		}
		r, err := stdgzip.NewReader(bytes.NewReader(ours))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("compress/gzip reads %x, %v; want %x", got, err, plain)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	f := newFilter(t, 5)
	good, err := f.OnPack([]byte("hello, hello, hello"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(i int) []byte {
		b := slices.Clone(good)
		b[i] ^= 1
		return b
	}
	for _, tc := range []struct {
		name  string
		in    []byte
		is    error
		texts string
	}{
		{"trailing byte", append(slices.Clone(good), 0), gzip.ErrTrailingData, "1 bytes"},
		{"second member", append(slices.Clone(good), good...), gzip.ErrTrailingData, "after the end"},
		{"no gzip", []byte("GET / HTTP/1.1\r\n"), nil, "header"},
		{"one byte", good[:1], io.ErrUnexpectedEOF, "unpack"},
		{"header only", good[:10], io.ErrUnexpectedEOF, "unpack"},
		{"no trailer", good[:len(good)-8], io.ErrUnexpectedEOF, "unpack"},
		{"check sum", flipped(len(good) - 8), nil, "checksum"},
		{"size", flipped(len(good) - 4), nil, "checksum"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := f.OnUnpack(tc.in)
			if err == nil {
				t.Fatalf("got %q, want an error", got)
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("got %v, want %v", err, tc.is)
			}
			if !strings.HasPrefix(err.Error(), "xfer/gzip: ") || !strings.Contains(err.Error(), tc.texts) {
				t.Errorf("got %q, want the prefix xfer/gzip: and %q", err, tc.texts)
			}
		})
	}
	for n := 1; n < len(good); n++ {
		if got, err := f.OnUnpack(good[:n]); err == nil {
			t.Errorf("first %d bytes: got %q, want an error", n, got)
		}
	}
}

func TestEmptyInputPasses(t *testing.T) {
	got, err := newFilter(t, 5).OnUnpackLimit(nil, 0)
	if err != nil || len(got) != 0 {
		t.Fatalf("got %q, %v", got, err)
	}
}

// TestBomb inflates 8 MiB of zeros in 8 kB, and the same with a false size in the
// trailer, and checks that memory stays in the order of the limit.
func TestBomb(t *testing.T) {
	const limit = 1 << 20
	bomb := zeros(t, 8<<20)
	liar := slices.Clone(bomb)
	copy(liar[len(liar)-4:], []byte{0xff, 0xff, 0xff, 0x7f})
	f := newFilter(t, 5)
	for name, b := range map[string][]byte{"honest": bomb, "liar": liar} {
		var err error
		used := allocated(func() { _, err = f.OnUnpackLimit(b, limit) })
		if !errors.Is(err, xfer.ErrTooLarge) {
			t.Errorf("%s: got %v, want xfer.ErrTooLarge", name, err)
		}
		if used > 4*limit {
			t.Errorf("%s: %d bytes allocated for a limit of %d", name, used, limit)
		}
	}
	short := []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x00\x00\xff\xff\xff\x7f")
	used := allocated(func() {
		if _, err := f.OnUnpack(short); err == nil {
			t.Error("a trailer without data passed")
		}
	})
	if used > 1<<20 {
		t.Errorf("%d bytes allocated for %d bytes that announce 2 GiB", used, len(short))
	}
}

func TestInvalidLevel(t *testing.T) {
	for _, level := range []int{-4, -3, 10} {
		if f, err := gzip.New('x', "bad", level); err == nil {
			t.Errorf("New with level %d: got %v, want an error", level, f)
		}
		func() {
			defer func() {
				if v := recover(); v == nil {
					t.Errorf("Reg with level %d did not panic", level)
				}
			}()
			gzip.Reg('x', "bad", level)
		}()
	}
	if gzip.Is('x') {
		t.Error("an invalid filter got registered")
	}
}

// register makes -count work: registering a second filter with the same id panics.
var register = sync.OnceFunc(func() { gzip.Reg('g', "gizp-5", 5) })

func TestRegAndIs(t *testing.T) {
	register()
	f, err := xfer.GetByName("gizp-5")
	if err != nil || f.ID() != 'g' {
		t.Fatalf("got %v, %v", f, err)
	}
	if !gzip.Is('g') || gzip.Is('h') {
		t.Errorf("Is: g %v, h %v; want true, false", gzip.Is('g'), gzip.Is('h'))
	}
}

func FuzzUnpack(f *testing.F) {
	seeds := [][]byte{[]byte("\x1f\x8b\x08\x1e\x00\x00\x00\x00\x00\xff\xff\xff")}
	for _, v := range v7Members {
		seeds = append(seeds, unhex(f, v.packed))
	}
	xfertest.Fuzz(f, newFilter(f, 5), seeds...)
}

func Benchmark(b *testing.B) { xfertest.Benchmark(b, newFilter(b, 5)) }

func zeros(t *testing.T, n int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := stdgzip.NewWriter(&buf)
	chunk := make([]byte, 1<<20)
	for range n / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

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
