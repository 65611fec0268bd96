package thriftcodec_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/codec/codectest"
	"github.com/goerpc/erpc/codec/thriftcodec"
	"github.com/goerpc/erpc/internal/test/wait"
)

func TestMain(m *testing.M) { wait.Main(m) }

// record is written as the thrift compiler would write
//
//	struct record { 1: string author, 2: list<i64> counts, 3: map<string,binary> blobs, 4: record next }
//
// but, like code of older compilers, without a limit of its depth.
type record struct {
	Author string
	Counts []int64
	Blobs  map[string][]byte
	Next   *record
}

func (r *record) Write(ctx context.Context, p thrift.TProtocol) error {
	errs := []error{p.WriteStructBegin(ctx, "record")}
	do := func(err error) { errs = append(errs, err) }
	if r.Author != "" {
		do(p.WriteFieldBegin(ctx, "author", thrift.STRING, 1))
		do(p.WriteString(ctx, r.Author))
	}
	if r.Counts != nil {
		do(p.WriteFieldBegin(ctx, "counts", thrift.LIST, 2))
		do(p.WriteListBegin(ctx, thrift.I64, len(r.Counts)))
		for _, n := range r.Counts {
			do(p.WriteI64(ctx, n))
		}
	}
	if r.Blobs != nil {
		do(p.WriteFieldBegin(ctx, "blobs", thrift.MAP, 3))
		do(p.WriteMapBegin(ctx, thrift.STRING, thrift.STRING, len(r.Blobs)))
		for k, v := range r.Blobs {
			do(p.WriteString(ctx, k))
			do(p.WriteBinary(ctx, v))
		}
	}
	if r.Next != nil {
		do(p.WriteFieldBegin(ctx, "next", thrift.STRUCT, 4))
		do(r.Next.Write(ctx, p))
	}
	do(p.WriteFieldStop(ctx))
	do(p.WriteStructEnd(ctx))
	return errors.Join(errs...)
}

func (r *record) Read(ctx context.Context, p thrift.TProtocol) error {
	if _, err := p.ReadStructBegin(ctx); err != nil {
		return err
	}
	for {
		_, typ, id, err := p.ReadFieldBegin(ctx)
		if err != nil {
			return err
		}
		switch {
		case typ == thrift.STOP:
			return p.ReadStructEnd(ctx)
		case id == 1 && typ == thrift.STRING:
			r.Author, err = p.ReadString(ctx)
		case id == 2 && typ == thrift.LIST:
			err = r.readCounts(ctx, p)
		case id == 3 && typ == thrift.MAP:
			err = r.readBlobs(ctx, p)
		case id == 4 && typ == thrift.STRUCT:
			r.Next = new(record)
			err = r.Next.Read(ctx, p)
		default:
			err = p.Skip(ctx, typ)
		}
		if err != nil {
			return err
		}
	}
}

func (r *record) readCounts(ctx context.Context, p thrift.TProtocol) error {
	_, n, err := p.ReadListBegin(ctx)
	if err != nil {
		return err
	}
	r.Counts = make([]int64, 0, n) // as generated code does
	for range n {
		v, err := p.ReadI64(ctx)
		if err != nil {
			return err
		}
		r.Counts = append(r.Counts, v)
	}
	return p.ReadListEnd(ctx)
}

func (r *record) readBlobs(ctx context.Context, p thrift.TProtocol) error {
	_, _, n, err := p.ReadMapBegin(ctx)
	if err != nil {
		return err
	}
	r.Blobs = make(map[string][]byte, n)
	for range n {
		k, err := p.ReadString(ctx)
		if err != nil {
			return err
		}
		if r.Blobs[k], err = p.ReadBinary(ctx); err != nil {
			return err
		}
	}
	return p.ReadMapEnd(ctx)
}

func newRecord() any { return new(record) }

func text(s string) []byte { return []byte(s) }

// chain returns n nested records.
func chain(n int) *record {
	r := new(record)
	for range n - 1 {
		r = &record{Next: r}
	}
	return r
}

