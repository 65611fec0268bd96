package thriftproto_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/codec/thriftcodec"
	"github.com/goerpc/erpc/message"
)

// broken is a struct whose Write panics, as generated code does on a nil field.
type broken struct{ thriftcodec.ThriftEmpty }

func (broken) Write(context.Context, thrift.TProtocol) error { panic("broken struct") }

func TestPanicOfAStructFailsItsMessage(t *testing.T) {
	for name, f := range formats {
		m := message.New(message.WithBody(broken{}), message.WithBodyCodec(codec.ID_THRIFT))
		m.SetMtype(message.TypeCall)
		_, err := f().Pack(nil, m)
		p, ok := message.AsPanic(err)
		if !ok || p.Where != "codec thrift" || !bytes.Contains(p.Stack, []byte("broken.Write")) {
			t.Errorf("%s: Pack gave %v, want the panic of the codec with its stack", name, err)
		}
	}
}
