package thriftproto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/proto"
)

// maxDepth is how deeply structs and containers may be nested, as in thrift.
const maxDepth = thrift.DEFAULT_RECURSION_DEPTH

var errDepth = errors.New("nested too deeply")

// transcode converts the struct in b to the other protocol and appends it to dst.
// Both protocols have the types and numbers of fields, so this needs no
// description of the struct. It appends at most limit bytes, because compact
// integers are up to eight times larger in binary.
func transcode(dst, b []byte, fromCompact bool, limit int) ([]byte, error) {
	limit = min(limit, math.MaxInt32-len(dst)) // int may have 32 bits
	in, out := bytes.NewBuffer(b), bytes.NewBuffer(dst)
	t := transcoder{
		ctx: context.Background(), out: out, most: len(dst) + limit,
		from: memory(in, fromCompact, len(b)), to: memory(out, !fromCompact, limit),
	}
	err := t.copyStruct(maxDepth)
	if err == nil && in.Len() > 0 {
		err = fmt.Errorf("%d bytes behind the struct", in.Len())
	}
	return out.Bytes(), err
}

type transcoder struct {
	ctx      context.Context // without meaning here, but thrift requires one
	from, to thrift.TProtocol
	out      *bytes.Buffer
	most     int // bytes in out
}

func (t *transcoder) copyStruct(depth int) error {
	if depth == 0 {
		return errDepth
	}
	if _, err := t.from.ReadStructBegin(t.ctx); err != nil {
		return err
	}
	if err := t.to.WriteStructBegin(t.ctx, ""); err != nil {
		return err
	}
	for {
		_, typ, id, err := t.from.ReadFieldBegin(t.ctx)
		if err != nil {
			return err
		}
		if typ == thrift.STOP {
			break
		}
		if err := t.to.WriteFieldBegin(t.ctx, "", typ, id); err != nil {
			return err
		}
		if err := t.copyValue(typ, depth-1); err != nil {
			return err
		}
	}
	return errors.Join(t.from.ReadStructEnd(t.ctx), t.to.WriteFieldStop(t.ctx), t.to.WriteStructEnd(t.ctx))
}

// copyValue copies one value. Every value passes through it, so it checks the
// limit.
func (t *transcoder) copyValue(typ thrift.TType, depth int) error {
	if t.out.Len() > t.most {
		return proto.ErrTooLarge
	}
	switch typ {
	case thrift.BOOL:
		return move(t, t.from.ReadBool, t.to.WriteBool)
	case thrift.BYTE:
		return move(t, t.from.ReadByte, t.to.WriteByte)
	case thrift.I16:
		return move(t, t.from.ReadI16, t.to.WriteI16)
	case thrift.I32:
		return move(t, t.from.ReadI32, t.to.WriteI32)
	case thrift.I64:
		return move(t, t.from.ReadI64, t.to.WriteI64)
	case thrift.DOUBLE:
		return move(t, t.from.ReadDouble, t.to.WriteDouble)
	case thrift.STRING:
		return move(t, t.from.ReadBinary, t.to.WriteBinary)
	case thrift.UUID:
		return move(t, t.from.ReadUUID, t.to.WriteUUID)
	case thrift.STRUCT:
		return t.copyStruct(depth)
	case thrift.LIST, thrift.SET:
		return t.copyList(typ, depth)
	case thrift.MAP:
		return t.copyMap(depth)
	}
	return fmt.Errorf("a value of type %d", typ)
}

func move[T any](t *transcoder, read func(context.Context) (T, error), write func(context.Context, T) error) error {
	v, err := read(t.ctx)
	if err != nil {
		return err
	}
	return write(t.ctx, v)
}

// copyList copies a list or a set, which are written alike.
func (t *transcoder) copyList(typ thrift.TType, depth int) error {
	if depth <= 0 {
		return errDepth
	}
	begin, write := t.from.ReadListBegin, t.to.WriteListBegin
	if typ == thrift.SET {
		begin, write = t.from.ReadSetBegin, t.to.WriteSetBegin
	}
	elem, n, err := begin(t.ctx)
	if err != nil {
		return err
	}
	if err := write(t.ctx, elem, n); err != nil {
		return err
	}
	for range n {
		if err := t.copyValue(elem, depth-1); err != nil {
			return err
		}
	}
	return nil
}

func (t *transcoder) copyMap(depth int) error {
	if depth <= 0 {
		return errDepth
	}
	key, value, n, err := t.from.ReadMapBegin(t.ctx)
	if err != nil {
		return err
	}
	if err := t.to.WriteMapBegin(t.ctx, key, value, n); err != nil {
		return err
	}
	for range n {
		if err := t.copyValue(key, depth-1); err != nil {
			return err
		}
		if err := t.copyValue(value, depth-1); err != nil {
			return err
		}
	}
	return nil
}
