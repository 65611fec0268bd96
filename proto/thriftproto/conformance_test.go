package thriftproto_test

import (
	"testing"

	"github.com/goerpc/erpc/codec/thriftcodec"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/prototest"
	"github.com/goerpc/erpc/proto/thriftproto"
)

func TestMain(m *testing.M) {
	thriftcodec.Reg()
	wiretest.Filters()
	wait.Main(m)
}

// mostly are the message types that thrift has.
var mostly = []byte{message.TypeCall, message.TypeReply, message.TypePush}

// methods are names that survive the mapping to thrift and back.
var methods = []string{"Add", "Calculator.Add", "/erpc.control/hello", "GetItem2", "Ünïcode中文😀"}

// structs are bodies in thrift's binary protocol: author, nothing, a list of
// structs, 1 MiB.
func structs() [][]byte {
	big := append([]byte("\x0b\x00\x01\x00\x10\x00\x00"), make([]byte, 1<<20)...)
	for i := range big[7:] {
		big[7+i] = byte(i * i >> 7)
	}
	return [][]byte{
		[]byte("\x0b\x00\x01\x00\x00\x00\x06andeya\x00"),
		[]byte("\x00"),
		[]byte("\x0f\x00\x02\x0c\x00\x00\x00\x02\x02\x00\x01\x01\x00\x00\x00"),
		append(big, 0),
	}
}

// hostile returns frames that announce much. prototest makes others from valid
// frames.
func hostile() [][]byte {
	frame := func(b string) []byte { return append([]byte{0, 0, 0, byte(len(b))}, b...) }
	return [][]byte{
		frame("\x0f\xff\x00\x00\x00\x00\x00\x01\xff\xff\x00\x00"),
		frame("\x0f\xff\x00\x00\x00\x00\x00\x01\x00\x02\x00\x00\x01\xff\xff\xff\xff\x0f"),
		frame("\x0f\xff\x00\x00\x00\x00\x00\x01\x00\x02\x00\xff\xff\xff\xff\x0f\x00\x00"),
		frame("\x0f\xff\x00\x00\x00\x00\x00\x01\x00\x03\x00\x00\x01\x01\xff\xff\xff\xff\x0f\x00\x00\x00"),
		frame("\x80\x01\x00\x01\x7f\xff\xff\xffadd\x00\x00\x00\x01\x00"),
		frame("\x82\x21\x01\xff\xff\xff\xff\x07add\x00"),
		frame("\x82\x21\x01\x03add\x19\xfc\xff\xff\xff\xff\x07\x00"),
		frame("\x82\x21\x01\x03add\x1b\xff\xff\xff\xff\x07\x55\x00"),
		frame("\x82\x21\x01\x03add\x18\xff\xff\xff\xff\x07abc"),
		frame("\x80\x01\x00\x03\x00\x00\x00\x03add\x00\x00\x00\x01\x0b\x00\x01\x7f\xff\xff\xff"),
	}
}

func TestConformanceBinary(t *testing.T) {
	prototest.Run(t, thriftproto.NewBinaryProtoFunc(), prototest.Options{Filters: []byte("gm"), Hostile: hostile()})
}

func TestConformanceStruct(t *testing.T) {
	prototest.Run(t, thriftproto.NewStructProtoFunc(), prototest.Options{
		Types: mostly, Codecs: []byte{'t'}, Bodies: structs(), Hostile: hostile(),
		Normalize: func(m *message.Message) {
			if len(m.Raw()) == 0 { // a missing body is an empty struct
				m.SetRaw([]byte{0})
			}
		},
	})
}

// TestConformanceStock: fields that thrift has no place for do not arrive.
func TestConformanceStock(t *testing.T) {
	for name, c := range map[string]thriftproto.StockConfig{
		"header binary":  {Transport: thriftproto.Header},
		"header compact": {Transport: thriftproto.Header, Protocol: thriftproto.Compact},
		"framed binary":  {},
		"framed compact": {Protocol: thriftproto.Compact},
	} {
		t.Run(name, func(t *testing.T) {
			framed := c.Transport == thriftproto.Framed
			o := prototest.Options{
				Types: mostly, Codecs: []byte{'t'}, Bodies: structs(), Methods: methods, Hostile: hostile(),
				Meta: [][]string{nil, {"author", "andeya"}, {"", "no key"}, {"k", "1", "other", "x", "k", "2"}, {"any", "\x00\xff"}},
				Normalize: func(m *message.Message) {
					if m.Mtype() != message.TypeReply {
						m.SetStatus(nil)
					} else {
						m.SetServiceMethod("")
					}
					if !m.StatusOK() { // an exception has no result
						m.SetRaw(nil)
						m.SetBodyCodec(0)
						if framed { // and has only its own text
							m.SetStatus(message.NewStatus(500, ""))
						}
					} else if len(m.Raw()) == 0 {
						m.SetRaw([]byte{0})
					}
					if framed {
						m.Meta().Reset()
					}
				},
			}
			// Truncated or foreign compact bodies can't be detected; binary ones
			// are tested.
			if c.Protocol == thriftproto.Compact {
				o.Bodies = o.Bodies[:3]
			}
			prototest.Run(t, func() proto.Proto { return thriftproto.NewStockProtoFunc(c)() }, o)
		})
	}
}
