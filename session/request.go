package session

import (
	"context"

	"github.com/goerpc/erpc/message"
)

// A request is a call or push as the caller asked for it, after its settings were
// applied. These run only once, on the goroutine of the caller. A call that is
// sent again is made from its request, and so is the result of [CallCmd.Output].
type request struct {
	method string
	body   any
	codec  byte
	ctx    context.Context // with the limits of the call; nil: none
	meta   *message.Meta   // nil: none
	pipe   []byte          // filters
	status *message.Status
}

func (r *request) context() context.Context {
	if r.ctx == nil {
		return context.Background()
	}
	return r.ctx
}

// record stores m, to which the settings were applied, in r.
func (r *request) record(m *message.Message) {
	r.method, r.body, r.codec, r.ctx, r.status = m.ServiceMethod(), m.Body(), m.BodyCodec(), m.Context(), m.Status()
	if m.Meta().Len() > 0 {
		r.meta = new(message.Meta)
		m.Meta().CopyTo(r.meta)
	}
	if m.XferPipe().Len() > 0 {
		r.pipe = m.XferPipe().IDs()
	}
}

// fill turns m, which is empty, into the message that r asks for.
func (r *request) fill(m *message.Message) {
	m.SetServiceMethod(r.method)
	m.SetBody(r.body)
	m.SetBodyCodec(r.codec)
	m.SetContext(r.ctx)
	m.SetStatus(r.status)
	if r.meta != nil {
		r.meta.CopyTo(m.Meta())
	}
	if len(r.pipe) > 0 {
		message.WithXferPipe(r.pipe...)(m)
	}
}
