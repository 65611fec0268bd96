package thriftproto

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/codec/thriftcodec"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/thriftproto/internal/calculator"
)

// TestTranscode: a struct survives conversion to compact and back, except for the
// types of an empty map, which compact lacks. The compact bytes are those of
// Thrift's own writer.
func TestTranscode(t *testing.T) {
	item := &calculator.Item{
		Name: "n", Count: math.MinInt64, Prices: []float64{0.5, math.Inf(1)}, Flags: map[string]bool{"a": true},
		Sizes: []int16{-1, 2}, Sold: true, Blob: bytes.Repeat([]byte{7}, 300), Small: -1,
		Rest: &calculator.Item{Prices: make([]float64, 40), Flags: map[string]bool{"z": false}},
	}
	plain, err := thriftcodec.Codec{}.Marshal(item)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := item.Write(t.Context(), memory(&want, true, math.MaxInt32)); err != nil {
		t.Fatal(err)
	}
	compact, err := transcode([]byte("in front"), plain, false, 1<<20)
	if err != nil || string(compact) != "in front"+want.String() {
		t.Fatalf("compact: %q, %v, want %q", compact, err, want.String())
	}
	back, err := transcode(nil, want.Bytes(), true, 1<<20)
	if err != nil || !bytes.Equal(back, plain) {
		t.Errorf("binary: %q, %v, want %q", back, err, plain)
	}
}

func TestTranscodeRefuses(t *testing.T) {
	doubled := append([]byte{0x19, 0xf6, 0xe8, 0x07}, append(make([]byte, 1000), 0)...) // list of 1000 i64, a byte each
	for _, tt := range []struct {
		name    string
		b       string
		compact bool
		want    error // nil: any
	}{
		{"nothing", "", false, nil},
		{"nothing, compact", "", true, nil},
		{"bytes behind", "\x00\x00", false, nil},
		{"unknown type", "\x09\x00\x01\x00", false, nil},
		{"unknown compact type", "\x1e\x00", true, nil},
		{"list of unknown", "\x0f\x00\x01\x09\x00\x00\x00\x01\x00\x00", false, nil},
		{"list without end", "\x0f\x00\x01\x0a\x7f\xff\xff\xff", false, nil},
		{"list of nothing", "\x0f\x00\x01\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00", false, nil},
		{"map without end", "\x0d\x00\x01\x0b\x0b\x00\x00\x00\x02\x00\x00\x00\x00", false, nil},
		{"compact larger in binary", string(doubled), true, proto.ErrTooLarge},
		{"structs in structs", strings.Repeat("\x0c\x00\x01", 100_000), false, errDepth},
		{"lists in lists", "\x0f\x00\x01" + strings.Repeat("\x0f\x00\x00\x00\x01", 100_000), false, errDepth},
		{"sets of structs", "\x0e\x00\x01\x0c\x00\x00\x00\x01" + strings.Repeat("\x0c\x00\x01", 100), false, errDepth},
		{"maps in maps", "\x0d\x00\x01" + strings.Repeat("\x0d\x0b\x00\x00\x00\x01", 100), false, nil},
		{"compact structs in structs", strings.Repeat("\x1c", 100_000), true, errDepth},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := transcode(nil, []byte(tt.b), tt.compact, 4000)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if len(out) > 5000 {
				t.Errorf("%d bytes with a limit of 4000", len(out))
			}
		})
	}
	if err := (thriftcodec.Codec{}).Unmarshal(undecodable, new(calculator.Item)); err == nil {
		t.Error("what stands for a wrong body can be decoded")
	}
}