func TestConformance(t *testing.T) {
	codectest.Run(t, thriftcodec.Codec{}, []codectest.Case{
		// Captured from v7: raw/body-thrift.
		{Name: "v7 struct", Value: &record{Author: "andeya"}, New: newRecord,
			Golden: text("\x0b\x00\x01\x00\x00\x00\x06andeya\x00"),
			Bad:    [][]byte{nil, text("\x0b"), text("\x00\x00"), text("\x0b\x00\x01\x00\x00\x00\x07andeya\x00"), text("\x63\x00\x09\x00")}},
		{Name: "list", Value: &record{Counts: []int64{1, -2}}, New: newRecord,
			Golden: text("\x0f\x00\x02\x0a\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xfe\x00")},
		{Name: "map", Value: &record{Blobs: map[string][]byte{"a": []byte("x"), "b": {}}}, New: newRecord, Unordered: true},
		{Name: "deep", Value: chain(thriftcodec.MaxDepth), New: newRecord},
		{Name: "long", Value: &record{Author: strings.Repeat("long", 5000)}, New: newRecord},
		{Name: "nil", Value: nil, New: newRecord, Want: record{}, Golden: text("\x00")},
		{Name: "nil pointer", Value: (*record)(nil), New: newRecord, Want: record{}, Golden: text("\x00")},
		{Name: "struct{}", Value: struct{}{}, New: newRecord, Want: record{}, Golden: text("\x00")},
		{Name: "empty", Value: thriftcodec.ThriftEmpty{}, New: func() any { return new(thriftcodec.ThriftEmpty) }, Golden: text("\x00")},
	})
}

