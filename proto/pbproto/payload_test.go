package pbproto_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/pbproto"
	"google.golang.org/protobuf/encoding/protowire"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// payload is a descriptor of the message, which is not registered.
var payload = func() protoreflect.MessageDescriptor {
	field := func(n int32, name string, typ descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: &n, Type: &typ, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
	}
	const (
		i = descriptorpb.FieldDescriptorProto_TYPE_INT32
		s = descriptorpb.FieldDescriptorProto_TYPE_STRING
		b = descriptorpb.FieldDescriptorProto_TYPE_BYTES
	)
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: pb.String("payload.proto"), Package: pb.String("pbproto_test"), Syntax: pb.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: pb.String("payload"), Field: []*descriptorpb.FieldDescriptorProto{
			field(1, "seq", i), field(2, "mtype", i), field(3, "serviceMethod", s), field(4, "status", b),
			field(5, "meta", b), field(6, "bodyCodec", i), field(7, "body", b),
		}}},
	}, nil)
	if err != nil {
		panic(err)
	}
	return file.Messages().Get(0)
}()

// decode reads b with protobuf's own reader.
func decode(t *testing.T, b []byte) *dynamicpb.Message {
	t.Helper()
	p := dynamicpb.NewMessage(payload)
	if err := pb.Unmarshal(b, p); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	return p
}

// wantPayload checks that m has the fields of p.
func wantPayload(t *testing.T, m *message.Message, p *dynamicpb.Message) {
	t.Helper()
	get := func(n protowire.Number) protoreflect.Value { return p.Get(payload.Fields().ByNumber(n)) }
	status, err := message.ParseStatus(get(4).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if int64(m.Seq()) != get(1).Int() || int64(m.Mtype()) != get(2).Int() || m.ServiceMethod() != get(3).String() ||
		m.Status().String() != status.String() || m.Meta().String() != string(get(5).Bytes()) ||
		int64(m.BodyCodec()) != get(6).Int() || !bytes.Equal(m.Raw(), get(7).Bytes()) {
		t.Errorf("got %v with body %q, want %v", m, m.Raw(), p)
	}
}

func frame(payload ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)))
	return append(append(b, 0), payload...)
}

// TestPack compares the output of Pack with that of protobuf's own writer for the
// same fields.
func TestPack(t *testing.T) {
	for _, m := range []*message.Message{
		{},
		message.New(message.WithServiceMethod("/a"), message.WithBody([]byte("x")), message.WithBodyCodec('j')),
		message.New(message.WithStatus(message.NewStatus(-7, string(bytes.Repeat([]byte("é"), 40))))),
		message.New(message.WithAddMeta("k", string(bytes.Repeat([]byte("v"), 20000))), message.WithBody(make([]byte, 127))),
		message.New(message.WithBody(make([]byte, 128)), message.WithBodyCodec(255)),
		message.New(message.WithBody(make([]byte, 1<<14)), message.WithServiceMethod("中文")),
		message.New(message.WithBody(make([]byte, 1<<21))),
	} {
		for _, seq := range []int32{0, 1, 1<<31 - 1, -1, -1 << 31} {
			m.SetSeq(seq)
			m.SetMtype(byte(seq))
			got, err := pbproto.New().Pack(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			p := decode(t, got[5:])
			want, err := pb.MarshalOptions{Deterministic: true}.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, frame(want...)) {
				t.Errorf("%v: got %.200q, want %.200q", m, got[5:], want)
			}
			if b, ok := m.Body().([]byte); ok {
				m.SetRaw(b)
			}
			wantPayload(t, m, p)
		}
	}
}

func TestPackRefuses(t *testing.T) {
	m := message.New(message.WithServiceMethod("/\xff"))
	if _, err := pbproto.New().Pack(nil, m); !errors.Is(err, pbproto.ErrMethodNotUTF8) {
		t.Errorf("a method that is not UTF-8: %v", err)
	}
	m = new(message.Message)
	for range 256 {
		m.XferPipe().AppendFrom(message.New(message.WithXferPipe('m')).XferPipe())
	}
	if _, err := pbproto.New().Pack(nil, m); !errors.Is(err, pbproto.ErrTooManyFilters) {
		t.Errorf("256 filters: %v", err)
	}
}

// TestForeign reads protobuf as other programs may write it.
func TestForeign(t *testing.T) {
	for name, b := range map[string]string{
		"empty":               "",
		"reverse order":       "\x3a\x01b\x30j\x2a\x03k=v\x22\x06code=9\x1a\x02/m\x10\x01\x08\x05",
		"last wins":           "\x08\x01\x08\x02\x1a\x02/a\x1a\x02/b\x3a\x01x\x3a\x00\x3a\x02yz\x10\x03\x10\x01",
		"zero values written": "\x08\x00\x10\x00\x1a\x00\x22\x00\x2a\x00\x30\x00\x3a\x00",
		"unknown fields":      "\x40\x07\x4a\x02ab\x51\x01\x02\x03\x04\x05\x06\x07\x08\x5d\x01\x02\x03\x04\x08\x05",
		"unknown group":       "\x63\x08\x07\x6b\x6c\x64\x08\x05",
		"other wire types":    "\x0a\x01x\x18\x05\x3d\x01\x02\x03\x04\x10\x01",
		"long varint":         "\x08\x85\x80\x80\x80\x80\x80\x80\x80\x80\x00",
		"negative seq":        "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	} {
		m := unpack(t, frame([]byte(b)...))
		t.Run(name, func(t *testing.T) { wantPayload(t, m, decode(t, []byte(b))) })
	}
}

