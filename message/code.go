package message

// Status codes of the framework. Applications should use codes above 1000.
// 1xx are about the connection, 4xx about the message, 5xx about the receiver.
const (
	CodeUnknownError        int32 = -1
	CodeOK                  int32 = 0
	CodeInvalidOp           int32 = 1
	CodeWrongConn           int32 = 100
	CodeConnClosed          int32 = 102
	CodeWriteFailed         int32 = 104
	CodeDialFailed          int32 = 105
	CodeBadMessage          int32 = 400
	CodeUnauthorized        int32 = 401
	CodeNotFound            int32 = 404
	CodeMtypeNotAllowed     int32 = 405
	CodeHandleTimeout       int32 = 408
	CodeTooLarge            int32 = 413 // ours: a message above a limit
	CodeUnsupportedCodec    int32 = 415 // ours: the receiver does not decode bodies in that codec
	CodeExhausted           int32 = 429 // ours: too many handlers in flight, or a full queue; not executed
	CodeCanceled            int32 = 499 // ours: the caller's context was cancelled
	CodeInternalServerError int32 = 500
	CodeBadGateway          int32 = 502
	CodeShuttingDown        int32 = 503 // ours: the receiver is going away; not executed, safe to retry elsewhere
)

// CodeText returns the text of a framework code, and "Unknown Error" for any other
// code.
func CodeText(code int32) string {
	switch code {
	case CodeOK:
		return ""
	case CodeInvalidOp:
		return "Invalid Operation"
	case CodeWrongConn:
		return "Wrong Connection"
	case CodeConnClosed:
		return "Connection Closed"
	case CodeWriteFailed:
		return "Write Failed"
	case CodeDialFailed:
		return "Dial Failed"
	case CodeBadMessage:
		return "Bad Message"
	case CodeUnauthorized:
		return "Unauthorized"
	case CodeNotFound:
		return "Not Found"
	case CodeMtypeNotAllowed:
		return "Message Type Not Allowed"
	case CodeHandleTimeout:
		return "Handle Timeout"
	case CodeTooLarge:
		return "Message Too Large"
	case CodeUnsupportedCodec:
		return "Unsupported Body Codec"
	case CodeExhausted:
		return "Exhausted"
	case CodeCanceled:
		return "Canceled"
	case CodeInternalServerError:
		return "Internal Server Error"
	case CodeBadGateway:
		return "Bad Gateway"
	case CodeShuttingDown:
		return "Shutting Down"
	}
	return "Unknown Error"
}

// IsConnError reports whether the connection failed: it could not be made, or it
// is gone.
func IsConnError(st *Status) bool {
	return st != nil && (st.code == CodeDialFailed || st.code == CodeConnClosed)
}
