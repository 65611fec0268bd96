package jsonproto

import (
	"bufio"
	"bytes"
	"math"
	"strconv"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/xfer"
)

// NewSubProtoFunc returns the function that makes the JSON sub-protocol of
// WebSocket connections, [NewSub]: each message of the connection is an object
// like that of [New], without a status and with the IDs of the transfer filters,
// which apply to the body alone:
//
//	{"seq":1,"mtype":1,"serviceMethod":"/a","meta":"k=v","bodyCodec":106,"body":"…","xferPipe":[]}
//
// erpc v7 sends no status over WebSocket, so there a failed call looks like a
// success. Here a status that is not OK follows as a member "status", which v7
// ignores.
//
// Between the protocol and the connection each object is preceded by its length, a
// big-endian uint32 that excludes itself. Package socket/websocket removes it,
// because a WebSocket message has its own length.
func NewSubProtoFunc() proto.Func { return NewSub }

// NewSub returns the sub-protocol for one connection. It has no state.
func NewSub() proto.Proto { return sub{} }

type sub struct{}

var subEnvelope = proto.Envelope{
	Name: "jsonproto", Bare: true, Append: appendSub, Parse: parseSub, Identify: identify, IdentitySize: identitySize,
	ErrTooManyFilters: ErrTooManyFilters, ErrFrameTooLong: ErrFrameTooLong,
}

func (sub) Version() (id byte, name string) { return 'J', "websocket-json" }

func (sub) Pack(dst []byte, m *message.Message) ([]byte, error) { return subEnvelope.Pack(dst, m) }

func (sub) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	return subEnvelope.Unpack(r, m, limit)
}

func appendSub(dst []byte, m *message.Message) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, `{"seq":`...), int64(m.Seq()), 10)
	dst = strconv.AppendUint(append(dst, `,"mtype":`...), uint64(m.Mtype()), 10)
	dst = appendMethod(append(dst, `,"serviceMethod":"`...), m.ServiceMethod())
	dst = append(dst, `","meta":"`...)
	at := len(dst)
	dst = escapeFrom(m.Meta().AppendQuery(dst), at)
	dst = strconv.AppendUint(append(dst, `","bodyCodec":`...), uint64(m.BodyCodec()), 10)
	dst = append(dst, `,"body":"`...)
	at = len(dst)
	dst, err := m.AppendBody(dst)
	if err == nil {
		dst, err = proto.Filter(dst, at, m)
	}
	if err != nil {
		return dst, err
	}
	dst = append(escapeFrom(dst, at), `","xferPipe":[`...)
	for i, id := range m.XferPipe().IDs() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(id), 10)
	}
	dst = append(dst, ']')
	if st := m.Status(); !st.OK() {
		dst = append(st.AppendQuery(append(dst, `,"status":"`...)), '"')
	}
	return append(dst, '}'), nil
}

func parseSub(m *message.Message, b []byte, own bool, limit int) error {
	var ids []byte
	if err := parseInto(m, parser{b: b, ids: &ids}, own); err != nil {
		return err
	}
	if err := m.XferPipe().Append(ids...); err != nil {
		return malformed("%w", err)
	}
	body, err := proto.Unfilter("jsonproto", m, m.Raw(), limit)
	if err != nil {
		return err
	}
	m.SetRaw(body)
	return nil
}

// subBody parses the body of the sub-protocol, the string t that begins at at. In
// a body v7 escapes only quotes, so its string may seem to end too early. Then it
// ends in front of the filters, which v7 writes last.
func (p *parser) subBody(at int, t text, err error) (text, error) {
	const behind = `","xferPipe":`
	if err == nil {
		next := *p
		next.space()
		if next.literal(",") || next.literal("}") {
			return t, nil
		}
		err = next.unexpected()
	}
	end := bytes.LastIndex(p.b, []byte(behind))
	if end <= at {
		return text{}, err
	}
	p.i = end + 1
	return text{b: p.b[at+1 : end : end], escaped: true, rule: openBody}, nil
}

// filters consumes a list of filter IDs, or null.
func (p *parser) filters() error {
	if p.literal("null") {
		return nil
	}
	if !p.literal("[") {
		return p.unexpected()
	}
	*p.ids = (*p.ids)[:0]
	p.space()
	if p.literal("]") {
		return nil
	}
	for {
		p.space()
		id, err := p.integer(0, math.MaxUint8)
		if err != nil {
			return err
		}
		if len(*p.ids) == xfer.MaxFilters {
			return malformed("more than %d transfer filters", xfer.MaxFilters)
		}
		*p.ids = append(*p.ids, byte(id))
		p.space()
		switch {
		case p.literal("]"):
			return nil
		case !p.literal(","):
			return p.unexpected()
		}
	}
}
