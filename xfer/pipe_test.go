package xfer_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goerpc/erpc/xfer"
)

func TestPipeLists(t *testing.T) {
	p := pipe(t, "ab")
	p.AppendFrom(pipe(t, "c"))
	p.Prepend(pipe(t, "mc"))
	p.AppendFrom(nil)
	p.Prepend(nil)
	p.Prepend(new(xfer.XferPipe))
	if got := string(p.IDs()); got != "mcabc" {
		t.Errorf("IDs: got %q", got)
	}
	if got := string(p.AppendIDs([]byte("ids="))); got != "ids=mcabc" {
		t.Errorf("AppendIDs: got %q", got)
	}
	if got := strings.Join(p.Names(), ","); got != "md5,tag c,tag a,tag b,tag c" {
		t.Errorf("Names: got %q", got)
	}
	if p.Len() != 5 {
		t.Errorf("Len: got %d", p.Len())
	}
	var seen []byte
	p.Range(func(idx int, f xfer.XferFilter) bool {
		if idx != len(seen) {
			t.Errorf("index %d for filter %d", idx, len(seen))
		}
		seen = append(seen, f.ID())
		return f.ID() != 'a'
	})
	if string(seen) != "mca" {
		t.Errorf("Range saw %q, want it to stop at a", seen)
	}
}

func TestPipeOfItself(t *testing.T) {
	p := pipe(t, "ab")
	p.AppendFrom(p)
	p.Prepend(p)
	if got := string(p.IDs()); got != "abababab" {
		t.Errorf("got %q", got)
	}
}

// TestPrependIntoSpareRoom would fail with a wrong overlapping copy. It also
// checks that the source keeps its own storage.
func TestPrependIntoSpareRoom(t *testing.T) {
	p, src := pipe(t, "abcabcab"), pipe(t, "mm")
	p.Reset()
	if err := p.Append([]byte("abc")...); err != nil {
		t.Fatal(err)
	}
	p.Prepend(src)
	p.Prepend(src)
	if got := string(p.IDs()); got != "mmmmabc" {
		t.Errorf("got %q", got)
	}
	if got := string(src.IDs()); got != "mm" {
		t.Errorf("the source became %q", got)
	}
}

