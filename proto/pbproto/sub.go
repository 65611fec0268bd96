package pbproto

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/erpc-go/erpc/message"
	"github.com/erpc-go/erpc/proto"
	"github.com/erpc-go/erpc/xfer"
	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields of the sub-protocol. v7 has no status.
const (
	subSeq protowire.Number = 1 + iota
	subMtype
	subMethod
	subMeta
	subCodec
	subBody
	subFilters
	subStatus protowire.Number = 15
)

// NewSubProtoFunc returns a function that makes the protobuf sub-protocol of
// WebSocket connections: each message of the connection is
//
//	message payload {
//	  int32 seq = 1; int32 mtype = 2; string serviceMethod = 3; bytes meta = 4;
//	  int32 bodyCodec = 5; bytes body = 6; bytes xferPipe = 7;
//	  bytes status = 15; // ours: only if it is not OK
//	}
//
// The transfer filters apply to the body alone. erpc v7 sends no status over
// WebSocket and passes over ours. As with jsonproto.NewSubProtoFunc, each
// message has its length in front between the protocol and the connection.
func NewSubProtoFunc() proto.Func { return NewSub }

// NewSub returns the sub-protocol for one connection. It has no state.
func NewSub() proto.Proto { return sub{} }

type sub struct{}

func (sub) Version() (id byte, name string) { return 'P', "websocket-protobuf" }

func (sub) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start, pipe := len(dst), m.XferPipe()
	if pipe.Len() > math.MaxUint8 {
		return dst, ErrTooManyFilters
	}
	dst = appendInt(append(dst, 0, 0, 0, 0), subSeq, m.Seq())
	dst = appendInt(dst, subMtype, int32(m.Mtype()))
	if method := m.ServiceMethod(); method != "" {
		if !utf8.ValidString(method) {
			return dst, ErrMethodNotUTF8
		}
		dst = protowire.AppendString(appendTag(dst, subMethod, protowire.BytesType), method)
	}
	dst, at := beginBytes(dst, subMeta)
	dst = endBytes(m.Meta().AppendQuery(dst), at)
	dst = appendInt(dst, subCodec, int32(m.BodyCodec()))
	dst, at = beginBytes(dst, subBody)
	dst, err := m.AppendBody(dst)
	if err != nil {
		return dst, err
	}
	if pipe.Len() > 0 {
		b, err := pipe.OnPack(dst[at:])
		if err != nil {
			return dst, err
		}
		dst = append(dst[:at], b...)
	}
	dst = endBytes(dst, at)
	dst, at = beginBytes(dst, subFilters)
	dst = endBytes(pipe.AppendIDs(dst), at)
	if st := m.Status(); !st.OK() {
		dst, at = beginBytes(dst, subStatus)
		dst = endBytes(st.AppendQuery(dst), at)
	}
	if int64(len(dst)-start) > math.MaxUint32 {
		return dst, ErrFrameTooLong
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-prefix))
	return dst, nil
}

func (sub) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	head, err := proto.PeekHead(r, prefix)
	if err != nil {
		return err
	}
	size := prefix + int64(binary.BigEndian.Uint32(head))
	if size > int64(limit) {
		return fmt.Errorf("pbproto: a message of %d bytes: %w", size, proto.ErrTooLarge)
	}
	m.SetSize(uint32(size))
	if _, err := r.Discard(prefix); err != nil {
		return err
	}
	b, own, err := proto.ReadFrame(r, m, int(size)-prefix)
	if err != nil {
		return err
	}
	return parseSub(m, b, own, limit)
}

// parseSub fills m from a message. Without own, b is copied where m keeps it.
func parseSub(m *message.Message, b []byte, own bool, limit int) error {
	parts := map[protowire.Number][]byte{}
	for len(b) > 0 {
		field, t, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed("%w", protowire.ParseError(n))
		}
		b = b[n:]
		switch {
		case t == protowire.VarintType && (field <= subMtype || field == subCodec):
			var v uint64
			v, n = protowire.ConsumeVarint(b)
			if n >= 0 && !setSubInt(m, field, int32(v)) {
				return malformed("field %d is %d", field, int32(v))
			}
		case t == protowire.BytesType && (field <= subFilters || field == subStatus):
			parts[field], n = protowire.ConsumeBytes(b)
		default: // unknown, or of another type than it should be, which counts as unknown
			n = protowire.ConsumeFieldValue(field, t, b)
		}
		if n < 0 {
			return malformed("field %d: %w", field, protowire.ParseError(n))
		}
		b = b[n:]
	}
	if !utf8.Valid(parts[subMethod]) {
		return malformed("service method %.100q is not UTF-8", parts[subMethod])
	}
	m.SetServiceMethod(message.Intern(parts[subMethod]))
	st, err := message.ParseStatus(parts[subStatus])
	if err != nil {
		return malformed("%w", err)
	}
	m.SetStatus(st)
	if err := m.XferPipe().Append(parts[subFilters]...); err != nil {
		return fmt.Errorf("pbproto: %w: %w", proto.ErrMalformed, err)
	}
	meta, body := parts[subMeta], parts[subBody]
	if !own {
		s := m.Storage(len(meta) + len(body))
		n := copy(s, meta)
		copy(s[n:], body)
		meta, body = s[:n:n], s[n:]
	}
	m.Meta().SetQuery(meta)
	if m.XferPipe().Len() > 0 {
		body, err = m.XferPipe().OnUnpackLimit(body, limit)
		switch {
		case errors.Is(err, xfer.ErrTooLarge):
			return fmt.Errorf("pbproto: %w: %w", proto.ErrTooLarge, err)
		case err != nil:
			return fmt.Errorf("pbproto: %w: %w", proto.ErrMalformed, err)
		}
	}
	m.SetRaw(body)
	return nil
}

func setSubInt(m *message.Message, field protowire.Number, v int32) bool {
	if field == subCodec {
		field = codecField
	}
	return setInt(m, field, v)
}
