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

// TypeText returns the name of a message type as it stands in logs.
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
	}
	return "Undefined"
}
