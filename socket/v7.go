package socket

import (
	"context"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// These names let programs written for erpc v7, whose package socket has the
// message and its settings, compile. New programs do not need them: the root
// package has the same names.
type (
	// Message is [message.Message].
	Message = *message.Message
	// Header is [message.Header].
	Header = *message.Header
	// Status is [message.Status].
	Status = message.Status
	// MessageSetting is [message.Setting].
	MessageSetting = message.Setting
	// NewBodyFunc is [message.NewBodyFunc].
	NewBodyFunc = message.NewBodyFunc
	// Proto is [proto.Proto].
	Proto = proto.Proto
	// ProtoFunc is [proto.Func].
	ProtoFunc = proto.Func
)

// NewMessage is [message.New].
func NewMessage(settings ...MessageSetting) Message { return message.New(settings...) }

// GetMessage is [message.New]. Messages do not come from a pool.
func GetMessage(settings ...MessageSetting) Message { return message.New(settings...) }

// PutMessage does nothing: no message has to be given back.
func PutMessage(Message) {}

// NewStatus is [message.NewStatus].
func NewStatus(code int32, msg string, cause ...any) *Status {
	return message.NewStatus(code, msg, cause...)
}

// NewStatusWithStack is [message.NewStatusWithStack].
func NewStatusWithStack(code int32, msg string, cause ...any) *Status {
	return message.NewStatusWithStack(code, msg, cause...)
}

// WithNothing is [message.WithNothing].
func WithNothing() MessageSetting { return message.WithNothing() }

// WithContext is [message.WithContext].
func WithContext(ctx context.Context) MessageSetting { return message.WithContext(ctx) }

// WithServiceMethod is [message.WithServiceMethod].
func WithServiceMethod(method string) MessageSetting { return message.WithServiceMethod(method) }

// WithStatus is [message.WithStatus].
func WithStatus(st *Status) MessageSetting { return message.WithStatus(st) }

// WithAddMeta is [message.WithAddMeta].
func WithAddMeta(key, value string) MessageSetting { return message.WithAddMeta(key, value) }

// WithSetMeta is [message.WithSetMeta].
func WithSetMeta(key, value string) MessageSetting { return message.WithSetMeta(key, value) }

// WithDelMeta is [message.WithDelMeta].
func WithDelMeta(key string) MessageSetting { return message.WithDelMeta(key) }

// WithBodyCodec is [message.WithBodyCodec].
func WithBodyCodec(id byte) MessageSetting { return message.WithBodyCodec(id) }

// WithBody is [message.WithBody].
func WithBody(body any) MessageSetting { return message.WithBody(body) }

// WithNewBody is [message.WithNewBody].
func WithNewBody(f NewBodyFunc) MessageSetting { return message.WithNewBody(f) }

// WithXferPipe is [message.WithXferPipe].
func WithXferPipe(ids ...byte) MessageSetting { return message.WithXferPipe(ids...) }
