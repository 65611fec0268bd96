// Package benchvt holds the message of the benchmark with the methods of
// protoc-gen-go-vtproto, which erpc's protobuf codec uses where it finds them.
// The wire is that of package benchpb.
package benchvt

import (
	"google.golang.org/protobuf/proto"

	"github.com/goerpc/erpc/bench/rig/benchpb"
)

//go:generate protoc --go_out=paths=source_relative:. --go-vtproto_out=paths=source_relative,features=marshal+unmarshal+size:. benchvt.proto

// NewRequest returns the request of [benchpb.NewRequest].
func NewRequest() (*Message, error) {
	b, err := proto.Marshal(benchpb.NewRequest())
	if err != nil {
		return nil, err
	}
	m := new(Message)
	return m, m.UnmarshalVT(b)
}

// Tag is that of [benchpb.Message].
func (x *Message) Tag(n uint32) {
	var m benchpb.Plain
	m.Tag(n)
	x.Num3 = m.Num3
}

// Pad is that of [benchpb.Message].
func (x *Message) Pad(n int) {
	m := benchpb.Plain{Text4: x.Text4}
	m.Pad(n)
	x.Text4 = m.Text4
}

// Answer is that of [benchpb.Message].
func (x *Message) Answer() {
	var m benchpb.Plain
	m.Answer()
	x.Text1, x.Num2 = m.Text1, m.Num2
}

// Check is that of [benchpb.Message].
func (x *Message) Check(n uint32) error {
	m := benchpb.Plain{Text1: x.Text1, Num2: x.Num2, Num3: x.Num3, Text129: x.Text129, Num280: x.Num280}
	return m.Check(n)
}
