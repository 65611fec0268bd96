package codec_test

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/goerpc/erpc/codec"
)

// vtDuration is a message with the methods of protoc-gen-go-vtproto, and counts
// how often they are used.
type vtDuration struct {
	*durationpb.Duration
	encoded, decoded int
	size             int // added by SizeVT
	fail             error
}

func (d *vtDuration) SizeVT() int { return proto.Size(d.Duration) + d.size }

func (d *vtDuration) MarshalToSizedBufferVT(buf []byte) (int, error) {
	d.encoded++
	b, err := proto.Marshal(d.Duration)
	if err != nil {
		return 0, err
	}
	return copy(buf[len(buf)-len(b):], b), d.fail
}

func (d *vtDuration) UnmarshalVT(data []byte) error {
	d.decoded++
	return errors.Join(proto.UnmarshalOptions{Merge: true}.Unmarshal(data, d.Duration), d.fail)
}

// vtStruct is a message whose type contains itself.
type vtStruct struct {
	*structpb.Struct
	decoded int
}

func (s *vtStruct) UnmarshalVT([]byte) error {
	s.decoded++
	return nil
}

func TestProtobufUsesVT(t *testing.T) {
	c := codec.ProtobufCodec{}
	in := &vtDuration{Duration: &durationpb.Duration{Seconds: 3, Nanos: 7}}
	want, err := proto.Marshal(in.Duration)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.MarshalAppend([]byte("before"), in)
	if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) || in.encoded != 1 {
		t.Errorf("encoded %q with %d calls, %v; want %q", got, in.encoded, err, want)
	}
	// Decoding replaces the message, as without these methods.
	out := &vtDuration{Duration: &durationpb.Duration{Seconds: 99}}
	data := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 7)
	if err := c.Unmarshal(data, out); err != nil || out.decoded != 1 || out.Seconds != 0 || out.Nanos != 7 {
		t.Errorf("decoded %v with %d calls, %v", out.Duration, out.decoded, err)
	}
	// What is known to be zero is not reset, so what it holds against the contract stays.
	out = &vtDuration{Duration: &durationpb.Duration{Seconds: 99}}
	if err := c.UnmarshalZero(data, out); err != nil || out.decoded != 1 || out.Seconds != 99 || out.Nanos != 7 {
		t.Errorf("decoded %v with %d calls, %v", out.Duration, out.decoded, err)
	}
}

func TestProtobufVTMistakes(t *testing.T) {
	c := codec.ProtobufCodec{}
	for _, d := range []*vtDuration{{size: 1}, {size: -9}, {fail: errors.New("no")}} {
		d.Duration = &durationpb.Duration{Seconds: 3}
		if got, err := c.MarshalAppend([]byte("x"), d); err == nil || string(got) != "x" {
			t.Errorf("%+v became %q, %v", d, got, err)
		}
	}
	d := &vtDuration{Duration: new(durationpb.Duration), fail: errors.New("no")}
	if err := c.Unmarshal(nil, d); err == nil {
		t.Error("the error of UnmarshalVT is lost")
	}
}

// A message that can contain itself may have any depth, so it is not passed to
// UnmarshalVT, and the limits apply.
func TestProtobufVTKeepsLimitOfDepth(t *testing.T) {
	c := codec.ProtobufCodec{}
	var body []byte // a Struct in a Value in a Struct, from the inside
	for range codec.MaxDepth {
		value := protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), body)
		entry := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), value)
		body = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), entry)
	}
	s := &vtStruct{Struct: new(structpb.Struct)}
	if err := c.Unmarshal(body, s); err == nil || s.decoded != 0 {
		t.Errorf("error %v, %d calls of UnmarshalVT", err, s.decoded)
	}
	if cost := c.Cost(body, s, 1<<10); cost <= 1<<10 {
		t.Errorf("it costs %d", cost)
	}
}