func TestPackRefuses(t *testing.T) {
	call := func(settings ...message.Setting) *message.Message {
		m := message.New(settings...)
		m.SetMtype(message.TypeCall)
		return m
	}
	long := message.WithAddMeta("k", strings.Repeat("v", 1<<18))
	filtered := call()
	for range 256 {
		if err := filtered.XferPipe().Append('g'); err != nil {
			break // the pipe itself refuses more
		}
	}
	auth := call()
	auth.SetMtype(message.TypeAuthCall)
	none := call()
	none.SetMtype(message.TypeUndefined)
	stock := NewStockProtoFunc(StockConfig{Transport: Header})
	for _, tt := range []struct {
		name   string
		format proto.Func
		m      *message.Message
		want   error
	}{
		{"long metadata", NewBinaryProtoFunc(), call(long), ErrHeaderTooLong},
		{"long metadata", NewStructProtoFunc(), call(long), ErrHeaderTooLong},
		{"long metadata", stock, call(long), ErrHeaderTooLong},
		{"no type", NewBinaryProtoFunc(), none, ErrType},
		{"no type", NewStructProtoFunc(), none, ErrType},
		{"no type", stock, none, ErrType},
		{"AUTH", NewStructProtoFunc(), auth, ErrType},
		{"AUTH", stock, auth, ErrType},
		{"filters", NewStructProtoFunc(), filtered, ErrFilters},
		{"filters", stock, filtered, ErrFilters},
		{"number", NewStructProtoFunc(), call(message.WithBody(7)), ErrNotThrift},
		{"JSON as bytes", NewStructProtoFunc(), call(message.WithBody([]byte("{}")), message.WithBodyCodec('j')), ErrNotThrift},
		{"pointer to JSON as bytes", stock, call(message.WithBody(&[]byte{'{'}), message.WithBodyCodec('j')), ErrNotThrift},
	} {
		dst, err := tt.format().Pack([]byte("in front"), tt.m)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
		if !strings.HasPrefix(string(dst), "in front") {
			t.Errorf("%s: the buffer begins with %.10q", tt.name, dst)
		}
	}
}

