package thriftproto_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/thriftproto"
)

// fuzz reads frames, writes and reads them again, and compares. Reading must not
// take more memory than a few times the limit.
func fuzz(f *testing.F, newProto proto.Func) {
	const limit = 64 << 10
	for _, format := range []string{"thrift-binary", "thrift-struct"} {
		for _, v := range wiretest.Golden(f, format) {
			f.Add(v.Bytes)
		}
	}
	for _, b := range hostile() {
		f.Add(b)
	}
	f.Add([]byte("\x00\x00\x00\x10\x80\x01\x00\x01\x00\x00\x00\x03add\x00\x00\x00\x01\x00"))
	f.Add([]byte("\x00\x00\x00\x0a\x82\x21\x01\x03add\x15\x04\x00"))
	f.Add([]byte("\x00\x00\x00\x24\x80\x01\x00\x03\x00\x00\x00\x03add\x00\x00\x00\x01\x0b\x00\x01\x00\x00\x00\x02no\x08\x00\x02\x00\x00\x00\x06\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		format := newProto()
		for {
			m := new(message.Message)
			var err error
			if n := wiretest.Allocated(func() { err = format.Unpack(r, m, limit) }); n > 8*limit+1<<20 {
				t.Fatalf("%d bytes were allocated for a frame in %d (%v)", n, len(b), err)
			}
			if err != nil {
				if !errors.Is(err, proto.ErrMalformed) && !errors.Is(err, proto.ErrTooLarge) && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if len(m.Raw()) > max(limit, len(b)) {
				t.Fatalf("a body of %d bytes", len(m.Raw()))
			}
			if m.XferPipe().Len() > 0 { // the output of a filter may differ
				continue
			}
			m.SetBody(bytes.Clone(m.Raw()))
			frame, err := format.Pack(nil, m)
			if err != nil {
				continue // an invalid struct, or a name that the mapping loses
			}
			again := new(message.Message)
			if err := newProto().Unpack(bufio.NewReader(bytes.NewReader(frame)), again, 2*len(frame)+limit); err != nil {
				t.Fatalf("%v\nwas written as %q,\nwhich is not read: %v", m, frame, err)
			}
			if again.Mtype() != m.Mtype() || again.Seq() != m.Seq() || again.StatusOK() != m.StatusOK() || m.StatusOK() && len(m.Raw()) > 0 && !bytes.Equal(again.Raw(), m.Raw()) {
				t.Fatalf("%v %q\nbecame\n%v %q", m, m.Raw(), again, again.Raw())
			}
		}
	})
}

func FuzzBinary(f *testing.F) { fuzz(f, thriftproto.NewBinaryProtoFunc()) }

func FuzzStruct(f *testing.F) { fuzz(f, thriftproto.NewStructProtoFunc()) }

func FuzzStock(f *testing.F) { fuzz(f, thriftproto.NewStockProtoFunc(thriftproto.StockConfig{})) }
