package message_test

import (
	"errors"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/s2"
	"github.com/goerpc/erpc/xfer/zstd"
)

// sized returns small under the race detector, which makes decoding twenty times
// slower, and large otherwise. make guards runs these tests without the detector.
func sized[T any](small, large T) T {
	if kit.RaceEnabled {
		return small
	}
	return large
}

// peakHeap returns how far the heap grows while f runs, as far as samples show.
// The collector runs often meanwhile, so that garbage counts little.
func peakHeap(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(25))
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	read := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64() + sample[1].Value.Uint64()
	}
	before := read()
	peak, stop, done := before, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				peak = max(peak, read())
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
	f()
	last := read()
	close(stop)
	<-done
	return max(peak, last) - before
}

type wide struct {
	Name string
	Nums [24]int64
}

type document struct {
	Rows []wide             `xml:"row" json:"rows" form:"-"`
	Ptrs []*wide            `xml:"ptr" json:"ptrs" form:"-"`
	Maps []map[string]*wide `xml:"-" json:"maps" form:"-"`
	Tags []string           `xml:"t" json:"tags" form:"t"`
	Any  any                `xml:"-" json:"any" form:"any"`
}

// hostile returns bodies of about n bytes that decode to far more memory, one for
// each codec and place.
func hostile(n int) []attack {
	fill := func(head, unit, tail string) []byte {
		return []byte(head + strings.Repeat(unit, max(0, n-len(head)-len(tail))/len(unit)) + tail)
	}
	depth := min(n/4, 9000)
	nested := strings.Repeat("[", depth) + strings.Repeat("]", depth)
	doc := func() any { return new(document) }
	free := func() any { return new(any) }
	return []attack{
		{"json maps", codec.ID_JSON, fill("[", `{"":0},`, "0]"), free},
		{"json empty maps", codec.ID_JSON, fill("[", `{},`, "0]"), free},
		{"json empty lists", codec.ID_JSON, fill("[", `[],`, "0]"), free},
		{"json numbers", codec.ID_JSON, fill("[", `0,`, "0]"), free},
		{"json one map", codec.ID_JSON, keys(n), func() any { return new(map[string]any) }},
		{"json depth", codec.ID_JSON, []byte(nested), free},
		{"json maps in maps", codec.ID_JSON, []byte(strings.Repeat(`{"":`, depth) + "0" + strings.Repeat("}", depth)), free},
		{"json wide rows", codec.ID_JSON, fill(`{"rows":[`, `{},`, `{}]}`), doc},
		{"json rows by another case and escape", codec.ID_JSON, fill(`{"R\u006fWS":[`, `0,`, `{}]}`), doc},
		{"json pointers", codec.ID_JSON, fill(`{"ptrs":[`, `{},`, `{}]}`), doc},
		{"json maps of pointers", codec.ID_JSON, fill(`{"maps":[`, `{"":{}},`, `{}]}`), doc},
		{"json any in a struct", codec.ID_JSON, fill(`{"any":[`, `{"":[]},`, `{}]}`), doc},
		{"xml open elements", codec.ID_XML, fill("", "<b>", ""), doc},
		{"xml wide rows", codec.ID_XML, fill("<d>", "<row/>", "</d>"), doc},
		{"xml pointers", codec.ID_XML, fill("<d>", "<ptr/>", "</d>"), doc},
		{"xml attributes", codec.ID_XML, fill("<d ", `a="" `, "/>"), doc},
		{"xml text", codec.ID_XML, fill("<d><t>", "&lt;", "</t></d>"), doc},
		{"form list", codec.ID_FORM, fill("", "t&", ""), doc},
		{"form any in a struct", codec.ID_FORM, fill("", "any&", ""), doc},
		{"form map", codec.ID_FORM, fill("", "a&", ""), free},
		{"plain", codec.ID_PLAIN, fill("", "a", ""), func() any { return new(string) }},
		{"protobuf list of values", codec.ID_PROTOBUF, fill("", "\x0a\x00", ""), func() any { return new(structpb.ListValue) }},
		{"protobuf map of values", codec.ID_PROTOBUF, fill("", "\x0a\x00", ""), func() any { return new(structpb.Struct) }},
		{"protobuf unknown fields", codec.ID_PROTOBUF, fill("", "\x78\x00", ""), func() any { return new(structpb.ListValue) }},
	}
}

type attack struct {
	name string
	id   byte
	body []byte
	into func() any
}

// keys returns a JSON object of short, distinct keys.
func keys(n int) []byte {
	b := []byte("{")
	for i := 0; len(b) < n-20; i++ {
		b = append(append(append(b, '"'), strings.ToLower(string(rune('a'+i%26)))...), []byte(itoa(i))...)
		b = append(b, `":0,`...)
	}
	return append(b, `"z":0}`...)
}

