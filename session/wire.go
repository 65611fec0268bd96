package session

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// The constants in this file are on the wire: never change them. docs/wire.md
// describes the conversations that they belong to.
const (
	// MetaTimeout is the key of the metadata that carries the caller's deadline:
	// how many milliseconds are left, in decimal, or 0 for a call that has none
	// but can be cancelled. erpc v7 ignores it.
	MetaTimeout = "X-Erpc-Timeout"

	// metaHello names the sequence number of the message that it comes with: of
	// the first call on a connection that has MetaTimeout, and of the hello that
	// answers it. What stands behind a space is for later versions.
	metaHello = "X-Erpc-Hello"

	// metaRefused names, in a reply that failed, the sequence number of a call
	// that was not executed.
	metaRefused = "X-Erpc-Refused"

	// Control messages are PUSHes between two erpc peers that are not for
	// handlers. The sequence number of cancel is that of the call, that of hello
	// the one of the call that it answers.
	controlPrefix = "/erpc.control/"
	controlHello  = controlPrefix + "hello"
	controlCancel = controlPrefix + "cancel" // nobody waits for the reply any more
	controlGoAway = controlPrefix + "goaway" // new calls will be refused
	controlBye    = controlPrefix + "bye"    // the answer to that: no more calls come
	controlEnd    = controlPrefix + "end"    // the session is closed; metaEnd says why
	controlDrain  = controlPrefix + "drain"  // one stream should end soon; its number is that of frames
)

// metaEnd is what a controlEnd message carries: "1" if the other side may connect
// again, else "0", then the code, then the text, with a space between each two.
const metaEnd = "X-Erpc-End"

// The call that asks for what the other side can do, and what it and its reply
// carry: version "." bits "." sequence number, in decimal.
const (
	controlCaps = controlPrefix + "caps"
	metaCaps    = "X-Erpc-Caps"
)

// Sequence numbers of a proof are drawn from here: those of a side that counts its
// calls stay below.
const (
	minProofSeq = 1 << 24
	maxProofSeq = 1 << 30
)

// Reserved reports whether a service method is one of those of erpc's own
// messages, which reach no handler.
func Reserved(method string) bool { return isControl(method) }

func isControl(method string) bool { return strings.HasPrefix(method, controlPrefix) }

// drawSeq returns a sequence number for a proof.
func drawSeq() int32 { return minProofSeq + rand.Int32N(maxProofSeq-minProofSeq) }

// namesSeq reports whether value, of metaHello or metaRefused, names seq.
func namesSeq(value []byte, seq int32) bool {
	if len(value) == 0 || len(value) > 64 {
		return false
	}
	text, _, _ := strings.Cut(string(value), " ")
	n, err := strconv.ParseInt(text, 10, 32)
	return err == nil && int32(n) == seq && seq > 0
}

func seqText(seq int32) string { return strconv.FormatInt(int64(seq), 10) }
