package httproto

import (
	"errors"
	"fmt"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// A refusal is why a message can't be read, and how that is said in HTTP.
type refusal struct {
	status int // of HTTP
	what   string
	err    error // proto.ErrMalformed or proto.ErrTooLarge
}

func (e *refusal) Error() string { return fmt.Sprintf("httproto: %v: %s", e.err, e.what) }
func (e *refusal) Unwrap() error { return e.err }

func malformed(form string, args ...any) error { return refuse(statusBadRequest, form, args...) }

// refuse is malformed with a status of HTTP that says more.
func refuse(status int, form string, args ...any) error {
	return &refusal{status, fmt.Sprintf(form, args...), proto.ErrMalformed}
}

func tooLarge(status int, form string, args ...any) error {
	return &refusal{status, fmt.Sprintf(form, args...), proto.ErrTooLarge}
}

// AppendRefusal implements [proto.Refuser]: a request that can't be read is
// answered before the connection is closed. A reply that can't be is not.
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
	var out []byte
	var packErr error
	if f.now.numbered {
		out, packErr = f.packPeerReply(dst, m)
	} else {
		t := f.now.turn
		t.close = true
		out, packErr = f.packTurn(dst, m, &t, e.status)
	}
	if packErr != nil { // a status without a body that could fail
		return dst
	}
	return out
}

// Statuses of HTTP that the protocol itself gives.
const (
	statusOK                = 200
	statusAccepted          = 202
	statusNoContent         = 204
	statusBusiness          = 299 // erpc: the body is the status
	statusNotModified       = 304
	statusBadRequest        = 400
	statusMethodNotAllowed  = 405
	statusTooLarge          = 413
	statusTargetTooLong     = 414
	statusUnsupportedType   = 415
	statusExpectationFailed = 417
	statusHeadTooLarge      = 431
	statusInternal          = 500
	statusNotImplemented    = 501
	statusVersion           = 505
)

// statusOf returns the status of HTTP that a code of erpc is for a client that
// knows no erpc: codes that are one stand for themselves, any other is a
// failure of the handler.
func statusOf(code int32) int {
	if code >= 400 && code <= 599 {
		return int(code)
	}
	return statusInternal
}

// reasons are the texts of statuses.
var reasons = map[int]string{
	statusOK:                "OK",
	statusAccepted:          "Accepted",
	statusNoContent:         "No Content",
	statusBusiness:          "Business Error",
	statusBadRequest:        "Bad Request",
	401:                     "Unauthorized",
	403:                     "Forbidden",
	404:                     "Not Found",
	statusMethodNotAllowed:  "Method Not Allowed",
	408:                     "Request Timeout",
	409:                     "Conflict",
	410:                     "Gone",
	statusTooLarge:          "Content Too Large",
	statusTargetTooLong:     "URI Too Long",
	statusUnsupportedType:   "Unsupported Media Type",
	statusExpectationFailed: "Expectation Failed",
	422:                     "Unprocessable Content",
	429:                     "Too Many Requests",
	statusHeadTooLarge:      "Request Header Fields Too Large",
	499:                     "Client Closed Request",
	statusInternal:          "Internal Server Error",
	statusNotImplemented:    "Not Implemented",
	502:                     "Bad Gateway",
	503:                     "Service Unavailable",
	504:                     "Gateway Timeout",
	statusVersion:           "HTTP Version Not Supported",
}

func reason(status int) string {
	if text := reasons[status]; text != "" {
		return text
	}
	return "Status"
}
