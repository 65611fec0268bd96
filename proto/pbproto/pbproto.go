package pbproto

import (
	"bufio"
	"errors"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// Errors of Pack. The message can't be written in this format, and nothing was
// written.
var (
	ErrTooManyFilters = errors.New("pbproto: more than 8 transfer filters")
	ErrFrameTooLong   = errors.New("pbproto: frame longer than 4 GiB")
	ErrMethodNotUTF8  = errors.New("pbproto: service method is not UTF-8")
)

var envelope = proto.Envelope{
	Name: "pbproto", Append: appendPayload, Parse: parse, Identify: identify, IdentitySize: identitySize,
	ErrTooManyFilters: ErrTooManyFilters, ErrFrameTooLong: ErrFrameTooLong,
}

// NewPbProtoFunc returns the function that makes the format for a connection:
// [New].
func NewPbProtoFunc() proto.Func { return New }

// New returns the format for one connection. It has no state.
func New() proto.Proto { return format{} }

type format struct{}

func (format) Version() (id byte, name string) { return 'p', "protobuf" }

func (format) Pack(dst []byte, m *message.Message) ([]byte, error) { return envelope.Pack(dst, m) }

func (format) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	return envelope.Unpack(r, m, limit)
}

func malformed(form string, args ...any) error { return proto.Malformed("pbproto", form, args...) }
