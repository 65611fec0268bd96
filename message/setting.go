package message

import (
	"context"
	"strconv"

	"github.com/goerpc/erpc/codec"
)

// Keys of metadata that the framework itself reads.
const (
	// MetaRealIP carries the address of the original caller through proxies.
	MetaRealIP = "X-Real-IP"
	// MetaAcceptBodyCodec carries the codec ID, in decimal, that the caller
	// wants the reply in.
	MetaAcceptBodyCodec = "X-Accept-Body-Codec"
)

// A Setting adjusts one outgoing message. Settings run in order, on the goroutine
// that sends.
type Setting = func(*Message)

// WithNothing changes nothing. It is useful where a setting is chosen
// conditionally.
func WithNothing() Setting { return func(*Message) {} }

// WithContext bounds the exchange by ctx: how long to wait for room in the
// outgoing queue and for the reply. Its deadline travels to the other side.
func WithContext(ctx context.Context) Setting { return func(m *Message) { m.ctx = ctx } }

// WithServiceMethod sets the service method.
func WithServiceMethod(method string) Setting { return func(m *Message) { m.method = method } }

// WithStatus sets the status that the message carries.
func WithStatus(st *Status) Setting { return func(m *Message) { m.status = st } }

// WithAddMeta adds an entry of metadata; a key may have several.
func WithAddMeta(key, value string) Setting { return func(m *Message) { m.meta.Add(key, value) } }

// WithSetMeta sets an entry of metadata and replaces the first one with that key.
func WithSetMeta(key, value string) Setting { return func(m *Message) { m.meta.Set(key, value) } }

// WithDelMeta deletes every entry of metadata with that key.
func WithDelMeta(key string) Setting { return func(m *Message) { m.meta.Del(key) } }

// WithRealIP adds the address of the original caller to the metadata.
func WithRealIP(ip string) Setting { return WithAddMeta(MetaRealIP, ip) }

// WithBodyCodec sets the codec of the body by its ID.
func WithBodyCodec(id byte) Setting { return func(m *Message) { m.bodyCodec = id } }

// WithAcceptBodyCodec asks for a reply in the codec with that ID. A receiver that
// does not know it ignores that.
func WithAcceptBodyCodec(id byte) Setting {
	if id == codec.NilCodecID {
		return WithNothing()
	}
	return WithAddMeta(MetaAcceptBodyCodec, strconv.Itoa(int(id)))
}

// AcceptBodyCodec returns the codec that the sender of the metadata wants the
// reply in.
func AcceptBodyCodec(meta *Meta) (id byte, ok bool) {
	if meta.Len() == 0 {
		return 0, false
	}
	v := meta.Peek(MetaAcceptBodyCodec)
	if len(v) == 0 { // most calls have none, and ParseUint would allocate an error
		return 0, false
	}
	n, err := strconv.ParseUint(string(v), 10, 8)
	return byte(n), err == nil && n != 0
}

// WithBody sets the value of the body.
func WithBody(body any) Setting { return func(m *Message) { m.body = body } }

// WithNewBody sets the function that makes the value to decode into.
func WithNewBody(f NewBodyFunc) Setting { return func(m *Message) { m.newBody = f } }

// WithXferPipe appends transfer filters by ID, outermost first. Sending fails with
// an error if an ID is not registered.
func WithXferPipe(ids ...byte) Setting {
	return func(m *Message) {
		if err := m.pipe.Append(ids...); err != nil {
			m.fail(err)
		}
	}
}

// WithMessage copies everything that was set in src, so that settings that must
// run only once can serve a message that is sent later, or several times. src must
// not be changed meanwhile.
func WithMessage(src *Message) Setting {
	return func(m *Message) {
		m.method, m.status, m.bodyCodec = src.method, src.status, src.bodyCodec
		m.ctx, m.body, m.newBody = src.ctx, src.body, src.newBody
		src.meta.CopyTo(&m.meta)
		m.pipe.Reset()
		m.pipe.AppendFrom(&src.pipe)
		if src.fault != nil {
			m.fail(src.fault)
		}
	}
}
