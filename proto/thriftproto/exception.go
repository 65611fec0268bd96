package thriftproto

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/message"
)

// memory returns thrift's binary or compact protocol over a buffer. No string or
// container may announce more than most bytes.
func memory(buf *bytes.Buffer, compact bool, most int) thrift.TProtocol {
	n := int32(min(max(most, 1), math.MaxInt32)) // thrift takes 0 for its default
	cfg := &thrift.TConfiguration{MaxMessageSize: n, MaxFrameSize: n}
	if compact {
		return thrift.NewTCompactProtocolConf(&thrift.TMemoryBuffer{Buffer: buf}, cfg)
	}
	return thrift.NewTBinaryProtocolConf(&thrift.TMemoryBuffer{Buffer: buf}, cfg)
}

// exceptionReply makes m a failed reply from b, a TApplicationException in
// thrift's binary protocol.
func exceptionReply(m *message.Message, b []byte) error {
	e := thrift.NewTApplicationException(thrift.UNKNOWN_APPLICATION_EXCEPTION, "")
	if err := e.Read(context.Background(), memory(bytes.NewBuffer(b), false, len(b))); err != nil {
		return malformed("an exception: %w", err)
	}
	code := message.CodeInternalServerError
	switch e.TypeId() {
	case thrift.UNKNOWN_METHOD:
		code = message.CodeNotFound
	case thrift.INVALID_MESSAGE_TYPE_EXCEPTION:
		code = message.CodeMtypeNotAllowed
	case thrift.PROTOCOL_ERROR:
		code = message.CodeBadMessage
	}
	m.SetStatus(message.NewStatus(code, message.CodeText(code), e.Error()))
	return nil
}

// appendException appends st as a TApplicationException in thrift's binary
// protocol.
func appendException(dst []byte, st *message.Status, method string) ([]byte, error) {
	kind := int32(thrift.INTERNAL_ERROR)
	switch st.Code() {
	case message.CodeNotFound:
		kind = thrift.UNKNOWN_METHOD
	case message.CodeMtypeNotAllowed:
		kind = thrift.INVALID_MESSAGE_TYPE_EXCEPTION
	case message.CodeBadMessage, message.CodeTooLarge:
		kind = thrift.PROTOCOL_ERROR
	}
	buf := bytes.NewBuffer(dst)
	err := thrift.NewTApplicationException(kind, exceptionText(st, method)).Write(context.Background(), memory(buf, false, math.MaxInt32))
	return buf.Bytes(), err
}

// exceptionText returns the text of an exception, which is all that a stock client
// gets besides the type. Many clients require UTF-8.
func exceptionText(st *message.Status, method string) string {
	text := st.Msg()
	if text == "" {
		text = message.CodeText(st.Code())
	}
	if err := st.Cause(); err != nil && err.Error() != "" {
		text += ": " + err.Error()
	} else if st.Code() == message.CodeNotFound {
		text = fmt.Sprintf("unknown method %q", method)
	}
	return strings.ToValidUTF8(fmt.Sprintf("%s (code %d)", text, st.Code()), "\uFFFD")
}