func itoa(i int) string {
	var b []byte
	for ; i > 0; i /= 64 {
		b = append(b, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[i%64])
	}
	return string(b)
}

const readLimit = 64 << 20

// decode decodes a body as a receiver does, from a frame of wire bytes.
func decode(a attack, wire, readLimit int) error {
	m := message.New(message.WithBodyCodec(a.id), message.WithBody(a.into()))
	m.SetReadLimit(readLimit)
	m.SetSize(uint32(wire))
	m.SetRaw(a.body)
	err := m.UnmarshalBody(m.Raw())
	runtime.KeepAlive(m)
	return err
}

// TestDecodingIsBounded: decoding a body never takes more memory than the formula
// of docs/limits.md allows, with any codec, for short frames and long ones.
func TestDecodingIsBounded(t *testing.T) {
	for _, n := range sized([]int{64 << 10}, []int{64 << 10, 1 << 20, 8 << 20}) {
		for _, a := range hostile(n) {
			limit := uint64(codec.DecodeLimit(len(a.body), readLimit))
			var err error
			peak := peakHeap(func() { err = decode(a, len(a.body), readLimit) })
			t.Logf("%s: %d bytes hold %.1f MiB of %d at most: %v", a.name, len(a.body), float64(peak)/(1<<20), limit>>20, err)
			// Allow for garbage: a quarter, and what the collector is sweeping.
			if peak > limit+limit/2+1<<20 {
				t.Errorf("%s: %d bytes hold %d at the peak, the limit is %d", a.name, len(a.body), peak, limit)
			}
		}
	}
}

// TestShortFramesStaySmall: 64 KiB on the wire never decode to more than 32 MiB,
// with any filter and codec.
func TestShortFramesStaySmall(t *testing.T) {
	const wire, most = 64 << 10, 32 << 20
	attacks := hostile(sized(256<<10, 8<<20)) // about what the ratio of the filters allows
	for name, pipe := range pipes(t) {
		for _, a := range attacks {
			packed, err := pipe.OnPack(a.body)
			if err != nil {
				t.Fatal(err)
			}
			if len(packed) > wire {
				a.body = a.body[:len(a.body)/4]
				if packed, err = pipe.OnPack(a.body); err != nil || len(packed) > wire {
					continue // it does not compress that well
				}
			}
			peak := peakHeap(func() {
				plain, err := pipe.OnUnpackLimit(packed, readLimit)
				if err == nil {
					_ = decode(attack{a.name, a.id, plain, a.into}, len(packed), readLimit) // may fail
				}
			})
			if peak > most {
				t.Errorf("%s through %s: %d bytes on the wire hold %d", a.name, name, len(packed), peak)
			}
		}
	}
}

func pipes(t *testing.T) map[string]*xfer.XferPipe {
	t.Helper()
	gz, err := gzip.New(61, "attack gzip", 1)
	if err != nil {
		t.Fatal(err)
	}
	zs, err := zstd.New(62, "attack zstd", 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := s2.New(63, "attack s2", s2.Fast)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*xfer.XferPipe)
	for _, f := range []xfer.XferFilter{gz, zs, s} {
		xfer.Reg(f)
		p := xfer.NewXferPipe()
		if err := p.Append(f.ID()); err != nil {
			t.Fatal(err)
		}
		all[f.Name()] = p
	}
	return all
}

// TestHonestBodiesPass: ordinary bodies are far below the limits.
func TestHonestBodiesPass(t *testing.T) {
	type row struct {
		ID    int64             `json:"id"`
		Name  string            `json:"name"`
		Tags  []string          `json:"tags"`
		Attrs map[string]string `json:"attrs"`
	}
	var rows []row
	for i := range sized(10_000, 100_000) {
		rows = append(rows, row{int64(i), "a name of usual length", []string{"red", "green"}, map[string]string{"k": "v", "key": "value"}})
	}
	body, err := codec.JSONCodec{}.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	for name, into := range map[string]func() any{
		"typed": func() any { return new([]row) },
		"any":   func() any { return new(any) },
		"maps":  func() any { return new([]map[string]any) },
	} {
		if err := decode(attack{name, codec.ID_JSON, body, into}, len(body), readLimit); err != nil {
			t.Errorf("%s: %d bytes of ordinary JSON: %v", name, len(body), err)
		}
	}
}

func TestTooLargeIsTyped(t *testing.T) {
	for _, a := range hostile(1 << 20) {
		if a.name == "protobuf list of values" || a.name == "json wide rows" || a.name == "xml open elements" {
			if err := decode(a, len(a.body), 2<<20); !errors.Is(err, codec.ErrTooLarge) {
				t.Errorf("%s: got %v, want ErrTooLarge", a.name, err)
			}
		}
	}
}
