package message

// The kinds of message. The values are those of the wire.
const (
	TypeUndefined byte = 0
	TypeCall      byte = 1
	TypeReply     byte = 2
	TypePush      byte = 3
	TypeAuthCall  byte = 4
	TypeAuthReply byte = 5
)

// The frames of a stream. They are sent only to a side that has proven on this
// connection that it understands them; docs/wire.md describes them.
const (
	TypeStreamOpen   byte = 6  // opens a stream to a method
	TypeStreamData   byte = 7  // one message
	TypeStreamEnd    byte = 8  // the end of the stream, or of the opener's messages
	TypeStreamCredit byte = 9  // how many messages the receiving program has taken
	TypeStreamFull   byte = 10 // TypeStreamData that uses up the sender's window
)

// TypeText returns the name of a message type as in logs.
func TypeText(mtype byte) string {
	switch mtype {
	case TypeCall:
		return "CALL"
	case TypeReply:
		return "REPLY"
	case TypePush:
		return "PUSH"
	case TypeAuthCall:
		return "AUTH_CALL"
	case TypeAuthReply:
		return "AUTH_REPLY"
	case TypeStreamOpen:
		return "STREAM_OPEN"
	case TypeStreamData, TypeStreamFull:
		return "STREAM_DATA"
	case TypeStreamEnd:
		return "STREAM_END"
	case TypeStreamCredit:
		return "STREAM_CREDIT"
	}
	return "Undefined"
}