func TestMalformed(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty frame":               {0, 0, 0, 0},
		"no filters where 3 are":    {0, 0, 0, 3, 3, 'g', 'm'},
		"unknown filter":            {0, 0, 0, 3, 1, '?', 0},
		"filter fails":              {0, 0, 0, 5, 1, 'm', 1, 2, 3},
		"field zero":                frame(0x00, 0x01),
		"tag cut":                   frame(0x80),
		"varint cut":                frame(0x08, 0x80),
		"varint too long":           frame(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"bytes cut":                 frame(0x3a, 0x05, 'x'),
		"bytes of 2^63":             frame(0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"group without an end":      frame(0x63, 0x08, 0x07),
		"end of no group":           frame(0x64),
		"type 256":                  frame(0x10, 0x80, 0x02),
		"type -1":                   frame(0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"codec 256":                 frame(0x30, 0x80, 0x02),
		"method that is not UTF-8":  frame(0x1a, 0x01, 0xff),
		"status without a number":   frame(append([]byte{0x22, 6}, "code=x"...)...),
		"groups nested without end": frame(bytes.Repeat([]byte{0x63}, 1<<20)...),
	} {
		err := pbproto.New().Unpack(bufio.NewReader(bytes.NewReader(b)), new(message.Message), 8<<20)
		if !errors.Is(err, proto.ErrMalformed) {
			t.Errorf("%s: error %v, want proto.ErrMalformed", name, err)
		}
	}
}

// TestIdentify: a message that is too large has its type and sequence number, even if
// no more of it arrives.
func TestIdentify(t *testing.T) {
	head := []byte{0x7f, 0, 0, 0, 0}
	for name, c := range map[string]struct {
		payload string
		mtype   byte
		seq     int32
	}{
		"call":           {"\x08\x07\x10\x01\x1a\x02/m", message.TypeCall, 7},
		"negative":       {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01\x1a\x02/m", message.TypeCall, -1},
		"no number":      {"\x10\x03\x1a\x02/m", message.TypePush, 0},
		"type of 300":    {"\x08\x07\x10\xac\x02", message.TypeUndefined, 7},
		"method first":   {"\x1a\x02/m\x08\x07\x10\x01", message.TypeUndefined, 0},
		"nothing but it": {"", message.TypeUndefined, 0},
	} {
		var m message.Message
		b := append(bytes.Clone(head), c.payload...)
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(b), bytes.NewReader(make([]byte, 100))))
		err := pbproto.New().Unpack(r, &m, 1<<20)
		if !errors.Is(err, proto.ErrTooLarge) || m.Mtype() != c.mtype || m.Seq() != c.seq {
			t.Errorf("%s: %v, type %d, seq %d", name, err, m.Mtype(), m.Seq())
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(frame())
	f.Add(frame([]byte("\x08\x01\x10\x01\x1a\x09/math/add\x22\x06code=0\x2a\x0dauthor=andeya0j:\x07[1,2,3]")...))
	f.Add([]byte("\x00\x00\x00\x05\x01g\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 16
		var m message.Message
		var err error
		if n := wiretest.Allocated(func() { err = pbproto.New().Unpack(bufio.NewReader(bytes.NewReader(b)), &m, limit) }); n > 8*limit+1<<20 {
			t.Fatalf("%d bytes were allocated for a frame in %d (%v)", n, len(b), err)
		}
		if err != nil {
			return
		}
		if len(m.Raw()) > limit {
			t.Fatalf("a body of %d bytes", len(m.Raw()))
		}
		if m.XferPipe().Len() == 0 {
			wantPayload(t, &m, decode(t, b[5:m.Size()]))
		}
		raw := bytes.Clone(m.Raw())
		again := unpack(t, repack(t, &m))
		if again.Seq() != m.Seq() || again.Mtype() != m.Mtype() || again.ServiceMethod() != m.ServiceMethod() ||
			again.Meta().String() != m.Meta().String() || again.Status().String() != m.Status().String() || !bytes.Equal(again.Raw(), raw) {
			t.Fatalf("%v with %q became %v with %q", &m, raw, again, again.Raw())
		}
	})
}

func BenchmarkPack(b *testing.B) {
	m := message.New(message.WithServiceMethod("/math/add"), message.WithBodyCodec('p'), message.WithBody(make([]byte, 581)))
	m.SetMtype(message.TypeCall)
	f := pbproto.New()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = f.Pack(dst[:0], m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	m := message.New(message.WithServiceMethod("/math/add"), message.WithBodyCodec('p'), message.WithBody(make([]byte, 581)))
	m.SetMtype(message.TypeCall)
	message.Know("/math/add")
	f := pbproto.New()
	packed, err := f.Pack(nil, m)
	if err != nil {
		b.Fatal(err)
	}
	src := bytes.NewReader(packed)
	r := bufio.NewReader(src)
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(packed)
		m.Reset()
		if err := f.Unpack(r, m, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
