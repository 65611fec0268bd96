package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A kind says what an envelope asks of the receiving node.
type kind byte

const (
	kindPush   kind = 1 + iota // push body to the sessions behind the subject
	kindAck                    // answer to a push: how many sessions it was queued for
	kindCall                   // call a session
	kindCancel                 // cancel the call with that id
	kindReply                  // answer to a call
	kindHello                  // the node is new or connected again: answer with a beat
	kindBeat                   // the node is alive; body is its announcement, as in a hello, and id numbers the beats to all
	kindBye                    // the node leaves
	kindPing                   // answer with a pong
	kindPong
	kindAsk    // count says what it asks for
	kindTell   // a part of the answer
	kindEnd    // the last part of the answer
	kindWho    // asks for a beat; the sender is not a node
	kindChange // body is a Change, in JSON
	kindMax
)

func (k kind) String() string {
	names := [kindMax]string{"", "push", "ack", "call", "cancel", "reply", "hello", "beat", "bye", "ping", "pong", "ask", "tell", "end", "who", "change"}
	if k == 0 || k >= kindMax {
		return fmt.Sprintf("kind %d", byte(k))
	}
	return names[k]
}

// An envelope is one message between nodes.
type envelope struct {
	kind    kind
	codec   byte
	code    int32 // of the status of a reply
	id      uint64
	count   uint64 // of sessions, milliseconds of a call, or changes of what is announced
	node    string // of the sender
	session string // id of the receiving session, or the name of a room
	except  string // address of a session to leave out
	method  string
	text    string // of the status of a reply
	meta    string // encoded as a query
	body    []byte
}

// envelopeVersion is the first byte of every envelope.
const envelopeVersion = 1

// overhead is the maximum size of an envelope without its strings and body.
const overhead = 1 + 2 + 3*binary.MaxVarintLen64 + 6*binary.MaxVarintLen64

func (e *envelope) size() int {
	return overhead + len(e.node) + len(e.session) + len(e.except) + len(e.method) + len(e.text) + len(e.meta) + len(e.body)
}

func (e *envelope) encode() []byte {
	b := append(make([]byte, 0, e.size()), envelopeVersion, byte(e.kind), e.codec)
	b = binary.AppendVarint(b, int64(e.code))
	b = binary.AppendUvarint(b, e.id)
	b = binary.AppendUvarint(b, e.count)
	for _, s := range []string{e.node, e.session, e.except, e.method, e.text, e.meta} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return append(b, e.body...)
}

var errEnvelope = errors.New("cluster: malformed envelope")

// decode decodes an envelope. Its body aliases b.
func decode(b []byte) (*envelope, error) {
	if len(b) < 3 || b[0] != envelopeVersion || kind(b[1]) == 0 || kind(b[1]) >= kindMax {
		return nil, errEnvelope
	}
	e := &envelope{kind: kind(b[1]), codec: b[2]}
	b = b[3:]
	code, n := binary.Varint(b)
	if n <= 0 || code != int64(int32(code)) {
		return nil, errEnvelope
	}
	e.code, b = int32(code), b[n:]
	for _, v := range []*uint64{&e.id, &e.count} {
		x, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errEnvelope
		}
		*v, b = x, b[n:]
	}
	for _, s := range []*string{&e.node, &e.session, &e.except, &e.method, &e.text, &e.meta} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errEnvelope
		}
		*s, b = string(b[n:n+int(size)]), b[n+int(size):]
	}
	e.body = b
	return e, nil
}
