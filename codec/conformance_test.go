package codec_test

import (
	"math"
	"net/url"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/codec/codectest"
)

// F is the argument of the captured v7 calls to /enc/form.
type F struct {
	A int      `form:"a" xml:"a" json:"a"`
	B string   `form:"b" xml:"b" json:"b"`
	L []string `form:"l" xml:"l" json:"l"`
}

func into[T any]() func() any { return func() any { return new(T) } }

func bad(texts ...string) [][]byte {
	var out [][]byte
	for _, s := range texts {
		out = append(out, []byte(s))
	}
	return out
}

func TestJSONConformance(t *testing.T) {
	codectest.Run(t, codec.JSONCodec{}, []codectest.Case{
		{Name: "struct", Value: F{1, "x<y", []string{"p", "q"}}, New: into[F](),
			Golden: []byte("{\"a\":1,\"b\":\"x\\u003cy\",\"l\":[\"p\",\"q\"]}"),
			Bad:    bad("", "{", `{"a":"1"}`, `{"a":1}x`, `[]`)},
		{Name: "nil pointer", Value: (*F)(nil), New: into[F](), Want: F{}, Golden: []byte("null")},
		// Captured from v7: raw/call-json, raw/body-json-string.
		{Name: "v7 ints", Value: []int{1, 2, 3}, New: into[[]int](), Golden: []byte("[1,2,3]")},
		{Name: "v7 string", Value: "a\"b\\c\n", New: into[string](), Golden: []byte(`"a\"b\\c\n"`)},
	})
}

func TestXMLConformance(t *testing.T) {
	codectest.Run(t, codec.XMLCodec{}, []codectest.Case{
		// Captured from v7: raw/body-xml.
		{Name: "v7 struct", Value: F{1, "x<y", []string{"p", "q"}}, New: into[F](),
			Golden: []byte("<F><a>1</a><b>x&lt;y</b><l>p</l><l>q</l></F>"),
			Bad:    bad("", "<F>", "<F><a>x</a></F>", "<F></G>")},
	})
}

