package codec_test

import (
	"bytes"
	"net/url"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/codec/codectest"
)

// settles checks that what was decoded into v survives encoding and decoding into
// w, and that v does not refer to data.
func settles(t *testing.T, c codec.Codec, data []byte, v, w any, equal func(a, b any) bool) {
	t.Helper()
	if err := c.Unmarshal(data, v); err != nil {
		return
	}
	first, err := c.Marshal(v)
	if err != nil {
		t.Fatalf("cannot encode what was decoded: %v", err)
	}
	for i := range data {
		data[i] ^= 0xff
	}
	if err := c.Unmarshal(first, w); err != nil {
		t.Fatalf("cannot decode %q, which we wrote: %v", first, err)
	}
	if !equal(v, w) {
		t.Fatalf("%+v became %+v by way of %q", v, w, first)
	}
}

// document has fields that take much memory for little text: lists of wide rows,
// pointers and maps.
type document struct {
	Rows []row           `json:"rows" xml:"row"`
	Ptrs []*row          `json:"ptrs" xml:"ptr"`
	Maps map[string]*row `json:"maps" xml:"-"`
}

type row struct {
	Name string   `json:"n" xml:"n,attr"`
	Nums [8]int64 `json:"-" xml:"-"`
	Tags []string `json:"t" xml:"t"`
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":"x","l":["p","q"]}`, `null`, `{"a":1e99}`, `[[[[`, `{"l":[null]}`, `{"rows":[{},{"t":["",""]}],"ptrs":[{},null],"maps":{"":{}}}`, `[{"":0},{}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(F), new(any), new([]map[string]any), new(document)} {
			codectest.Cost(t, codec.JSONCodec{}, data, v)
		}
		settles(t, codec.JSONCodec{}, data, new(F), new(F), reflect.DeepEqual)
	})
}

func FuzzXML(f *testing.F) {
	for _, s := range []string{"<F><a>1</a><b>x&lt;y</b><l>p</l><l>q</l></F>", "<F/>", "<F><F><F>", "<!DOCTYPE x><F></F>", "<?xml version='1.1'?>", "<d><row/><row n='x'><t/></row><ptr/></d>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(F), new(document)} {
			codectest.Cost(t, codec.XMLCodec{}, data, v)
		}
		settles(t, codec.XMLCodec{}, data, new(F), new(F), reflect.DeepEqual)
	})
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "-9223372036854775808", "1e999", "NaN", "true", "plain text é"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(string), new([]byte), new(int8), new(uint64), new(bool)} {
			w := reflect.New(reflect.TypeOf(v).Elem()).Interface()
			codectest.Cost(t, codec.PlainCodec{}, data, reflect.New(reflect.TypeOf(v).Elem()).Interface())
			settles(t, codec.PlainCodec{}, bytes.Clone(data), v, w, func(a, b any) bool {
				if a, ok := a.(*[]byte); ok {
					return bytes.Equal(*a, *b.(*[]byte))
				}
				return reflect.DeepEqual(a, b)
			})
		}
	})
}

func FuzzProtobuf(f *testing.F) {
	seed, err := structpb.NewStruct(map[string]any{"a": 1.5, "b": []any{"x", nil, map[string]any{}}})
	if err != nil {
		f.Fatal(err)
	}
	b, err := proto.Marshal(seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Add([]byte("\x0a\x00\x0a\x00\x0a\x00\x0a\x00"))                              // empty values, or entries of a map
	f.Add([]byte("\x0a\x02\x32\x00\x0a\x06\x32\x04\x0a\x02\x32\x00"))              // lists in lists
	f.Add([]byte("\x78\x00\x78\x00\xf8\x01\x01\x0a\x07\x0a\x01k\x12\x02\x08\x00")) // fields that are not known
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(structpb.Struct), new(structpb.ListValue), new(structpb.Value), new(wrapperspb.StringValue), new(descriptorpb.DescriptorProto)} {
			codectest.Cost(t, codec.ProtobufCodec{}, data, v)
		}
		settles(t, codec.ProtobufCodec{}, data, new(structpb.Struct), new(structpb.Struct), func(a, b any) bool {
			return proto.Equal(a.(proto.Message), b.(proto.Message))
		})
	})
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{
		"a=1&b=x%3Cy&l=p&l=q", "i=-3&raw=1&raw=0&any=1&any=2&arr=x&arr=&lp=&pl=5", "at=2024-02-03T04%3A05%3A06Z&day=2024-12-24",
		"f64=NaN&f32=Inf", "%", "a;b", "&&==&", "blobs=%00&Bottom=", "Unseen=+",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(url.Values), new(map[string]string), new(any)} {
			codectest.Cost(t, codec.FormCodec{}, data, v)
		}
		settles(t, codec.FormCodec{}, bytes.Clone(data), new(url.Values), new(url.Values), reflect.DeepEqual)
		// Zones of times are pointers, and NaN differs from itself, so compare the
		// second encoding with the first.
		settles(t, codec.FormCodec{}, bytes.Clone(data), new(formAll), new(formAll), func(a, b any) bool {
			x, xerr := codec.FormCodec{}.Marshal(a)
			y, yerr := codec.FormCodec{}.Marshal(b)
			return xerr == nil && yerr == nil && bytes.Equal(x, y)
		})
	})
}