func TestReadingNothing(t *testing.T) {
	var c thriftcodec.Codec
	for _, v := range []any{nil, struct{}{}, &struct{}{}} {
		for _, data := range []string{"", "\x00", "rubbish"} {
			if err := c.Unmarshal([]byte(data), v); err != nil {
				t.Errorf("Unmarshal(%q) into %T: %v", data, v, err)
			}
		}
	}
	full, err := c.Marshal(&record{Author: "a", Counts: []int64{1}, Blobs: map[string][]byte{"k": nil}, Next: &record{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Unmarshal(full, new(thriftcodec.ThriftEmpty)); err != nil {
		t.Errorf("a ThriftEmpty does not skip fields: %v", err)
	}
}

func TestTypeErrors(t *testing.T) {
	var c thriftcodec.Codec
	_, err := c.Marshal("text")
	for name, err := range map[string]error{
		"string": err, "*int": c.Unmarshal(nil, new(int)), "*thriftcodec_test.record": c.Unmarshal(nil, (*record)(nil)),
	} {
		var te *codec.TypeError
		if !errors.As(err, &te) || te.Type != name || te.Hint == "" {
			t.Errorf("error = %v, want a TypeError about a %s", err, name)
		}
	}
}

// broken fails after writing something.
type broken struct{ thriftcodec.ThriftEmpty }

func (broken) Write(ctx context.Context, p thrift.TProtocol) error {
	return errors.Join(p.WriteI64(ctx, -1), errors.New("broken"))
}

func TestFailedAppend(t *testing.T) {
	dst := append(make([]byte, 0, 64), "dst"...)
	got, err := thriftcodec.Codec{}.MarshalAppend(dst, broken{})
	if err == nil || string(got) != "dst" {
		t.Errorf("MarshalAppend = %q, %v, want an error and the buffer as it was", got, err)
	}
}

// TestHostileLengths: lengths without data take no memory.
func TestHostileLengths(t *testing.T) {
	tests := map[string]string{
		"string of 2 GiB":       "\x0b\x00\x01\x7f\xff\xff\xff" + "abc",
		"string of -1":          "\x0b\x00\x01\xff\xff\xff\xff" + "abc",
		"list of 2^31-1":        "\x0f\x00\x02\x0a\x7f\xff\xff\xff" + "12345678",
		"list of -1":            "\x0f\x00\x02\x0a\xff\xff\xff\xff" + "12345678",
		"map of 2^31-1":         "\x0d\x00\x03\x0b\x0b\x7f\xff\xff\xff" + "12345678",
		"map value of 1 GiB":    "\x0d\x00\x03\x0b\x0b\x00\x00\x00\x01\x00\x00\x00\x01k\x40\x00\x00\x00" + "v",
		"skipped list":          "\x0f\x00\x09\x02\x7f\xff\xff\xff" + "12345678",
		"skipped set":           "\x0e\x00\x09\x02\x7f\xff\xff\xff" + "12345678",
		"skipped string":        "\x0b\x00\x09\x7f\xff\xff\xff" + "12345678",
		"structs in structs":    strings.Repeat("\x0c\x00\x04", 1_000_000),
		"skipped structs":       strings.Repeat("\x0c\x00\x09", 1_000_000),
		"skipped lists, nested": "\x0f\x00\x09" + strings.Repeat("\x0f\x00\x00\x00\x01", 1_000_000),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			b := []byte(data)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := thriftcodec.Codec{}.Unmarshal(b, new(record))
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; err == nil || got > 64<<10 {
				t.Errorf("%d bytes allocated, error %v", got, err)
			}
		})
	}
}

func TestTooDeep(t *testing.T) {
	data, err := thriftcodec.Codec{}.Marshal(chain(thriftcodec.MaxDepth + 1))
	if err != nil {
		t.Fatal(err)
	}
	err = thriftcodec.Codec{}.Unmarshal(data, new(record))
	var pe thrift.TProtocolException
	if !errors.As(err, &pe) || pe.TypeId() != thrift.DEPTH_LIMIT {
		t.Errorf("error = %v, want thrift's DEPTH_LIMIT", err)
	}
}

// TestWideIsNotDeep: structs next to each other do not count as nested.
func TestWideIsNotDeep(t *testing.T) {
	data := append(bytes.Repeat([]byte("\x0c\x00\x04\x00"), 10*thriftcodec.MaxDepth), 0)
	if err := (thriftcodec.Codec{}).Unmarshal(data, new(record)); err != nil {
		t.Error(err)
	}
}

// TestCostCoversHostileBodies: short data with large values costs at least the
// memory of the values, and a limit below that refuses it.
func TestCostCoversHostileBodies(t *testing.T) {
	const n = 1 << 16
	for name, c := range map[string]struct {
		body []byte
		held int
	}{
		// Structs nested as deeply as allowed: one record each.
		"a chain": {append(bytes.Repeat([]byte("\x0c\x00\x04"), thriftcodec.MaxDepth-1), make([]byte, thriftcodec.MaxDepth)...),
			(thriftcodec.MaxDepth - 1) * int(reflect.TypeFor[record]().Size())},
		// The same field repeated: one record remains, but each is allocated.
		"wide": {append(bytes.Repeat([]byte("\x0c\x00\x04\x00"), n), 0), int(reflect.TypeFor[record]().Size())},
	} {
		if err := (thriftcodec.Codec{}).Unmarshal(c.body, new(record)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if cost := (thriftcodec.Codec{}).Cost(c.body, new(record), c.held-1); cost < c.held {
			t.Errorf("%s: %d bytes hold %d, the cost is %d", name, len(c.body), c.held, cost)
		}
		if err := codec.UnmarshalLimit(thriftcodec.Codec{}, c.body, new(record), c.held-1); !errors.Is(err, codec.ErrTooLarge) {
			t.Errorf("%s: error %v, want ErrTooLarge", name, err)
		}
	}
}

func TestReg(t *testing.T) {
	thriftcodec.Reg()
	thriftcodec.Reg()
	byID, err := codec.Get(codec.ID_THRIFT)
	if err != nil || byID != (thriftcodec.Codec{}) {
		t.Errorf("Get = %v, %v", byID, err)
	}
	if byName, err := codec.GetByName("thrift"); err != nil || byName != byID {
		t.Errorf("GetByName = %v, %v", byName, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	var c thriftcodec.Codec
	for _, r := range []*record{{}, {Author: "andeya"}, {Counts: []int64{1}, Blobs: map[string][]byte{"k": []byte("v")}, Next: chain(3)}} {
		b, err := c.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x0f\x00\x09\x0c\x00\x00\x00\x02\x00\x00\x00"))
	f.Add(append(bytes.Repeat([]byte("\x0c\x00\x04"), 20), make([]byte, 21)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		codectest.Cost(t, c, data, new(record))
		v := new(record)
		if err := c.Unmarshal(data, v); err != nil {
			return
		}
		b, err := c.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Unmarshal(b, new(record)); err != nil {
			t.Fatalf("cannot decode %q, which we wrote: %v", b, err)
		}
	})
}
