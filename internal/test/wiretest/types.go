package wiretest

import (
	"context"
	"fmt"

	"github.com/apache/thrift/lib/go/thrift"
)

// Pair is the protobuf message of the service, strings 1 and 2, as compilers
// generated it at the time of erpc v7.
type Pair struct {
	First  string `protobuf:"bytes,1,opt,name=first,proto3" json:"first,omitempty"`
	Second string `protobuf:"bytes,2,opt,name=second,proto3" json:"second,omitempty"`
}

// Reset implements protoadapt.MessageV1.
func (p *Pair) Reset() { *p = Pair{} }

// String implements protoadapt.MessageV1.
func (p *Pair) String() string { return fmt.Sprintf("first:%q second:%q", p.First, p.Second) }

// ProtoMessage implements protoadapt.MessageV1.
func (*Pair) ProtoMessage() {}

// F is the value of forms and XML; its name is the root element in XML.
type F struct {
	A int      `form:"a" xml:"a"`
	B string   `form:"b" xml:"b"`
	L []string `form:"l" xml:"l"`
}

// Author is the thrift struct test{1: string author}.
type Author struct{ Author string }

var _ thrift.TStruct = (*Author)(nil)

// Write implements thrift.TStruct.
func (a *Author) Write(ctx context.Context, p thrift.TProtocol) error {
	for _, step := range []func() error{
		func() error { return p.WriteStructBegin(ctx, "test") },
		func() error { return p.WriteFieldBegin(ctx, "author", thrift.STRING, 1) },
		func() error { return p.WriteString(ctx, a.Author) },
		func() error { return p.WriteFieldEnd(ctx) },
		func() error { return p.WriteFieldStop(ctx) },
		func() error { return p.WriteStructEnd(ctx) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// Read implements thrift.TStruct.
func (a *Author) Read(ctx context.Context, p thrift.TProtocol) error {
	if _, err := p.ReadStructBegin(ctx); err != nil {
		return err
	}
	for {
		_, typ, id, err := p.ReadFieldBegin(ctx)
		switch {
		case err != nil:
			return err
		case typ == thrift.STOP:
			return p.ReadStructEnd(ctx)
		case id == 1 && typ == thrift.STRING:
			a.Author, err = p.ReadString(ctx)
		default:
			err = p.Skip(ctx, typ)
		}
		if err != nil {
			return err
		}
		if err := p.ReadFieldEnd(ctx); err != nil {
			return err
		}
	}
}