func TestProtobufConformance(t *testing.T) {
	equal := func(got, want any) bool { return proto.Equal(got.(proto.Message), want.(proto.Message)) }
	pb := func(name string, v proto.Message, golden string) codectest.Case {
		return codectest.Case{
			Name: name, Value: v, Equal: equal, Golden: []byte(golden), Bad: bad("\xff", "\x0a\x05x"),
			New: func() any { return v.ProtoReflect().New().Interface() },
		}
	}
	set, err := structpb.NewStruct(map[string]any{"a": 1.5, "b": []any{"x", nil, true}})
	if err != nil {
		t.Fatal(err)
	}
	object := pb("map", set, "")
	object.Golden, object.Unordered = nil, true
	codectest.Run(t, codec.ProtobufCodec{}, []codectest.Case{
		pb("string", wrapperspb.String("héllo"), "\x0a\x06h\xc3\xa9llo"),
		pb("bytes", wrapperspb.Bytes([]byte{0, 1, 2, 255}), "\x0a\x04\x00\x01\x02\xff"),
		pb("negative", wrapperspb.Int32(-1), "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		pb("timestamp", &timestamppb.Timestamp{Seconds: 300, Nanos: 7}, "\x08\xac\x02\x10\x07"),
		pb("duration", &durationpb.Duration{Seconds: 1}, "\x08\x01"),
		pb("empty", &codec.PbEmpty{}, ""),
		object,
	})
}

func TestPlainConformance(t *testing.T) {
	type text string
	type level int8
	type blob []byte
	number := 7
	pointer := &number
	codectest.Run(t, codec.PlainCodec{}, []codectest.Case{
		// Captured from v7: raw/body-plain.
		{Name: "v7 string", Value: "plain text é", New: into[string](), Golden: []byte("plain text é")},
		{Name: "bytes", Value: []byte{0, 1, 255}, New: into[[]byte](), Golden: []byte{0, 1, 255}},
		{Name: "named string", Value: text("t"), New: into[text](), Golden: []byte("t")},
		{Name: "named bytes", Value: blob("bb"), New: into[blob](), Golden: []byte("bb")},
		{Name: "named int", Value: level(-128), New: into[level](), Golden: []byte("-128"), Bad: bad("", "128", "1.5", "0x1", " 1")},
		{Name: "int", Value: math.MinInt, New: into[int](), Golden: strconv.AppendInt(nil, math.MinInt, 10), Bad: bad("9223372036854775808")},
		{Name: "int16", Value: int16(1), New: into[int16](), Golden: []byte("1"), Bad: bad("32768")},
		{Name: "int32", Value: int32(2), New: into[int32](), Golden: []byte("2")},
		{Name: "int64", Value: int64(3), New: into[int64](), Golden: []byte("3")},
		{Name: "uint", Value: uint(4), New: into[uint](), Golden: []byte("4"), Bad: bad("-1")},
		{Name: "uint8", Value: uint8(255), New: into[uint8](), Golden: []byte("255"), Bad: bad("256")},
		{Name: "uint16", Value: uint16(5), New: into[uint16](), Golden: []byte("5")},
		{Name: "uint32", Value: uint32(6), New: into[uint32](), Golden: []byte("6")},
		{Name: "uint64", Value: uint64(math.MaxUint64), New: into[uint64](), Golden: []byte("18446744073709551615")},
		{Name: "float32", Value: float32(0.1), New: into[float32](), Golden: []byte("0.1"), Bad: bad("1e39", "x")},
		{Name: "float64", Value: 1e21, New: into[float64](), Golden: []byte("1000000000000000000000"), Bad: bad("")},
		{Name: "infinity", Value: math.Inf(-1), New: into[float64](), Golden: []byte("-Inf")},
		{Name: "bool", Value: true, New: into[bool](), Golden: []byte("true"), Bad: bad("yes", "")},
		{Name: "pointers", Value: &pointer, New: into[**int](), Golden: []byte("7")},
		{Name: "nil pointer", Value: (*string)(nil), New: into[string](), Want: ""},
	})
}

type formKind string

type formInner struct {
	City string `form:"city"`
	Zip  int    // no tag: the key is the field's name
}

type formHidden struct {
	Code string `form:"code"`
}

type formAll struct {
	S      string    `form:"s"`
	K      formKind  `form:"k"`
	I      int8      `form:"i"`
	U      uint32    `form:"u"`
	F32    float32   `form:"f32"`
	F64    float64   `form:"f64"`
	Ok     bool      `form:"ok"`
	P      *int      `form:"p"`
	Nil    *string   `form:"nil"`
	L      []int     `form:"l"`
	Arr    [2]string `form:"arr"`
	Raw    []byte    `form:"raw"`
	Blobs  [][]byte  `form:"blobs"`
	PL     []*int    `form:"pl"`
	LP     *[]string `form:"lp"`
	Any    any       `form:"any"`
	At     time.Time `form:"at"`
	Day    time.Time `form:"day" time_format:"2006-01-02" time_utc:"true"`
	Skip   chan int  `form:"-"`
	Inner  formInner // flattened
	Deep   *struct{ Bottom string }
	Absent *struct{ Unseen string }
	formHidden
}

func TestFormConformance(t *testing.T) {
	n := 5
	all := formAll{
		S: "a b&c=é~/", K: "kind", I: -3, U: 9, F32: 0.1, F64: math.Inf(1), Ok: true, P: &n,
		L: []int{3, 1, 2}, Arr: [2]string{"x", ""}, Raw: []byte{1, 0, 255}, Blobs: [][]byte{[]byte("b+")},
		PL: []*int{&n}, LP: &[]string{"z", "y"}, Any: "dyn",
		At:         time.Date(2024, 2, 3, 4, 5, 6, 7, time.UTC),
		Day:        time.Date(2024, 12, 24, 0, 0, 0, 0, time.UTC),
		Inner:      formInner{"Köln", 50667},
		Deep:       &struct{ Bottom string }{"b"},
		formHidden: formHidden{Code: "c"},
	}
	const allText = "Bottom=b&Zip=50667&any=dyn&arr=x&arr=&at=2024-02-03T04%3A05%3A06.000000007Z&blobs=b%2B&city=K%C3%B6ln&" +
		"code=c&day=2024-12-24&f32=0.1&f64=%2BInf&i=-3&k=kind&l=3&l=1&l=2&lp=z&lp=y&ok=true&p=5&pl=5&raw=1&raw=0&raw=255&" +
		"s=a+b%26c%3D%C3%A9~%2F&u=9"
	values := url.Values{"b": {"2", "1"}, "a": {"x y"}, "none": {}}
	codectest.Run(t, codec.FormCodec{}, []codectest.Case{
		// Captured from v7: raw/accept-body-codec-form.
		{Name: "v7 struct", Value: F{A: 1}, New: into[F](), Golden: []byte("a=1&b="),
			Bad: bad("a=x", "a=1;b=2", "a=%zz", "%=1", "a=9223372036854775808", "zzz=%1")},
		// v7 writes l=q&l=p here: its slices are reversed.
		{Name: "order", Value: &F{1, "x<y", []string{"p", "q"}}, New: into[F](), Golden: []byte("a=1&b=x%3Cy&l=p&l=q")},
		{Name: "all kinds", Value: all, New: into[formAll](), Golden: []byte(allText),
			Bad: bad("i=128", "u=-1", "ok=perhaps", "arr=1&arr=2&arr=3", "raw=256", "at=yesterday", "day=24.12.", "p=x", "f32=x")},
		{Name: "values", Value: values, New: into[url.Values](), Want: url.Values{"b": {"2", "1"}, "a": {"x y"}}, Golden: []byte("a=x+y&b=2&b=1"),
			Bad: bad("a=%", "a;b")},
		{Name: "string map", Value: map[string]string{"b": "&", "a": ""}, New: into[map[string]string](), Golden: []byte("a=&b=%26")},
		{Name: "slices map", Value: map[string][]string{"k": {"2", "1"}}, New: into[map[string][]string](), Golden: []byte("k=2&k=1")},
		{Name: "int map", Value: map[formKind]int{"k": -2}, New: into[map[formKind]int](), Golden: []byte("k=-2"), Bad: bad("k=x")},
		{Name: "any map", Value: map[string]any{"i": 1, "l": []int{2, 1}, "n": nil, "s": "x"}, New: into[map[string]any](),
			Want: map[string]any{"i": "1", "l": []string{"2", "1"}, "s": "x"}, Golden: []byte("i=1&l=2&l=1&s=x")},
		{Name: "bytes map", Value: map[string][]byte{"k": []byte("ab")}, New: into[map[string][]byte](), Golden: []byte("k=ab")},
		{Name: "interface", Value: F{A: 1}, New: into[any](), Want: url.Values{"a": {"1"}, "b": {""}}},
	})
}
