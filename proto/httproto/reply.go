package httproto

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/goerpc/erpc/internal/wire"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/httproto/httpgate"
)

// readReply reads what follows the status line. size is the length of the head.
func (f *format) readReply(r *bufio.Reader, m *message.Message, line, rest []byte, size, limit int) (got bool, err error) {
	ver, line, ok := bytes.Cut(line, []byte{' '})
	code, text, _ := bytes.Cut(line, []byte{' '})
	if !ok || len(code) != 3 || !isDigit(code[0]) || !isDigit(code[1]) || !isDigit(code[2]) || code[0] == '0' {
		return false, malformed("no status line")
	}
	v, err := parseVersion(ver)
	if err != nil {
		return false, err
	}
	status := int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	h := &f.h
	if err := h.parse(rest, true); err != nil {
		return false, err
	}
	if err := h.check(v); err != nil {
		return false, err
	}
	switch {
	case status == 101:
		return false, malformed("a switch of protocols that nobody has asked for")
	case status == statusProcessing && h.mtype >= 0:
		return f.readControl(m)
	case status < 200:
		return false, nil
	}
	if err := f.beginReply(m); err != nil {
		return false, err
	}
	reason := string(text)
	id, _ := httpgate.CodecOf(h.contentType)
	isJSON := bytes.Contains(h.contentType, []byte("json"))
	h.fill(m.Meta(), &f.text)
	h.keep()
	numbered := h.mtype >= 0
	last := h.close || v == http10 && !h.persist
	var b []byte
	if status != statusNoContent && status != statusNotModified {
		last = last || !numbered && h.length < 0 && !h.chunked
		b, err = f.readBody(r, m, h, size, limit, !numbered)
		if err != nil {
			return false, err
		}
		b, err = h.decode(m, b, limit)
		if err != nil {
			return false, err
		}
	}
	m.SetSize(max(m.Size(), uint32(size)))
	f.print(false, b)
	f.ended.Store(last)
	switch {
	case numbered && status == statusAccepted: // a push was accepted
		return false, nil
	case status == statusOK, !numbered && status < 300:
		m.SetBodyCodec(id)
		m.SetRaw(b)
	case numbered && status == statusBusiness:
		st := new(message.Status)
		if err := json.Unmarshal(b, st); err != nil {
			return false, malformed("a status that can't be read: %v", err)
		}
		if st.OK() { // it is still an error
			st.SetCode(message.CodeUnknownError)
		}
		m.SetStatus(st)
	default:
		m.SetStatus(statusOfReply(status, reason, b, isJSON))
	}
	return true, nil
}

// readControl makes a control message of an interim response, in which servers
// send them.
func (f *format) readControl(m *message.Message) (got bool, err error) {
	h := &f.h
	h.fill(m.Meta(), &f.text)
	method, hello := m.Meta().Get(headerControl), m.Meta().Get(wire.MetaHello)
	if method == "" || byte(h.mtype) != message.TypePush {
		return false, nil
	}
	f.asked.known()
	m.Meta().Reset()
	if hello != "" {
		m.Meta().Set(wire.MetaHello, hello)
	}
	m.SetMtype(message.TypePush)
	m.SetSeq(h.seq)
	m.SetServiceMethod(wire.ControlPrefix + method)
	return true, nil
}

// beginReply sets the type and sequence number of a reply.
func (f *format) beginReply(m *message.Message) error {
	h := &f.h
	if h.mtype < 0 {
		seq, err := f.asked.next()
		if err != nil {
			return malformed("%v", err)
		}
		m.SetMtype(message.TypeReply)
		m.SetSeq(seq)
		return nil
	}
	switch mtype := byte(h.mtype); mtype {
	case message.TypeReply, message.TypeAuthReply:
		m.SetMtype(mtype)
	default:
		return malformed("a reply with the X-Mtype %d", h.mtype)
	}
	m.SetSeq(h.seq)
	f.asked.answered(h.seq)
	return nil
}

// maxCause is how many bytes of a page are kept as the cause of a status.
const maxCause = 512

// statusOfReply returns the status of a reply from a server that does not know
// erpc: its body if that is a status, else one made from the HTTP status.
func statusOfReply(code int, reason string, b []byte, isJSON bool) *message.Status {
	if isJSON {
		if st := new(message.Status); json.Unmarshal(b, st) == nil && !st.OK() {
			return st
		}
	}
	if reason == "" {
		reason = fmt.Sprintf("HTTP status %d", code)
	}
	if len(b) == 0 {
		return message.NewStatus(int32(code), reason)
	}
	return message.NewStatus(int32(code), reason, string(bytes.ToValidUTF8(b[:min(len(b), maxCause)], nil)))
}