// TestLongValues: a value of the header may have any length that fits.
func TestLongValues(t *testing.T) {
	for _, n := range []int{0, 1, 0x7e, 0x7f, 0x80, 0x3fff, 0x4000, 200_000} {
		want := strings.Repeat("v", n)
		w := beginHeader([]byte("in front"), -7, dialect{header: true})
		w.count(2)
		w.query("first", func(b []byte) []byte { return append(b, want...) })
		w.pair("second", "2")
		b, err := w.end()
		if err != nil {
			t.Fatal(err)
		}
		c := cursor{b: b[len("in front")+prefix:]}
		h, err := c.header()
		if err != nil || len(c.b) > 0 {
			t.Fatalf("%d: %v, %d bytes left", n, err, len(c.b))
		}
		var got []string
		if err := h.pairs(func(k, v []byte) error {
			got = append(got, string(k), string(v))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) != 4 || got[0] != "first" || got[1] != want || got[2] != "second" || got[3] != "2" {
			t.Errorf("%d: %.60q", n, got)
		}
	}
}

// TestInflated: the limit applies to the inflated message.
func TestInflated(t *testing.T) {
	plain := make([]byte, 1<<20)
	packed, err := deflate(append([]byte("in front"), plain...), len("in front"))
	if err != nil || len(packed) > 4<<10 {
		t.Fatalf("%d bytes, %v", len(packed), err)
	}
	packed = packed[len("in front"):]
	if got, err := inflate(packed, 1<<20); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("at the limit: %d bytes, %v", len(got), err)
	}
	if _, err := inflate(packed, 1<<20-1); !errors.Is(err, proto.ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
	for _, b := range [][]byte{nil, []byte("text"), packed[:len(packed)/2]} {
		if _, err := inflate(b, 1<<20); !errors.Is(err, proto.ErrMalformed) {
			t.Errorf("%.10q: %v", b, err)
		}
	}
}

func TestNames(t *testing.T) {
	http := func(prefix, name string) string { return strings.TrimSuffix(prefix, "/") + "/" + strings.ToLower(name) }
	for _, tt := range []struct {
		c                   StockConfig
		wire, serviceMethod string
	}{
		{StockConfig{}, "add", "Add"},
		{StockConfig{}, "Calculator:add", "Calculator.Add"},
		{StockConfig{}, "get_all_items", "GetAllItems"},
		{StockConfig{}, "my_service:getItem", "MyService.GetItem"},
		{StockConfig{}, "_", "_"},
		{StockConfig{}, "", ""},
		{StockConfig{}, "Calculator:", ""},
		{StockConfig{}, "a:b:c", "A.B:c"},
		{StockConfig{}, "/erpc.control/hello", "/erpc.control/hello"},
		{StockConfig{}, "\xff\xfe", "\uFFFD\uFFFD"},
		{StockConfig{Service: "Calculator"}, "add", "Calculator.Add"},
		{StockConfig{Service: "Calculator"}, "Other:add", "Other.Add"},
		{StockConfig{Service: "Calculator", Mapper: http}, "get_items", "/calculator/getitems"},
		{StockConfig{Mapper: http}, "add", "/add"},
	} {
		if got := newNames(tt.c).serviceMethod(tt.wire); got != tt.serviceMethod {
			t.Errorf("%q is %q, want %q", tt.wire, got, tt.serviceMethod)
		}
	}
	for _, tt := range []struct {
		c                   StockConfig
		serviceMethod, wire string
	}{
		{StockConfig{}, "add", "add"},
		{StockConfig{}, "get_items", "get_items"},
		{StockConfig{}, "Calculator.add", "Calculator:add"},
		{StockConfig{}, "Calculator:add", "Calculator:add"},
		{StockConfig{}, "/erpc.control/hello", "/erpc.control/hello"},
		{StockConfig{Service: "Calculator"}, "Calculator.add", "add"},
		{StockConfig{Service: "Calculator"}, "Other.add", "Other:add"},
		{StockConfig{Service: "Calculator", Multiplexed: true}, "add", "Calculator:add"},
		{StockConfig{Service: "Calculator", Multiplexed: true}, "Calculator.add", "Calculator:add"},
	} {
		if got := newNames(tt.c).wire(tt.serviceMethod); got != tt.wire {
			t.Errorf("%q goes as %q, want %q", tt.serviceMethod, got, tt.wire)
		}
	}
}

// TestExceptions: a status becomes an exception for a stock client, and that a
// status again.
func TestExceptions(t *testing.T) {
	for _, tt := range []struct {
		st   *message.Status
		kind int32
		text string
		back int32
	}{
		{message.NewStatus(404, "Not Found", ""), thrift.UNKNOWN_METHOD, `unknown method "add" (code 404)`, 404},
		{message.NewStatus(404, "Not Found", "no item"), thrift.UNKNOWN_METHOD, "Not Found: no item (code 404)", 404},
		{message.NewStatus(405, "", nil), thrift.INVALID_MESSAGE_TYPE_EXCEPTION, "Message Type Not Allowed (code 405)", 405},
		{message.NewStatus(400, "Bad Message", "EOF"), thrift.PROTOCOL_ERROR, "Bad Message: EOF (code 400)", 400},
		{message.NewStatus(413, "Message Too Large"), thrift.PROTOCOL_ERROR, "Message Too Large (code 413)", 400},
		{message.NewStatus(1001, "bad thing"), thrift.INTERNAL_ERROR, "bad thing (code 1001)", 500},
		{message.NewStatus(1001, "bad \xff"), thrift.INTERNAL_ERROR, "bad \uFFFD (code 1001)", 500},
	} {
		b, err := appendException([]byte("in front"), tt.st, "add")
		if err != nil || !bytes.HasPrefix(b, []byte("in front")) {
			t.Fatalf("%v: %q, %v", tt.st, b, err)
		}
		b = b[len("in front"):]
		e := thrift.NewTApplicationException(0, "")
		if err := e.Read(t.Context(), memory(bytes.NewBuffer(b), false, len(b))); err != nil || e.TypeId() != tt.kind || e.Error() != tt.text {
			t.Errorf("%v: %d %q, %v, want %d %q", tt.st, e.TypeId(), e.Error(), err, tt.kind, tt.text)
		}
		m := new(message.Message)
		if err := exceptionReply(m, b); err != nil || m.Status().Code() != tt.back || m.Status().Cause().Error() != tt.text {
			t.Errorf("%v came back as %v, %v", tt.st, m.Status(), err)
		}
	}
	if err := exceptionReply(new(message.Message), []byte("\x0b\x00\x01\x7f\xff\xff\xff")); !errors.Is(err, proto.ErrMalformed) {
		t.Errorf("an exception without an end: %v", err)
	}
}

// TestAskedIsForgotten: answered calls are forgotten.
func TestAskedIsForgotten(t *testing.T) {
	s := NewStockProtoFunc(StockConfig{})().(*stock)
	s.ask(7, "add")
	reply := message.New(message.WithBody(7))
	reply.SetMtype(message.TypeReply)
	reply.SetSeq(7)
	if _, err := s.Pack(nil, reply); err == nil || s.method(7) != "add" {
		t.Fatalf("error %v; a reply that can't be packed is packed again as an error", err)
	}
	reply.SetBody(nil)
	if b, err := s.Pack(nil, reply); err != nil || !bytes.Contains(b, []byte("add")) {
		t.Fatalf("%q, %v", b, err)
	}
	if len(s.asked) > 0 {
		t.Errorf("left: %v", s.asked)
	}
}
