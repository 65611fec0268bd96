// Package wire has the names and numbers by which two erpc peers distinguish their
// own messages from those of programs. They are part of the wire format: never change
// them. docs/wire.md describes how they are used.
package wire

import "math/rand/v2"

// Control messages are PUSHes between two erpc peers that are not for handlers. A
// cancel has the sequence number of the call that it cancels, a hello that of the
// call that it answers.
const (
	ControlPrefix = "/erpc.control/"
	ControlHello  = ControlPrefix + "hello"
	ControlCancel = ControlPrefix + "cancel" // the caller no longer waits for the reply
	ControlGoAway = ControlPrefix + "goaway" // new calls will be refused
	ControlBye    = ControlPrefix + "bye"    // the answer to goaway: no more calls follow
	ControlEnd    = ControlPrefix + "end"    // the session is closed; MetaEnd says why
	ControlDrain  = ControlPrefix + "drain"  // one stream should end soon; it has the sequence number of the stream
	ControlCaps   = ControlPrefix + "caps"   // a CALL: what can the other side do?
)

// Heartbeat is the service method of the heartbeats of plugin/heartbeat, which erpc v7
// has, too.
const Heartbeat = "/heartbeat"

// Keys of metadata.
const (
	// MetaTimeout carries the caller's deadline: how many milliseconds are left, in
	// decimal, or 0 for a call without a deadline that can be cancelled. erpc v7
	// ignores it.
	MetaTimeout = "X-Erpc-Timeout"
	// MetaHello repeats the sequence number of its message: of the first call with
	// MetaTimeout on a connection, and of the hello that answers it. Text after a
	// space is reserved for later versions.
	MetaHello = "X-Erpc-Hello"
	// MetaRefused names, in a reply that failed, the sequence number of a call that
	// was not executed.
	MetaRefused = "X-Erpc-Refused"
	// MetaEnd is the reason in a ControlEnd message: "1" if the other side may
	// reconnect, else "0", then the code, then the text, separated by spaces.
	MetaEnd = "X-Erpc-End"
	// MetaCaps is the content of a ControlCaps call and of its reply: version "."
	// bits "." sequence number, in decimal.
	MetaCaps = "X-Erpc-Caps"
	// MetaHeartbeat carries the rate of erpc v7's heartbeats, in seconds. HTTP, where
	// field names are case-insensitive, must keep it in lower case.
	MetaHeartbeat = "hb_"
	// MetaBeat carries the same rate in milliseconds if it is not a whole number of
	// seconds.
	MetaBeat = "X-Erpc-Beat"
)

// CapStreams is the bit of MetaCaps for streams.
const CapStreams = 1 << 0

// Sequence numbers of a proof are drawn from this range. Those of a side that
// counts its calls stay below it.
const (
	MinProofSeq = 1 << 24
	MaxProofSeq = 1 << 30
)

// DrawSeq returns a sequence number for a proof.
func DrawSeq() int32 { return MinProofSeq + rand.Int32N(MaxProofSeq-MinProofSeq) }
