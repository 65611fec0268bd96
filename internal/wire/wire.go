// Package wire has the names and numbers by which two erpc peers know each other's
// own messages from those of their programs. They are on the wire: never change them.
// docs/wire.md describes the conversations that they belong to.
package wire

import "math/rand/v2"

// Control messages are PUSHes between two erpc peers that are not for handlers. The
// sequence number of cancel is that of the call, that of hello the one of the call
// that it answers.
const (
	ControlPrefix = "/erpc.control/"
	ControlHello  = ControlPrefix + "hello"
	ControlCancel = ControlPrefix + "cancel" // nobody waits for the reply any more
	ControlGoAway = ControlPrefix + "goaway" // new calls will be refused
	ControlBye    = ControlPrefix + "bye"    // the answer to that: no more calls come
	ControlEnd    = ControlPrefix + "end"    // the session is closed; MetaEnd says why
	ControlDrain  = ControlPrefix + "drain"  // one stream should end soon; its number is that of frames
	ControlCaps   = ControlPrefix + "caps"   // a CALL: what can the other side do?
)

// Keys of metadata.
const (
	// MetaTimeout carries the caller's deadline: how many milliseconds are left, in
	// decimal, or 0 for a call that has none but can be cancelled. erpc v7 ignores it.
	MetaTimeout = "X-Erpc-Timeout"
	// MetaHello names the sequence number of the message that it comes with: of the
	// first call on a connection that has MetaTimeout, and of the hello that answers
	// it. What stands behind a space is for later versions.
	MetaHello = "X-Erpc-Hello"
	// MetaRefused names, in a reply that failed, the sequence number of a call that
	// was not executed.
	MetaRefused = "X-Erpc-Refused"
	// MetaEnd is what a ControlEnd message carries: "1" if the other side may connect
	// again, else "0", then the code, then the text, with a space between each two.
	MetaEnd = "X-Erpc-End"
	// MetaCaps is what a ControlCaps call and its reply carry: version "." bits "."
	// sequence number, in decimal.
	MetaCaps = "X-Erpc-Caps"
	// MetaHeartbeat carries the rate of erpc v7's heartbeats, in seconds. HTTP, whose
	// field names have no case, must keep it as it is.
	MetaHeartbeat = "hb_"
)

// CapStreams is the bit of MetaCaps for streams.
const CapStreams = 1 << 0

// Sequence numbers of a proof are drawn from here: those of a side that counts its
// calls stay below.
const (
	MinProofSeq = 1 << 24
	MaxProofSeq = 1 << 30
)

// DrawSeq returns a sequence number for a proof.
func DrawSeq() int32 { return MinProofSeq + rand.Int32N(MaxProofSeq-MinProofSeq) }
