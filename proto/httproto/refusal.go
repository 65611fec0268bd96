package httproto

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// A refusal is why a message can't be read, and its HTTP status.
type refusal struct {
	status int // of HTTP
	what   string
	err    error // proto.ErrMalformed or proto.ErrTooLarge
}

func (e *refusal) Error() string { return fmt.Sprintf("httproto: %v: %s", e.err, e.what) }
func (e *refusal) Unwrap() error { return e.err }

func malformed(form string, args ...any) error { return refuse(statusBadRequest, form, args...) }

// refuse is malformed with a more specific HTTP status.
func refuse(status int, form string, args ...any) error {
	return &refusal{status, fmt.Sprintf(form, args...), proto.ErrMalformed}
}

func tooLarge(status int, form string, args ...any) error {
	return &refusal{status, fmt.Sprintf(form, args...), proto.ErrTooLarge}
}

// AppendRefusal implements [proto.Refuser]: a request that can't be read is
// answered before the connection is closed. A reply is not.
func (f *format) AppendRefusal(dst []byte, err error) []byte {
	if f.now.reply {
		return dst
	}
	var e *refusal
	if !errors.As(err, &e) {
		return dst
	}
	code := message.CodeBadMessage
	if errors.Is(err, proto.ErrTooLarge) {
		code = message.CodeTooLarge
	}
	m := message.New(message.WithStatus(message.NewStatus(code, message.CodeText(code), e.what)))
	m.SetMtype(message.TypeReply)
	m.SetSeq(f.now.seq)
	out, packErr := dst, error(nil)
	if f.now.numbered {
		out, packErr = f.packPeerReply(dst, m)
	} else {
		out, packErr = f.packRefusal(dst, m, e.status)
	}
	if packErr != nil { // can't happen: a status without a body
		return dst
	}
	return out
}

// packRefusal packs the answer to a request that did not come from an erpc peer.
// It is the last one on the connection.
func (f *format) packRefusal(dst []byte, m *message.Message, status int) ([]byte, error) {
	start := len(dst)
	dst, err := appendStatus(dst, m.Status())
	if err != nil {
		return dst, err
	}
	p := packers.Get().(*packer)
	defer p.free()
	p.add("Connection", "close")
	p.add("Content-Length", strconv.Itoa(len(dst)-start))
	p.add("Content-Type", "application/json")
	p.add("Date", time.Now().UTC().Format(http.TimeFormat))
	return p.place(dst, start, "HTTP/1.1 ", strconv.Itoa(status), " ", http.StatusText(status)), nil
}

// HTTP statuses that the protocol itself reads or sends.
const (
	statusProcessing      = 102 // a control message of erpc
	statusOK              = 200
	statusAccepted        = 202
	statusNoContent       = 204
	statusBusiness        = 299 // erpc: the body is the status
	statusNotModified     = 304
	statusBadRequest      = 400
	statusTooLarge        = 413
	statusTargetTooLong   = 414
	statusUnsupportedType = 415
	statusMisdirected     = 421
	statusHeadTooLarge    = 431
	statusNotImplemented  = 501
	statusVersion         = 505
)