func TestEmptyPipe(t *testing.T) {
	var zero xfer.XferPipe
	var none *xfer.XferPipe
	reset := pipe(t, "ab")
	reset.Reset()
	for name, p := range map[string]*xfer.XferPipe{"zero": &zero, "nil": none, "new": xfer.NewXferPipe(), "reset": reset} {
		if p.Len() != 0 || p.IDs() == nil || len(p.IDs()) != 0 || p.Names() == nil || len(p.Names()) != 0 {
			t.Errorf("%s: %d filters, ids %v, names %v", name, p.Len(), p.IDs(), p.Names())
		}
		p.Range(func(int, xfer.XferFilter) bool { t.Errorf("%s: Range calls back", name); return true })
		data := []byte("data")
		packed, err := p.OnPack(data)
		if err != nil || &packed[0] != &data[0] {
			t.Errorf("%s: OnPack: %q, %v", name, packed, err)
		}
		plain, err := p.OnUnpackLimit(data, 0)
		if err != nil || &plain[0] != &data[0] {
			t.Errorf("%s: OnUnpackLimit: %q, %v", name, plain, err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	p := xfer.NewXferPipe()
	data, ids, dst := []byte("data"), []byte("Nm"), make([]byte, 0, 8)
	for name, f := range map[string]func(){
		"empty pipe": func() {
			_, _ = p.OnPack(data)
			_, _ = p.OnUnpackLimit(data, 10)
		},
		"append and reset": func() {
			_ = p.Append(ids...)
			dst = p.AppendIDs(dst[:0])
			p.Reset()
		},
	} {
		f() // makes the storage
		if n := testing.AllocsPerRun(100, f); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestAppendFailsWhole(t *testing.T) {
	p := pipe(t, "ab")
	err := p.Append('c', '?', 'c')
	if !errors.Is(err, xfer.ErrUnknownFilter) {
		t.Errorf("unknown id: got %v", err)
	}
	if got := string(p.IDs()); got != "ab" {
		t.Errorf("after an unknown id the pipe is %q", got)
	}
	err = p.Append(bytes.Repeat([]byte("c"), xfer.MaxFilters-1)...)
	if !errors.Is(err, xfer.ErrXferPipeTooLong) {
		t.Errorf("one filter too many: got %v", err)
	}
	if got := string(p.IDs()); got != "ab" {
		t.Errorf("after too many ids the pipe is %q", got)
	}
}

func TestLongestPipe(t *testing.T) {
	p := pipe(t, strings.Repeat("ab", xfer.MaxFilters/2))
	packed, err := p.OnPack([]byte("data"))
	if err != nil || len(packed) != xfer.MaxFilters+4 {
		t.Fatalf("%d bytes, %v", len(packed), err)
	}
	plain, err := p.OnUnpackLimit(packed, xfer.MaxFilters-1+4) // the output of the first stage
	if err != nil || string(plain) != "data" {
		t.Errorf("got %q, %v", plain, err)
	}
	p.AppendFrom(pipe(t, "a"))
	if _, err := p.OnPack([]byte("data")); !errors.Is(err, xfer.ErrXferPipeTooLong) {
		t.Errorf("OnPack with one filter too many: got %v", err)
	}
	if _, err := p.OnUnpack(packed); !errors.Is(err, xfer.ErrXferPipeTooLong) {
		t.Errorf("OnUnpack with one filter too many: got %v", err)
	}
}

func TestOrder(t *testing.T) {
	p := pipe(t, "abc")
	packed, err := p.OnPack([]byte("data"))
	if err != nil || string(packed) != "abcdata" {
		t.Errorf("OnPack: got %q, %v; want the first id outermost", packed, err)
	}
	plain, err := p.OnUnpack(packed)
	if err != nil || string(plain) != "data" {
		t.Errorf("OnUnpack: got %q, %v", plain, err)
	}
}

// TestGoldenV7 reads messages that erpc v7 packed with two filters. The first
// is direct/call-xfer-gm of wire/golden.json.
func TestGoldenV7(t *testing.T) {
	const (
		packed = "1f8b08000000000000ff62346464d24f62604bce4f49b535606028ce48cdc9c937db5fd037b3f6bfa3887a9aedc9a0058b01010000ffff03c3dc8e26000000"
		plain  = "013101022f620006636f64653d3000007368656c6c6f"
	)
	theirs, err := hex.DecodeString(packed)
	if err != nil {
		t.Fatal(err)
	}
	gm := pipe(t, "gm")
	got, err := gm.OnUnpack(theirs)
	if err != nil || hex.EncodeToString(got) != plain {
		t.Fatalf("OnUnpack: got %x, %v; want %s", got, err, plain)
	}
	ours, err := gm.OnPack(got)
	if err != nil {
		t.Fatal(err)
	}
	// The compressed bytes may differ; header, checksum and size may not.
	if !bytes.Equal(ours[:10], theirs[:10]) || !bytes.Equal(ours[len(ours)-8:], theirs[len(theirs)-8:]) {
		t.Errorf("OnPack: got %x, want the ends of %x", ours, theirs)
	}
}

// TestLayout checks gm => gzip(data||md5(data)) and mg => gzip(data)||md5 by
// undoing it one filter at a time.
func TestLayout(t *testing.T) {
	data := []byte("some data, some data")
	for _, order := range []string{"gm", "mg"} {
		packed, err := pipe(t, order).OnPack(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []byte(order) {
			f, err := xfer.Get(id)
			if err != nil {
				t.Fatal(err)
			}
			if packed, err = f.OnUnpack(packed); err != nil {
				t.Fatalf("%s: filter %c: %v", order, id, err)
			}
		}
		if !bytes.Equal(packed, data) {
			t.Errorf("%s: got %q", order, packed)
		}
	}
}

func TestRoundTripOfAllPairs(t *testing.T) {
	data := bytes.Repeat([]byte(`{"id":1,"name":"peer"},`), 500)
	for _, outer := range "gmzsa" {
		for _, inner := range "gmzsa" {
			p := pipe(t, string(outer)+string(inner))
			packed, err := p.OnPack(data)
			if err != nil {
				t.Fatal(err)
			}
			before := slices.Clone(packed)
			got, err := p.OnUnpack(packed)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%c%c: %d bytes, %v", outer, inner, len(got), err)
			}
			if !bytes.Equal(packed, before) {
				t.Errorf("%c%c: OnUnpack changed its source", outer, inner)
			}
		}
	}
}

func TestLimit(t *testing.T) {
	data := bytes.Repeat([]byte("x"), 1000)
	for _, ids := range []string{"g", "z", "s", "zg", "gz", "a"} {
		p := pipe(t, ids)
		packed, err := p.OnPack(data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.OnUnpackLimit(packed, len(data))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s at its limit: %d bytes, %v", ids, len(got), err)
		}
		for _, limit := range []int{len(data) - 1, 0, -1, math.MinInt} {
			if got, err := p.OnUnpackLimit(packed, limit); !errors.Is(err, xfer.ErrTooLarge) {
				t.Errorf("%s with limit %d: %d bytes, %v; want ErrTooLarge", ids, limit, len(got), err)
			}
		}
		if _, err := p.OnUnpackLimit(packed, math.MaxInt); err != nil {
			t.Errorf("%s with the largest limit: %v", ids, err)
		}
	}
}

// TestEveryStageIsCapped: an inner stage shrinks data that the outer one made too
// large.
func TestEveryStageIsCapped(t *testing.T) {
	inner, err := pipe(t, "z").OnPack(make([]byte, 100))
	if err != nil {
		t.Fatal(err)
	}
	p := pipe(t, "Dm") // doubles, then md5 removes 16 bytes
	packed, err := pipe(t, "m").OnPack(inner)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.OnUnpackLimit(packed, 2*len(packed)-1)
	if !errors.Is(err, xfer.ErrTooLarge) || !strings.Contains(err.Error(), `"doubles"`) {
		t.Errorf("got %v, want ErrTooLarge of the first filter", err)
	}
}

func TestDefaultLimit(t *testing.T) {
	p := pipe(t, "N") // returns as many bytes as it gets
	for n, want := range map[int]error{xfer.DefaultLimit: nil, xfer.DefaultLimit + 1: xfer.ErrTooLarge} {
		if got, err := p.OnUnpack(make([]byte, n)); !errors.Is(err, want) || err == nil && len(got) != n {
			t.Errorf("%d bytes: got %d, %v; want %v", n, len(got), err, want)
		}
	}
}

// TestRatioIsCapped: a short frame inflates to at most 4 MiB, a longer one to
// DefaultRatio times its length, unless its filter was registered for more.
func TestRatioIsCapped(t *testing.T) {
	for _, c := range []struct {
		ids   string
		frame int // bytes that arrive
		made  int // bytes that the filter makes of them
		ok    bool
	}{
		{"X", 10, 4 << 20, true},
		{"X", 10, 4<<20 + 1, false},
		{"X", 64 << 10, xfer.DefaultRatio * 64 << 10, true},
		{"X", 64 << 10, xfer.DefaultRatio*64<<10 + 1, false},
		{"Y", 64 << 10, 4 * xfer.DefaultRatio * 64 << 10, true},
		{"Y", 64 << 10, 4*xfer.DefaultRatio*64<<10 + 1, false},
		{"XX", 64 << 10, xfer.DefaultRatio*64<<10 + 1, false},
	} {
		frame := make([]byte, c.frame)
		binary.BigEndian.PutUint64(frame, uint64(c.made))
		got, err := pipe(t, c.ids).OnUnpackLimit(frame, xfer.DefaultLimit)
		if c.ok && (err != nil || len(got) != c.made) || !c.ok && !errors.Is(err, xfer.ErrTooLarge) {
			t.Errorf("%s made %d bytes of %d: got %d, %v; allowed is %v", c.ids, c.made, c.frame, len(got), err, c.ok)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a ratio of 0 was registered")
		}
	}()
	xfer.RegRatio(inflater{'0', "nothing"}, 0)
}

// inflater makes as many bytes as the first eight of its input say, up to the
// limit.
type inflater struct {
	id   byte
	name string
}

func (f inflater) ID() byte                            { return f.id }
func (f inflater) Name() string                        { return f.name }
func (inflater) OnPack(b []byte) ([]byte, error)       { return b, nil }
func (f inflater) OnUnpack(src []byte) ([]byte, error) { return f.OnUnpackLimit(src, math.MaxInt) }

func (inflater) OnUnpackLimit(src []byte, limit int) ([]byte, error) {
	n := binary.BigEndian.Uint64(src)
	if n > uint64(limit) {
		return nil, xfer.ErrTooLarge
	}
	out := make([]byte, n)
	copy(out, src[:8])
	return out, nil
}

// TestWorkOfAllStagesIsBounded: many stages near the limit are refused together.
func TestWorkOfAllStagesIsBounded(t *testing.T) {
	const limit = 16 << 20
	data := make([]byte, limit)
	if _, err := pipe(t, strings.Repeat("N", xfer.MaxFilters)).OnUnpackLimit(data, limit); err != nil {
		t.Errorf("as many full stages as a pipe holds: %v", err)
	}
}

func BenchmarkPipe(b *testing.B) {
	data := bytes.Repeat([]byte(`{"id":1,"name":"peer"},`), 25) // 575 bytes
	for _, ids := range []string{"", "m", "g", "z", "s", "gm"} {
		b.Run("ids="+ids, func(b *testing.B) {
			p := pipe(b, ids)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				packed, err := p.OnPack(data)
				if err != nil {
					b.Fatal(err)
				}
				if _, err = p.OnUnpackLimit(packed, 1<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
