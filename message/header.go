package message

// A Header is everything that a router or a plugin needs before the body is
// decoded. Its zero value is an empty header. It is not safe for concurrent
// use.
type Header struct {
	mtype     byte
	bodyCodec byte
	seq       int32
	method    string
	status    *Status
	meta      Meta
}

// Seq returns the sequence number. A reply carries that of its call.
func (h *Header) Seq() int32 { return h.seq }

// SetSeq sets the sequence number.
func (h *Header) SetSeq(seq int32) { h.seq = seq }

// Mtype returns the kind of message, [TypeCall] for example.
func (h *Header) Mtype() byte { return h.mtype }

// SetMtype sets the kind of message.
func (h *Header) SetMtype(mtype byte) { h.mtype = mtype }

// ServiceMethod returns the name of the requested handler. On the wire a reply has
// none; the caller's session puts it back.
func (h *Header) ServiceMethod() string { return h.method }

// SetServiceMethod sets the name of the handler.
func (h *Header) SetServiceMethod(method string) { h.method = method }

// StatusOK reports whether the status is a success.
func (h *Header) StatusOK() bool { return h.status.OK() }

// Status returns the outcome that the message carries; nil is success.
func (h *Header) Status() *Status { return h.status }

// SetStatus sets the outcome. The message retains st, which must not be changed
// afterwards.
func (h *Header) SetStatus(st *Status) { h.status = st }

// Meta returns the metadata. It belongs to the message.
func (h *Header) Meta() *Meta { return &h.meta }

// BodyCodec returns the ID of the codec of the body, 0 for none.
func (h *Header) BodyCodec() byte { return h.bodyCodec }

// SetBodyCodec sets the ID of the codec of the body.
func (h *Header) SetBodyCodec(id byte) { h.bodyCodec = id }
