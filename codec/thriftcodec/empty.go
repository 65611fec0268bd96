package thriftcodec

import (
	"context"

	"github.com/apache/thrift/lib/go/thrift"
)

// ThriftEmpty is a thrift struct without fields: the argument or result of a call
// that has none. Reading one skips all fields.
type ThriftEmpty struct{}

var _ thrift.TStruct = ThriftEmpty{}

// Write implements thrift.TStruct.
func (ThriftEmpty) Write(ctx context.Context, p thrift.TProtocol) error {
	if err := p.WriteStructBegin(ctx, "ThriftEmpty"); err != nil {
		return err
	}
	if err := p.WriteFieldStop(ctx); err != nil {
		return err
	}
	return p.WriteStructEnd(ctx)
}

// Read implements thrift.TStruct.
func (ThriftEmpty) Read(ctx context.Context, p thrift.TProtocol) error {
	if _, err := p.ReadStructBegin(ctx); err != nil {
		return err
	}
	for {
		_, typ, _, err := p.ReadFieldBegin(ctx)
		if err != nil {
			return err
		}
		if typ == thrift.STOP {
			return p.ReadStructEnd(ctx)
		}
		if err := p.Skip(ctx, typ); err != nil {
			return err
		}
		if err := p.ReadFieldEnd(ctx); err != nil {
			return err
		}
	}
}

// String is for logs.
func (ThriftEmpty) String() string { return "ThriftEmpty({})" }
