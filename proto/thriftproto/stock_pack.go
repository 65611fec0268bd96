package thriftproto

import (
	"bytes"
	"compress/zlib"
	"math"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/message"
)

func (s *stock) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start, kind, d := len(dst), kindOf(m.Mtype()), s.dialect.Load().(dialect)
	switch {
	case m.XferPipe().Len() > 0:
		return dst, ErrFilters
	case kind == thrift.INVALID_TMESSAGE_TYPE:
		return dst, ErrType
	}
	var name string
	if kind == thrift.REPLY {
		name = s.method(m.Seq())
		if !m.StatusOK() {
			kind = thrift.EXCEPTION
		}
	} else {
		name = s.names.wire(m.ServiceMethod())
	}
	dst, err := appendHead(dst, m, kind, d)
	if err != nil {
		return dst, err
	}
	inner, written := len(dst), name
	if kind != thrift.CALL && kind != thrift.ONEWAY {
		_, written = s.names.split(name) // a reply to a multiplexed call does not name the service
	}
	dst = begin{kind, []byte(written), m.Seq()}.appendTo(dst, d.compact)
	dst, err = appendContent(dst, m, kind, name, d.compact)
	if err != nil {
		return dst, err
	}
	if d.zlib {
		dst, err = deflate(dst, inner)
		if err != nil {
			return dst, err
		}
	}
	dst, err = endFrame(dst, start)
	if err == nil {
		s.answered(m)
	}
	return dst, err
}

// appendHead appends the header in front of the message.
func appendHead(dst []byte, m *message.Message, kind thrift.TMessageType, d dialect) ([]byte, error) {
	if !d.header {
		return append(dst, 0, 0, 0, 0), nil
	}
	w := beginHeader(dst, m.Seq(), d)
	n := m.Meta().Len()
	if kind == thrift.EXCEPTION {
		n++
	}
	w.count(n)
	for k, v := range m.Meta().All {
		w.pair(k, v)
	}
	if kind == thrift.EXCEPTION {
		w.query(HeaderStatus, m.Status().AppendQuery)
	}
	return w.end()
}

// appendContent appends what follows the beginning of the message.
func appendContent(dst []byte, m *message.Message, kind thrift.TMessageType, name string, compact bool) ([]byte, error) {
	write := appendStruct
	if kind == thrift.EXCEPTION {
		write = func(dst []byte, m *message.Message) ([]byte, error) { return appendException(dst, m.Status(), name) }
	}
	if !compact {
		return write(dst, m)
	}
	b, err := write(nil, m)
	if err != nil {
		return dst, err
	}
	return transcode(dst, b, false, math.MaxInt32)
}

// deflate compresses dst[from:].
func deflate(dst []byte, from int) ([]byte, error) {
	plain := bytes.Clone(dst[from:])
	out := bytes.NewBuffer(dst[:from])
	w := zlib.NewWriter(out)
	if _, err := w.Write(plain); err != nil {
		return dst, err
	}
	err := w.Close()
	return out.Bytes(), err
}
