package pbproto

import (
	"bufio"
	"unicode/utf8"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
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

// NewSubProtoFunc returns the function that makes the protobuf sub-protocol of
// WebSocket connections, [NewSub]: each message of the connection is
//
//	message payload {
//	  int32 seq = 1; int32 mtype = 2; string serviceMethod = 3; bytes meta = 4;
//	  int32 bodyCodec = 5; bytes body = 6; bytes xferPipe = 7;
//	  bytes status = 15; // ours: only if it is not OK
//	}
//
// The transfer filters apply to the body alone. erpc v7 sends no status over
// WebSocket and ignores ours. As with jsonproto.NewSubProtoFunc, each message is
// preceded by its length between the protocol and the connection.
func NewSubProtoFunc() proto.Func { return NewSub }

// NewSub returns the sub-protocol for one connection. It has no state.
func NewSub() proto.Proto { return sub{} }

type sub struct{}

var subEnvelope = proto.Envelope{
	Name: "pbproto", Bare: true, Append: appendSub, Parse: parseSub, Identify: identify, IdentitySize: identitySize,
	ErrTooManyFilters: ErrTooManyFilters, ErrFrameTooLong: ErrFrameTooLong,
}

func (sub) Version() (id byte, name string) { return 'P', "websocket-protobuf" }

func (sub) Pack(dst []byte, m *message.Message) ([]byte, error) { return subEnvelope.Pack(dst, m) }

func (sub) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	return subEnvelope.Unpack(r, m, limit)
}

func appendSub(dst []byte, m *message.Message) ([]byte, error) {
	dst = appendInt(dst, subSeq, m.Seq())
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
	if err == nil {
		dst, err = proto.Filter(dst, at, m)
	}
	if err != nil {
		return dst, err
	}
	dst = endBytes(dst, at)
	dst, at = beginBytes(dst, subFilters)
	dst = endBytes(m.XferPipe().AppendIDs(dst), at)
	if st := m.Status(); !st.OK() {
		dst, at = beginBytes(dst, subStatus)
		dst = endBytes(st.AppendQuery(dst), at)
	}
	return dst, nil
}

// parseSub fills m from a message. Without own, the parts of b that m keeps are
// copied.
func parseSub(m *message.Message, b []byte, own bool, limit int) error {
	parts := map[protowire.Number][]byte{}
	for len(b) > 0 {
		field, t, n, err := consumeTag(b)
		if err != nil {
			return err
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
		default: // unknown, or of the wrong type, which counts as unknown
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
		return malformed("%w", err)
	}
	meta, body := parts[subMeta], parts[subBody]
	if !own {
		s := m.Storage(len(meta) + len(body))
		n := copy(s, meta)
		copy(s[n:], body)
		meta, body = s[:n:n], s[n:]
	}
	if err := m.Meta().ReadQuery(meta); err != nil {
		return malformed("%w", err)
	}
	body, err = proto.Unfilter("pbproto", m, body, limit)
	if err != nil {
		return err
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
