package codec_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/goerpc/erpc/codec"
)

func TestProtobufNothing(t *testing.T) {
	var c codec.ProtobufCodec
	for _, v := range []any{nil, struct{}{}, &struct{}{}, (*wrapperspb.StringValue)(nil), &codec.PbEmpty{}} {
		if b, err := c.Marshal(v); len(b) != 0 || err != nil {
			t.Errorf("Marshal(%T) = %q, %v, want nothing", v, b, err)
		}
	}
	for _, v := range []any{nil, struct{}{}, &struct{}{}} {
		if err := c.Unmarshal([]byte("\x0a\x01x"), v); err != nil {
			t.Errorf("Unmarshal into %T: %v", v, err)
		}
	}
	if err := c.Unmarshal([]byte("\x0a\x01x"), &codec.PbEmpty{}); err != nil {
		t.Errorf("Unmarshal of unknown fields into PbEmpty: %v", err)
	}
}

func TestProtobufReplaces(t *testing.T) {
	m := wrapperspb.String("before")
	if err := (codec.ProtobufCodec{}).Unmarshal(nil, m); err != nil || m.GetValue() != "" {
		t.Errorf("after decoding no bytes: %q, %v, want an empty message", m.GetValue(), err)
	}
}

// legacy is a message as older generators write it, without ProtoReflect. It has
// the fields of the captured v7 call raw/body-protobuf.
type legacy struct {
	Version string `protobuf:"bytes,1,opt,name=version,proto3"`
	Text    string `protobuf:"bytes,2,opt,name=text,proto3"`
}

func (m *legacy) Reset()         { *m = legacy{} }
func (m *legacy) String() string { return m.Version + m.Text }
func (*legacy) ProtoMessage()    {}

func TestProtobufLegacyMessages(t *testing.T) {
	const golden = "\x0a\x02v1\x12\x03txt"
	var c codec.ProtobufCodec
	b, err := c.Marshal(&legacy{"v1", "txt"})
	if err != nil || string(b) != golden {
		t.Fatalf("Marshal = %q, %v, want %q", b, err, golden)
	}
	var got legacy
	if err := c.Unmarshal(b, &got); err != nil || got.Version != "v1" || got.Text != "txt" {
		t.Errorf("Unmarshal = %+v, %v", &got, err)
	}
	if err := c.Unmarshal([]byte("\x0a\x05x"), &got); err == nil {
		t.Error("a truncated message gave no error")
	}
	if err := c.Unmarshal(b, (*legacy)(nil)); err == nil {
		t.Error("a nil pointer gave no error")
	}
}

func TestProtobufAppendAllocatesNothing(t *testing.T) {
	var c codec.Codec = codec.ProtobufCodec{}
	m := wrapperspb.Bytes(make([]byte, 500))
	buf := make([]byte, 0, proto.Size(m))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := codec.Append(buf, c, m); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Append into a buffer with room allocates %v times, want 0", n)
	}
}
